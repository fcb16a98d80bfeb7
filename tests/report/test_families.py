"""The report's checks on tiny models of all families: what does not pass is a true finding."""

from __future__ import annotations

import pytest

from qwen_ui.model import open_model
from qwen_ui.report.check_attention import check_attention
from tests.helpers.family_reports import family_reports, report_family
from tests.helpers.tiny_wrappers import built_types, configuration_of

# transformers says of some families that they run without their fast kernels.

ROWS = "Is attention grouped, and do k and v have the rows for it?"
UNUSUAL = "Is every module of a usual kind?"
SHARED = "Is any parameter shared, as the configuration says?"
NORMS = "Which norm, and is it the same everywhere?"
GRADIENTS = "Does a weightless backward put gradients exactly on the selected parameters?"
# Mixers, projectors, poolers and streams that are neither attention, MLP, expert nor norm.
HAVE_PARTS_OF_THEIR_OWN = frozenset(
    [
        "bamba",
        "big_bird",
        "blt",
        "deepseek_v4",
        "doge",
        "dory",
        "falcon_h1",
        "falcon_mamba",
        "gemma3",
        "gemma3n_text",
        "gemma4",
        "gemma4_assistant",
        "gemma4_text",
        "gemma4_unified_assistant",
        "git",
        "glm4v",
        "glm4v_moe",
        "got_ocr2",
        "granitemoehybrid",
        "hrm_text",
        "hy_v4",
        "jamba",
        "lfm2_moe",
        "lfm3",
        "llava",
        "mamba",
        "mamba2",
        "mistral3",
        "moss_transcribe_diarize",
        "nemotron_h",
        "paligemma",
        "phi4_multimodal",
        "qwen3_vl",
        "qwen4_exp",
        "qwen4_exp_text",
        "recurrent_gemma",
        "xlnet",
        "xlstm",
        "zamba",
        "zamba2",
        "zaya",
    ]
)
# Their decoders do not tie the head, although the configuration's default says that they do.
DO_NOT_TIE = frozenset({"bigbird_pegasus", "cpmant"})
# They look at values, which fake tensors do not have; the assistants need another model's states.
CANNOT_BE_TRACED = frozenset(
    [
        "blt",
        "dbrx",
        "gemma4_assistant",
        "gemma4_unified_assistant",
        "jetmoe",
        "longcat_flash",
        "qwen4_exp",
        "qwen4_exp_text",
        "reformer",
        "xlm",
        "xmod",
    ]
)
# Its code doubles the key-value heads of sliding windows, of which the configuration says nothing.
HAS_HEADS_THAT_NO_VALUE_NAMES = frozenset({"mimo_v2_flash"})
# Its text has a norm class of its own, beside that of its image tower.
HAS_TWO_NORM_CLASSES = frozenset({"glm4v_moe"})
EXPECTED = {
    NORMS: HAS_TWO_NORM_CLASSES,
    ROWS: HAS_HEADS_THAT_NO_VALUE_NAMES,
    UNUSUAL: HAVE_PARTS_OF_THEIR_OWN,
    SHARED: DO_NOT_TIE,
    GRADIENTS: CANNOT_BE_TRACED,
}


def expected(model_type: str) -> set[str]:
    return {name for name, types in EXPECTED.items() if model_type in types}


@pytest.mark.parametrize(
    "model_type",
    [
        "bart",  # attention to an encoder that is not there
        "bigbird_pegasus",  # unties
        pytest.param("bailing_hybrid", marks=pytest.mark.long),  # latent beside linear attention
        "deepseek_v32",  # an indexer
        "gemma4_unified_text",  # a head size by layer
        "inkling_text",  # heads of its sliding windows
        "jetmoe",  # cannot be traced
        pytest.param("kimi_linear", marks=pytest.mark.long),
        "llama",
        "mamba",
        "mimo_v2_flash",
        "olmo_hybrid",  # keys and values of linear attention
        "qwen2_5_vl",
        "qwen2_moe",  # experts in float32
        "qwen3_5_text",  # query and gate in one
    ],
)
def test_what_does_not_pass_is_known(model_type: str) -> None:
    assert {name for name, _ in report_family(model_type).failing} == expected(model_type)


@pytest.mark.parametrize(
    ("model_type", "says"),
    [
        ("qwen3_next", "`self_attn.q_proj.weight` has 64 rows, query and gate in one"),
        ("gemma4_unified_text", "4 query and 2 key-value heads of 512 in 1 blocks"),
        ("inkling_text", "64 query and 16 key-value heads of 128: "),
        ("llama", "grouped-query attention, 4 query and 2 key-value heads of 8: "),
    ],
)
def test_the_evidence_names_the_heads(model_type: str, says: str) -> None:
    anatomy = open_model(configuration_of(model_type))
    passed, evidence = check_attention(anatomy)
    assert passed
    assert says in evidence


@pytest.mark.long
def test_what_does_not_pass_is_known_in_all_families() -> None:
    found = family_reports(list(built_types()), processes=2, limit=300)
    assert {f.model_type: f.problem for f in found if f.problem} == {}
    failing = {f.model_type: {name for name, _ in f.failing} for f in found}
    assert failing == {model_type: expected(model_type) for model_type in built_types()}
