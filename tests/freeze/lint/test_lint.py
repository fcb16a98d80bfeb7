"""What a selection's text is recognised as, and what is said of its entries."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import Gemma4TextConfig

from qwen_ui.errors import PlanError
from qwen_ui.freeze import resolve
from qwen_ui.freeze.lint import Lint, lint_record, lint_text, recognising
from qwen_ui.model import Anatomy, open_model

SCRIPT = """
from peft import LoraConfig
TARGETS = ["q_proj", "v_proj"]
config = LoraConfig(r=4, target_modules=TARGETS, task_type="CAUSAL_LM")
trainer = SFTTrainer(model, peft_config=config)
"""
TEXTS = {
    "peft": '{"peft_type": "LORA", "target_modules": ["q_proj", "v_proj"]}',
    "llama-factory": "finetuning_type: lora\nlora_target: q_proj,v_proj\n",
    "ms-swift": "tuner_type: lora\ntarget_modules: [q_proj, v_proj]\n",
    "unsloth": "FastLanguageModel.get_peft_model(model, target_modules=['q_proj', 'v_proj'])",
    "axolotl": "base_model: x\nadapter: lora\nlora_r: 8\nlora_target_modules: [q_proj, v_proj]\n",
    "torchtune": (
        "model:\n  _component_: torchtune.models.qwen2_5.lora_qwen2_5_1_5b_instruct\n"
        "  lora_attn_modules: [q_proj, v_proj]\n"
    ),
    "trl": SCRIPT,
}


@pytest.mark.parametrize("format", TEXTS)
def test_every_tool_s_way_of_saying_q_and_v_means_the_same_tensors(
    qwen: Anatomy, format: str
) -> None:
    found = lint_text(TEXTS[format], qwen)
    assert found.format == format
    assert found.errors == ()
    kinds = {"self_attn.q_proj.weight", "self_attn.v_proj.weight"}
    assert found.names == {p.name for p in qwen.parameters if p.kind in kinds}
    assert found.adapted == found.names
    assert resolve(found.plan, qwen).names == found.names


def test_a_command_line_and_yaml_options_are_read(qwen: Anatomy) -> None:
    command = "A=1 swift sft --tuner_type full \\\n --freeze_parameters_ratio 1 \\\n"
    found = lint_text(command + " --trainable_parameters model.norm model.layers.5.\n", qwen)
    assert found.format == "ms-swift"
    expected = {p.name for p in qwen.parameters if p.block == 5} | {"model.norm.weight"}
    assert found.names == expected
    options = "use_peft: true\nlora_target_modules: [q_proj, v_proj]\nlora_r: 4\n"
    assert len(lint_text(options, qwen).adapted) == 56


def problem(found: Lint, entry: str) -> str:
    (said,) = [e.problem for e in found.entries if e.entry == entry]
    return said


def test_an_entry_that_matches_nothing_names_the_nearest(qwen: Anatomy) -> None:
    found = lint_text('{"target_modules": ["q_porj", "v_proj"]}', qwen)
    assert "'q_proj'" in problem(found, "q_porj")
    assert problem(found, "v_proj") == ""
    assert problem(found, "q_porj") in found.errors
    record = lint_record(found)
    assert record["clean"] is False
    assert [(e["entry"], e["matches"]) for e in record["entries"]] == [
        ("q_porj", 0),
        ("v_proj", 28),
    ]


@pytest.mark.parametrize(
    ("text", "entry", "others"),
    [
        ("tuner_type: full\nfreeze_parameters_ratio: 1\ntrainable_parameters: [model.layers.2]",
         "model.layers.2", "blocks 20-27"),
        ("unfrozen_parameters:\n- model.layers.1\n", "model.layers.1", "blocks 10-19"),
        ("unfrozen_parameters:\n- model.layers.(2)\n", "model.layers.(2)", "blocks 20-27"),
        ('{"target_modules": ["q_proj"], "modules_to_save": ["norm"]}', "norm", "input_layernorm"),
        ("finetuning_type: freeze\nfreeze_extra_modules: norm\n", "norm", "input_layernorm"),
    ],
)  # fmt: skip
def test_an_entry_that_matches_more_than_it_seems_is_told(
    qwen: Anatomy, text: str, entry: str, others: str
) -> None:
    found = lint_text(text, qwen)
    assert others in problem(found, entry)
    assert found.errors == ()


@pytest.mark.parametrize(
    "text",
    [
        "unfrozen_parameters:\n- model.layers.2[0-9]+.mlp.down_proj\n",
        "unfrozen_parameters:\n- ^model.layers.2.mlp.down_proj.weight$\n",
        "tuner_type: full\nfreeze_parameters_ratio: 1\ntrainable_parameters: [model.layers.2.]",
        '{"target_modules": ["layers.1.self_attn.q_proj"]}',
    ],
)
def test_an_entry_that_says_what_it_means_is_not_warned_about(qwen: Anatomy, text: str) -> None:
    found = lint_text(text, qwen)
    assert [p for p in found.problems if p.severity != "note"] == []
    assert {qwen.by_name[name].block for name in found.names} < {1, 2, *range(20, 28)}


def test_a_name_that_is_listed_by_another_is_explained(qwen: Anatomy) -> None:
    found = lint_text("unfrozen_parameters:\n- ^lm_head.weight$\n- model.norm\n", qwen)
    assert "same tensor as model.embed_tokens.weight" in problem(found, "^lm_head.weight$")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"unfrozen_parameters: ['model\.layers\.2\.']", "every dot"),
        ("unfrozen_parameters: ['model.layers.*.mlp']", "every dot"),
        ("unfrozen_parameters: ['model.embed_tokens.weight$[:9]']", "rows 0 to 8 only"),
        ("unfrozen_parameters: ['model.norm.weight$[:99999]']", "1,536 rows"),
        ("adapter: lora\nlora_target_linear: true\nunfrozen_parameters: [model.norm]", "wrapper"),
        ("base_model: x\nlisa_n_layers: 4\nlisa_step_interval: 20", "model.embed_tokens.weight"),
        ("tuner_type: full\ncallbacks: lisa\nlisa_activated_layers: 2", "model.norm.weight"),
        ("freeze_parameters: [model.layers.0.]", "does not look at freeze_parameters"),
        ("finetuning_type: freeze\nfreeze_trainable_modules: mpl", "finds no module 'mpl'"),
        ('{"target_modules": ["self_attn"]}', "PEFT stops at model.layers.0.self_attn"),
        ('{"target_modules": "q_proj"}', "regular expression for the whole name"),
        ('{"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}', "a copy"),
        ('{"target_modules": ["lm_head"]}', "one tensor"),
        ("use_peft: true\nlora_target_modules: q_proj", "regular expression for the whole name"),
        ("lora_task_type: CAUSAL_LM\nlora_target_modules: [q_proj]", "without use_peft"),
        ("unfrozen_parameters:\n- ^lm_head.weight$\n- ^model.embed_tokens.weight$\n- model.norm",
         "Spectrum begins every list"),
        ("model:\n  _component_: m.lora_x\n  lora_attn_modules: [q_proj]\n"
         "  apply_lora_to_output: true", "torchtune refuses apply_lora_to_output"),
        ("FastLanguageModel.get_peft_model(m, modules_to_save=['norm'])", "Unsloth refuses 'norm'"),
        ("tuner_type: lora\nlisa_activated_layers: 2", "LISA goes with tuner_type full alone"),
        ("tuner_type: lora\nadapters: [old]", "goes on with an adapter"),
        ("tuner_type: lora\ntuner_backend: unsloth", "hands these targets to Unsloth"),
        ("finetuning_type: lora\nadapter_name_or_path: old", "goes on with the adapter"),
        ("finetuning_type: lora\nuse_unsloth: true", "hands these targets to Unsloth"),
        ("finetuning_type: full\nuse_badam: true", "BAdam"),
        ("base_model: x\nadapter: lora\nlora_target_linear: true\nlora_model_dir: old",
         "goes on with the adapter"),
        ('{"target_modules": ["q_proj"], "use_dora": true, "lora_bias": true}', "beside use_dora"),
    ],
)  # fmt: skip
def test_what_a_tool_does_beyond_the_text_or_refuses_is_told(
    qwen: Anatomy, text: str, said: str
) -> None:
    found = lint_text(text, qwen)
    assert any(said in p.message for p in found.problems), [p.message for p in found.problems]


def gemma() -> Anatomy:
    return open_model(
        Gemma4TextConfig(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=4,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8,
            hidden_size_per_layer_input=0, num_kv_shared_layers=0, attention_k_eq_v=True,
            layer_types=["sliding_attention", "full_attention"] * 2,
        )
    )  # fmt: skip


def test_keys_that_are_values_too_are_told() -> None:
    anatomy = gemma()
    values = lint_text('{"target_modules": ["q_proj", "v_proj"]}', anatomy)
    assert any("do not train with this selection" in p.message for p in values.problems)
    assert any("'v_proj' is in 2 of 4 blocks" in p.message for p in values.problems)
    keys = lint_text('{"target_modules": ["k_proj"]}', anatomy)
    assert any("blocks 1, 3 k_proj is also the value" in p.message for p in keys.problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to read"),
        ("# only this\n", "comments alone"),
        ("merge_method: slerp\nslices: []\n", "mergekit"),
        ("learning_rate: 1e-4\n", "no known format"),
        ('{"peft_type": "PROMPT_TUNING"}', "PROMPT_TUNING"),
        ('{"target_modules": ["q_proj"', "not JSON"),
        ("a: [1\nb: 2\n", "not YAML"),
        ("import torch\nfor n, p in model.named_parameters():\n    p.requires_grad = 'q' in n\n",
         "executes nothing"),
        ("config = LoraConfig(target_modules=find(model))", "computes target_modules"),
        ("a = LoraConfig(r=1)\nb = LoraConfig(r=2)\n", "lines 1, 2"),
        ("import os\nprint(1)\n", "configures no adapter"),
        ("[" * 5000, "cannot be read"),
        ("- " * 5000, "Names look like"),
        ("x" * (17 << 20), "too large"),
        ('{"target_modules": {"a": 1}}', "not a list of names"),
        ('{"target_modules": ["q_proj"], "r": "many"}', "not a whole number"),
        ('{"target_modules": "(", "r": 8}', "not a valid regular expression"),
        ('{"target_modules": "(a+)+$"}', "matches nothing"),
        ("finetuning_type: magic\n", "no finetuning_type"),
        ("llamafactory-cli train examples/freeze.yaml lora_rank=4", "from a file (examples/freeze"),
        ("axolotl train config.yml", "from a file (config.yml)"),
        ("tune run lora_finetune_single_device --config qwen2_5/1.5B_lora", "from a file"),
        ("swift sft --config sft.yaml", "from a file (sft.yaml)"),
        ("config = RoadConfig(target_modules=['k_proj'])\nSFTTrainer(m, peft_config=config)",
         "configures 'ROAD'"),
        ("from x import config\nSFTTrainer(m, peft_config=config)", "Line 2 puts an adapter"),
        ("from x import config\nmodel = get_peft_model(model, config)", "Line 2 puts an adapter"),
        ("base_model: x\nplugins: [axolotl.integrations.spectrum.SpectrumPlugin]",
         "makes unfrozen_parameters anew"),
        ('{"target_modules": ["q_proj"], "layer_replication": [[0, 4]]}', "repeats blocks"),
        ('{"target_modules": ["q_proj"], "r": 1e400}', "not a whole number"),
        ('{"target_modules": ["q_proj"], "r": NaN}', "not a whole number"),
        (f"target_modules: [q_proj]\npeft_type: LORA\nr: 1{'0' * 4000}", "too large"),
        ('{"target_modules": ["q_proj"], "lora_dropout": "some"}', "not a number"),
        (json.dumps({"target_modules": [f"m{i}" for i in range(20_001)]}), "has 20,001 entries"),
    ],
)  # fmt: skip
def test_what_is_no_selection_is_refused_in_a_sentence(qwen: Anatomy, text: str, said: str) -> None:
    try:
        problems = [p.message for p in lint_text(text, qwen).problems]
    except PlanError as error:
        problems = [str(error)]
    assert any(said in message for message in problems), problems


def test_every_class_that_configures_an_adapter_is_known(qwen: Anatomy) -> None:
    for configures in {one.__name__ for one in PEFT_TYPE_TO_CONFIG_MAPPING.values()}:
        text = f"config = {configures}(target_modules=['k_proj'])\nget_peft_model(model, config)"
        try:
            said = "" if lint_text(text, qwen).entries else "nothing"
        except PlanError as error:
            said = str(error)
        kind = configures.removesuffix("Config").upper()
        assert not said or f"configures '{kind}'" in said, (configures, said)


def test_many_entries_that_match_nothing_are_told_in_good_time(qwen: Anatomy) -> None:
    began = time.process_time()
    found = lint_text("\n".join(f"model.layers.{i}.mlp.no" for i in range(20_000)), qwen)
    assert time.process_time() - began < 20
    assert len(found.entries) == 20_000
    assert all(entry.problem for entry in found.entries)
    assert len(found.errors) == 102  # a hundred, how many more, and that nothing trains
    assert "19,900 more entries match nothing" in "".join(found.errors)


def test_trl_s_command_line_is_read(qwen: Anatomy) -> None:
    command = "trl sft --use_peft --lora_r 4 \\\n --lora_target_modules q_proj v_proj --bf16"
    found = lint_text(command, qwen)
    assert (found.format, len(found.adapted)) == ("trl", 56)


def test_what_is_said_of_a_tied_copy_does_not_contradict_itself(qwen: Anatomy) -> None:
    saved = '{"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}'
    said = [p.message for p in lint_text(saved, qwen).problems]
    assert any("afterwards they differ" in message for message in said)
    assert not any("changes both uses" in message for message in said)
    whole = lint_text("unfrozen_parameters:\n- model.embed_tokens.weight\n- model.norm", qwen)
    assert any("changes both uses" in p.message for p in whole.problems)


def test_flags_of_an_expression_hold_for_all_of_it(qwen: Anatomy) -> None:
    found = lint_text(r"(?i)LAYERS\.1\.MLP|MODEL\.NORM\.", qwen)
    assert len(found.names) == 4
    assert not found.errors


def test_a_scale_may_be_any_number(qwen: Anatomy) -> None:
    text = '{"target_modules": ["q_proj"], "alpha_pattern": {"q_proj": 0.5}, "r": 4}'
    assert not lint_text(text, qwen).errors


def test_rows_of_tokens_count_alone(qwen: Anatomy) -> None:
    text = '{"target_modules": ["q_proj"], "r": 4, "trainable_token_indices": [1, 2, 3]}'
    found = lint_text(text, qwen)
    assert "model.embed_tokens.weight" in found.names
    assert found.trainable_parameters == 28 * 4 * 2 * 1536 + 3 * 1536


def test_a_bomb_of_aliases_is_refused(qwen: Anatomy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognising, "PARSING", replace(recognising.PARSING, seconds=2.0))
    lines = ["target_modules: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 18)]
    with pytest.raises(PlanError, match="cannot be read"):
        lint_text("\n".join(lines), qwen)


def test_a_script_is_read_and_never_run(qwen: Anatomy, tmp_path: object) -> None:
    text = f"open({str(tmp_path)!r} + '/ran', 'w')\n{SCRIPT}"
    assert len(lint_text(text, qwen).names) == 56
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


def test_the_record_has_the_keys_that_are_promised(qwen: Anatomy) -> None:
    record = json.loads(json.dumps(lint_record(lint_text(TEXTS["peft"], qwen))))
    assert {"format", "entries", "trainable_names", "trainable_parameters", "plan", "problems"} <= (
        set(record)
    )
    assert set(record["entries"][0]) >= {"entry", "matches", "names", "problem"}
    assert record["trainable_parameters"] == record["adapter_parameters"] == 1_089_536
