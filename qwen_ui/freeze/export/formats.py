"""A selection as text for the tools that people train with.

Every export trains exactly the selection's names, which tests verify by running it: scripts in a
fresh interpreter, settings of other tools by these tools' rules, read back by `freeze.lint`. Where
a tool cannot express a selection, the export is a comment that says so, never something close.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from qwen_ui.errors import PlanError
from qwen_ui.freeze.export.adapter_texts import (
    cannot,
    ms_swift_text,
    peft_text,
    torchtune_text,
    unsloth_text,
)
from qwen_ui.freeze.export.axolotl import axolotl_patterns
from qwen_ui.freeze.export.llama_factory import freeze_settings, why_not
from qwen_ui.freeze.export.scripts import freeze_function, model_for_transformers
from qwen_ui.freeze.selection import Selection
from qwen_ui.model import pattern_for


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """Attributes: `title` for people, `file_name` to save it as, `write` makes the text."""

    title: str
    file_name: str
    write: Callable[[Selection], str]


def export_formats() -> dict[str, ExportFormat]:
    """The formats by name, in the order in which they are shown."""
    return dict(_FORMATS)


def export_text(selection: Selection, format: str) -> str:
    """The selection as text in one of `export_formats()`.

    Raises:
        PlanError: no such format.
    """
    if format not in _FORMATS:
        raise PlanError(f"There is no export format '{format}'. There are {', '.join(_FORMATS)}.")
    return _FORMATS[format].write(selection)


def _plan(selection: Selection) -> str:
    return selection.plan.to_json() + "\n"


def _names(selection: Selection) -> str:
    return "".join(f"{parameter.name}\n" for parameter in selection.parameters)


def _regex(selection: Selection) -> str:
    return pattern_for(parameter.name for parameter in selection.parameters) + "\n"


def _pytorch(selection: Selection) -> str:
    model = model_for_transformers(selection)
    return f"""from transformers import AutoModelForCausalLM

{freeze_function(selection)}

if __name__ == "__main__":
    model = freeze(AutoModelForCausalLM.from_pretrained({model!r}))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{{trained:,}} parameters train")
"""


_TRAINER = '''

def tokens_of(tokenizer):
    """The text file DATA, cut into sequences of LENGTH tokens."""
    with open(DATA, encoding="utf-8") as file:
        tokens = tokenizer(file.read())["input_ids"]
    ends = range(LENGTH, len(tokens) + 1, LENGTH)
    return [{"input_ids": tokens[e - LENGTH : e], "labels": tokens[e - LENGTH : e]} for e in ends]


if __name__ == "__main__":
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = freeze(AutoModelForCausalLM.from_pretrained(MODEL))
    arguments = TrainingArguments(
        output_dir=OUTPUT,
        max_steps=STEPS,
        per_device_train_batch_size=8,
        learning_rate=RATE,
        lr_scheduler_type="cosine",
        weight_decay=0.0,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=tokens_of(tokenizer),
        data_collator=default_data_collator,
    )
    trainer.train()
    trainer.save_model(OUTPUT)
'''


def _trainer(selection: Selection) -> str:
    return f"""import sys

from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

{_constants(selection)}
LENGTH = 128

{freeze_function(selection)}{_TRAINER}"""


_TRL = """

if __name__ == "__main__":
    model = freeze(AutoModelForCausalLM.from_pretrained(MODEL))
    config = SFTConfig(
        output_dir=OUTPUT,
        max_steps=STEPS,
        per_device_train_batch_size=8,
        learning_rate=RATE,
        weight_decay=0.0,
        save_strategy="no",
        report_to="none",
        # TRL's defaults are for a GPU, and its checkpointing runs frozen blocks backward.
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        gradient_checkpointing=False,
    )
    data = load_dataset("text", data_files=DATA, split="train")
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(MODEL),
    )
    trainer.train()
    trainer.save_model(OUTPUT)
"""


def _trl(selection: Selection) -> str:
    return f"""import sys

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

{_constants(selection)}

{freeze_function(selection)}{_TRL}"""


def _constants(selection: Selection) -> str:
    rate = "1e-3" if selection.trainable_fraction < 0.01 else "1e-4"
    return f"""MODEL = {model_for_transformers(selection)!r}
DATA = sys.argv[1] if len(sys.argv) > 1 else "train.txt"
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
OUTPUT = sys.argv[3] if len(sys.argv) > 3 else "output"
# A choice of few parameters wants a higher rate than full fine-tuning; try several.
RATE = {rate}"""


def _accelerate(selection: Selection) -> str:
    return f"""cat > train_frozen.py <<'END'
{_trainer(selection)}END
accelerate launch --num_processes 1 train_frozen.py train.txt 100 output
"""


def _axolotl(selection: Selection) -> str:
    patterns = "".join(f"  - {json.dumps(p)}\n" for p in axolotl_patterns(selection))
    return (
        f"# {selection.summary}\n"
        f"base_model: {model_for_transformers(selection)}\n"
        f"unfrozen_parameters:\n{patterns}"
    )


def _llama_factory(selection: Selection) -> str:
    settings = freeze_settings(selection)
    if settings is None:
        return cannot("LLaMA-Factory's freeze tuning", why_not(selection))
    extra = f"freeze_extra_modules: {','.join(settings.extra)}\n" if settings.extra else ""
    return (
        f"# {selection.summary}\n"
        f"model_name_or_path: {model_for_transformers(selection)}\n"
        "stage: sft\ndo_train: true\nfinetuning_type: freeze\n"
        f"freeze_trainable_layers: {settings.layers}\n"
        f"freeze_trainable_modules: {','.join(settings.modules)}\n{extra}"
    )


_FORMATS = {
    "plan": ExportFormat("Plan (JSON)", "plan.json", _plan),
    "pytorch": ExportFormat("PyTorch", "freeze.py", _pytorch),
    "trainer": ExportFormat("Hugging Face Trainer", "train_frozen.py", _trainer),
    "trl": ExportFormat("TRL", "train_trl.py", _trl),
    "accelerate": ExportFormat("accelerate launch", "train.sh", _accelerate),
    "axolotl": ExportFormat("Axolotl", "axolotl.yaml", _axolotl),
    "llama-factory": ExportFormat("LLaMA-Factory", "llama_factory.yaml", _llama_factory),
    "ms-swift": ExportFormat("ms-swift", "ms_swift.yaml", ms_swift_text),
    "peft": ExportFormat("PEFT adapter", "adapter_config.json", peft_text),
    "unsloth": ExportFormat("Unsloth", "unsloth_adapter.py", unsloth_text),
    "torchtune": ExportFormat("torchtune", "torchtune.yaml", torchtune_text),
    "names": ExportFormat("Names", "names.txt", _names),
    "regex": ExportFormat("Regular expression", "regex.txt", _regex),
}
