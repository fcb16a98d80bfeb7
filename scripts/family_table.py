"""What the program does with a tiny random model of many families, measured, as Markdown.

`python -m scripts.family_table > docs/families.md` writes the page anew; `--types llama,mixtral`
measures these alone. Each model is saved as transformers saves it, opened, checked, priced against
a real step, trained for five steps beside a plain loop, merged, and loaded by plain transformers.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from qwen_ui.engine import apply_delta
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.packing_proof import check_packing, packed_pair
from qwen_ui.errors import SettingsError, UserError
from qwen_ui.formats import percent, rounded
from qwen_ui.freeze import FreezePlan, Rule, apply, estimate_cost, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.libraries import transformers_version
from qwen_ui.model.weights import check_weights, load_model, weights_of
from tests.helpers.checkpoint_families import save_random
from tests.helpers.family_proofs import BATCH, examples, what_a_neighbour_does
from tests.helpers.plain_loop import plain_loss, plain_training
from tests.helpers.real_steps import measure
from tests.helpers.recorded_run import record_run
from tests.helpers.tiny_models import write_sentences
from tests.helpers.tiny_wrappers import WRAPPERS, configuration_of

GROUPS: dict[str, tuple[str, ...]] = {
    "dense": (
        "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "mistral", "phi", "phi3",
        "olmo2", "cohere", "glm4", "granite", "falcon", "gpt_neox", "stablelm", "starcoder2",
    ),
    "ALiBi": ("bloom", "mpt"),
    "learned positions": ("opt", "gpt_neo", "biogpt"),
    "Conv1D, learned positions": ("gpt2", "openai-gpt"),
    "mixture of experts": (
        "mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v3", "gpt_oss", "granitemoe",
        "ernie4_5_moe",
    ),
    "state-space": ("mamba", "mamba2", "rwkv"),
    "hybrid": (
        "bamba", "falcon_h1", "jamba", "qwen3_next", "qwen3_5_text", "recurrent_gemma", "lfm2",
    ),
    "multimodal": tuple(WRAPPERS),
    "decoder of an encoder-decoder": ("bart", "marian"),
    "encoder-decoder": ("t5", "mt5"),
}  # fmt: skip
PLAN = FreezePlan(rules=(Rule(layers="last:2"),))
EVERYTHING = FreezePlan(rules=(Rule(),))
STEPS, RATE, SEQUENCES, LENGTH = 5, 3e-3, 2, 24
COLUMNS = {
    "opens": "blocks and parameters, from the configuration alone",
    "fits": "names and shapes of the files against the architecture; *converted*: tensors that "
    "transformers renames, stacks or splits",
    "prices": "FLOPs and peak bytes of a step (without the weights), each by how much the price is "
    "off the same step really taken",
    "trains": f"evaluation loss before and after {STEPS} steps on the last two blocks",
    "plain loop": "largest relative difference of the steps' losses from a loop that runs each "
    "sample alone with torch's AdamW, without any shortcut",
    "prefix": "blocks whose outputs are cached, and what the run says where it does without",
    "sees later": "how far a sequence's first logits move when its second half is exchanged: "
    "not 0 where the model attends both ways, and its loss is then not a causal one",
    "packing": "the verdict, and how far the logits move when a packed neighbour is exchanged",
    "applies": "tensors that `apply` wrote",
    "reloads": "plain `from_pretrained` reports nothing missing, unexpected or mismatched",
    "run's loss": "as the run measured it at its end",
    "merged loss": "of the merged checkpoint in plain transformers, the same samples one by one",
    "off": "relative difference of the two",
    "off, all": "the same after a run that trains everything",
}


@dataclass
class Row:
    """What was measured of one family: its cells by column, and the seconds it took."""

    model_type: str
    cells: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def markdown(self, group: str) -> str:
        cells = (self.cells.get(column, "-").replace("|", "/") for column in COLUMNS)
        return f"| `{self.model_type}` | {group} | {' | '.join(cells)} |"


def measure_row(model_type: str, folder: Path) -> Row:
    """Measure every cell of a family.

    Args:
        folder: an empty folder, for the checkpoint, the data, the deltas and the merged models.
    """
    row, began = Row(model_type), time.perf_counter()
    base = save_random(folder / "base", configuration_of(model_type))
    data = write_sentences(folder / "data.jsonl")
    anatomy: list[Anatomy] = []

    def opens() -> None:
        anatomy.append(open_model(str(base)))
        row.cells["opens"] = f"{anatomy[0].block_count} blocks, {anatomy[0].total_parameters:,}"

    if not _tried(row, "opens", opens):
        return row
    _tried(row, "fits", lambda: _fits(row, anatomy[0]))
    _tried(row, "prices", lambda: _prices(row, anatomy[0], base))
    if _tried(row, "trains", lambda: _trains(row, anatomy[0], base, data, folder)):
        _tried(row, "packing", lambda: _packs(row, anatomy[0], base))
        _tried(row, "off, all", lambda: _trains_everything(row, base, data, folder))
    row.seconds = time.perf_counter() - began
    return row


def _tried(row: Row, column: str, cell: Callable[[], None]) -> bool:
    """Fill a cell; False where that failed, and the cell says why."""
    try:
        cell()
    except UserError as error:
        row.cells[column] = f"refused: {_short(str(error))}"
    except Exception as error:  # whatever fails in a family is what its cell is for
        row.cells[column] = f"fails: {type(error).__name__}: {_short(str(error))}"
    return not row.cells[column].startswith(("refused", "fails"))


def _short(sentence: str, most: int = 110) -> str:
    """The first sentence, shortened; folders of this machine are left out."""
    words = " ".join(word for word in sentence.split() if os.sep not in word)
    first = words.split(". ")[0].rstrip(".")
    return first if len(first) <= most else first[:most].rsplit(" ", 1)[0] + " ..."


def _fits(row: Row, anatomy: Anatomy) -> None:
    found = check_weights(anatomy, weights_of(anatomy))
    converted = f", {found.converted} converted" if found.converted else ""
    row.cells["fits"] = f"yes{converted}" if found.fits else f"no: {_short(found.sentence)}"


def _prices(row: Row, anatomy: Anatomy, base: Path) -> None:
    selection = resolve(PLAN, anatomy)
    cost = estimate_cost(
        anatomy, selection, batch_size=SEQUENCES, sequence_length=LENGTH, dtype="float32"
    )
    model = load_model(base, anatomy, torch.float32)
    apply(selection, model)
    real = measure(model, SEQUENCES, LENGTH, padded=True)
    priced = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes - cost.master_bytes
    row.cells["prices"] = (
        f"{_off(cost.flops_step, real.flops_step)}, {_off(priced, real.peak_bytes)}"
    )


def _off(said: float, measured: float) -> str:
    """By how much a figure is off; "0" where it is equal."""
    if said == measured:
        return "0"
    return "+-"[said < measured] + percent(abs(said - measured) / measured)


def _trains(row: Row, anatomy: Anatomy, base: Path, data: Path, folder: Path) -> None:
    out = folder / "run"
    run, prepared = record_run(base, data, PLAN, out, steps=STEPS, learning_rate=RATE)
    after = run.ended["eval_loss_after"]
    row.cells["trains"] = f"{run.ended['eval_loss_before']:.4f} to {after:.4f}"
    kept = prepared.loop.trainee.prefix_blocks
    said = f": {_short(' '.join(prepared.notes))}" if prepared.notes else ""
    row.cells["prefix"] = f"{kept}{said}"

    def beside_a_plain_loop() -> None:
        model = load_model(base, anatomy, torch.float32)
        apply(resolve(PLAN, anatomy), model)
        plain = plain_training(
            model,
            prepared.data.training,
            steps=STEPS,
            batch_size=prepared.spec.optimization.batch_size,
            rate=lambda step: float(run.steps[step - 1]["learning_rate"]),
            decay=prepared.spec.optimization.weight_decay,
            clip=prepared.spec.optimization.gradient_clip,
        )
        losses = [step["loss"] for step in run.steps]
        off = max(abs(a - b) / abs(b) for a, b in zip(losses, plain, strict=True))
        row.cells["plain loop"] = rounded(off, 1)

    def applies() -> None:
        done = apply_delta(out / "delta.safetensors", str(base), folder / "merged")
        row.cells["applies"] = f"{done.tensors} tensors"

    def reloads() -> None:
        merged = plain_loss(folder / "merged", prepared.data.evaluation)
        row.cells["reloads"] = "yes"
        row.cells["run's loss"], row.cells["merged loss"] = f"{after:.7f}", f"{merged:.7f}"
        row.cells["off"] = rounded(abs(merged - after) / after, 1)

    _tried(row, "plain loop", beside_a_plain_loop)
    if _tried(row, "applies", applies):
        _tried(row, "reloads", reloads)


def _trains_everything(row: Row, base: Path, data: Path, folder: Path) -> None:
    out = folder / "run-all"
    run, prepared = record_run(base, data, EVERYTHING, out, steps=2, learning_rate=RATE)
    apply_delta(out / "delta.safetensors", str(base), folder / "merged-all")
    after = run.ended["eval_loss_after"]
    merged = plain_loss(folder / "merged-all", prepared.data.evaluation)
    row.cells["off, all"] = rounded(abs(merged - after) / after, 1)


def _packs(row: Row, anatomy: Anatomy, base: Path) -> None:
    model = load_model(base, anatomy, torch.float32)
    trainee = Trainee(model, resolve(PLAN, anatomy), cache_prefix=False)
    data, verdict = examples(packed=True), "safe"
    try:
        pair = packed_pair(trainee, data, 0, torch.device("cpu"), rows=BATCH)
        assert pair is not None
        check_packing(trainee.eval(), pair)
    except SettingsError:
        verdict = "not offered"
    moved, _ = what_a_neighbour_does(trainee.model.eval(), data)
    row.cells["sees later"] = rounded(_what_later_tokens_do(trainee.model), 1)
    seen = "takes no positions" if math.isnan(moved) else rounded(moved, 1)
    row.cells["packing"] = f"{verdict}, {seen}"


def _what_later_tokens_do(model: PreTrainedModel) -> float:
    tokens = torch.tensor([item.tokens for item in examples(packed=False).items[:BATCH]])
    half = tokens.shape[1] // 2
    other = torch.cat((tokens[:, :half], tokens[:, half:].flip(1)), 1)
    with torch.no_grad():
        first, second = (
            model(input_ids=t, use_cache=False).logits[:, :half] for t in (tokens, other)
        )
    return float((first - second).abs().max())


def page(types: tuple[str, ...]) -> str:
    """The page `docs/families.md`; what each family took goes to standard error."""
    rows = []
    for group, members in GROUPS.items():
        for model_type in members:
            if types and model_type not in types:
                continue
            with tempfile.TemporaryDirectory() as folder:
                row = measure_row(model_type, Path(folder))
            rows.append(row.markdown(group))
            print(f"{row.seconds:5.1f} s  {rows[-1]}", file=sys.stderr, flush=True)
    about = (
        f"{len(rows)} families of transformers {transformers_version} as tiny models of four "
        "blocks with random weights, in float32 on a CPU. Every cell is measured. Written by "
        "`python -m scripts.family_table > docs/families.md`."
    )
    return "\n".join(
        (
            "# Families",
            "",
            *wrap(about, 100),
            "",
            *(
                line
                for name, meaning in COLUMNS.items()
                for line in wrap(f"- *{name}*: {meaning}.", 100, subsequent_indent="  ")
            ),
            "",
            f"| type | kind | {' | '.join(COLUMNS)} |",
            "|---" * (len(COLUMNS) + 2) + "|",
            *rows,
            "",
        )
    )


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", default="", help="types to measure, by commas; all by default")
    types = tuple(filter(None, parser.parse_args().types.split(",")))
    if unknown := set(types) - {name for members in GROUPS.values() for name in members}:
        parser.error(f"not in the table: {', '.join(sorted(unknown))}")
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        sys.stdout.write(page(types))


if __name__ == "__main__":
    main()
