"""The README of what is pushed: plan, data, figures, base and licence, by a template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

from qwen_ui.engine import loadable_name, loading_snippet
from qwen_ui.files import read_json
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import Anatomy, is_hub_id
from qwen_ui.runs import DELTA_NAME, command_line, fold_run, read_spec, run_summary, train_command

TEMPLATE = Path(__file__).resolve().parent / "templates" / "model_card.md"
NO_LICENCE = "not found; look it up before this is published"
DELTA = "The trained tensors alone. They take the place of, or are added to, those of the base."
ADAPTER = "LoRA adapters in `peft`'s form, for `PeftModel.from_pretrained`."
MERGED = "The whole model: the base with the trained tensors in it."
_LOAD_MERGED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained({repo!r})
tokenizer = AutoTokenizer.from_pretrained({repo!r})
"""
_LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(model, {repo!r})
"""


def model_card(folder: Path, anatomy: Anatomy, repo: str, *, merged: bool) -> str:
    """The card of a run, as Markdown.

    Args:
        folder: the run's.
        anatomy: of its base.
        repo: what it is pushed to.
        merged: whether the whole model is pushed.
    """
    spec, start = read_spec(folder), fold_run(folder).start
    base, adapters = loadable_name(anatomy), bool(spec.model.lora_rank)
    licence = licence_of(anatomy)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    if merged:
        what, snippet = MERGED, _LOAD_MERGED.format(repo=repo)
    elif adapters:
        what, snippet = ADAPTER, _LOAD_ADAPTER.format(base=base, repo=repo)
    else:
        what, snippet = DELTA, loading_snippet(base, DELTA_NAME, adapters=False)
    data = ModelCardData(
        base_model=base if is_hub_id(base) else None,
        license=licence,
        library_name="peft" if adapters and not merged else "transformers",
        pipeline_tag="text-generation",
        tags=["qwen-ui", "lora" if adapters else "partial-fine-tuning"],
    )
    card = ModelCard.from_template(
        data,
        template_str=TEMPLATE.read_text(encoding="utf-8"),
        title=repo.rpartition("/")[2],
        what=what,
        base=_inline(base if is_hub_id(base) else anatomy.source),
        sentence=_inline(selection.summary),
        data=_inline(Path(spec.data.source).name),
        digest=str(start.get("training_fingerprint") or "")[:16],
        steps=f"{spec.optimization.steps:,} of {spec.optimization.batch_size} sequences",
        rate=start.get("learning_rate") or spec.optimization.learning_rate,
        seed=spec.optimization.seed,
        versions=_versions(folder),
        licence=licence or NO_LICENCE,
        figures=_figures(run_summary(folder)),
        snippet=snippet,
        plan=json.dumps(spec.plan, indent=1, ensure_ascii=False).replace("```", ""),
        command=command_line(train_command(folder)).replace("```", ""),
    )
    return str(card)


def licence_of(anatomy: Anatomy) -> str | None:
    """The base's licence, from the README beside its weights or from the hub; None if unknown."""
    folder = anatomy.weights_folder
    readme = folder / "README.md" if folder is not None else None
    if readme is not None and readme.is_file():
        try:
            found = ModelCard.load(readme, ignore_metadata_errors=True).data.get("license")
        except ValueError:
            found = None
        if isinstance(found, str):
            return found
    name = loadable_name(anatomy)
    if not is_hub_id(name):
        return None
    try:
        about = HfApi().model_info(name, timeout=10).card_data
    except (HTTPError, OfflineModeIsEnabled, OSError):
        return None
    found = about.get("license") if about is not None else None
    return found if isinstance(found, str) else None


def _figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Every number of a run's summary, in words."""
    numbers = {k: v for k, v in summary.items() if type(v) in (int, float)}
    return [(name.replace("_", " "), f"{value:,.6g}") for name, value in numbers.items()]


def _versions(folder: Path) -> str:
    packages = read_json(folder / "environment.json").get("packages")
    found = packages if isinstance(packages, dict) else {}
    return _inline(", ".join(f"{name} {version}" for name, version in found.items() if version))


def _inline(text: str) -> str:
    """A text within a table's cell: of one line, and none of its signs end the cell or code."""
    return " ".join(text.split()).replace("|", "/").replace("`", "'")
