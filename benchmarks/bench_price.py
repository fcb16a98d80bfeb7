"""The price told before launch against what a real CPU worker then takes.

    python -m benchmarks.bench_price [nano] [wider] [large]

For each model and plan: FLOPs and saved activations of a step (counted in the worker, with
`FlopCounterMode` and `saved_tensors_hooks`), and the worker's peak of resident memory above its
baseline (`benchmarks.price_worker`), each beside the price in the worker's own way. Then the price
of the 1.5 B for 4 x 512 tokens in the plain way, with the time that it takes to tell it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from qwen_ui.engine import as_worker
from qwen_ui.files import write_json
from qwen_ui.freeze import StepSettings, full_cost, preset, resolve
from qwen_ui.freeze.cost import price
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec
from qwen_ui.runs.spec import SPEC_NAME

PLANS = {
    "attention, last 4": ("attention", "last:4"),
    "BitFit, last 4": ("bitfit", "last:4"),
    "full, last 4": ("full", "last:4"),
    "full": ("full", None),
}
BATCH, LENGTH, STEPS = 8, 128, 6
# glibc's allocator keeps what was freed in holes that later tensors do not fit: a share of the
# process's memory that no tensor holds. Below this size alone it is let.
TIGHT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
MB = 1e6


def wider_model(folder: Path) -> str:
    """12 blocks of width 640 with random weights, nano's tokenizer: 56 M parameters."""
    torch.manual_seed(0)
    configuration = Qwen2Config(
        vocab_size=4096,
        hidden_size=640,
        intermediate_size=1792,
        num_hidden_layers=12,
        num_attention_heads=10,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        dtype=torch.bfloat16,
    )
    AutoModelForCausalLM.from_config(configuration).to(torch.bfloat16).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(ASSETS / "nano" / name, folder / name)
    return str(folder)


def measure(model: str, plan: tuple[str, str | None], cache: str, folder: Path) -> dict[str, int]:
    """What the worker of this run took."""
    text = folder / "text.txt"
    text.write_text((ASSETS / "data" / "kjv-train.txt").read_text(encoding="utf-8")[:60_000])
    spec = make_spec(
        model=model,
        plan=preset(*plan).to_dict(),
        data=str(text),
        steps=STEPS,
        batch_size=BATCH,
        sequence_length=LENGTH,
        learning_rate=1e-4,
        prefix=cache,
    )
    write_json(folder / SPEC_NAME, spec.to_dict())
    subprocess.run(
        [sys.executable, "-m", "benchmarks.price_worker", str(folder)],
        env={**os.environ, **TIGHT, "QWEN_UI_HOME": str(folder / "home")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return dict(json.loads((folder / "measured.json").read_text(encoding="utf-8")))


def compare(label: str, model: str, plan: tuple[str, str | None], cache: str) -> None:
    anatomy = open_model(model)
    settings = StepSettings(batch_size=BATCH, sequence_length=LENGTH)
    told = price(
        anatomy,
        resolve(preset(*plan), anatomy),
        as_worker(settings, dtype="float32", keep_prefix=cache == "auto"),
    )
    with tempfile.TemporaryDirectory() as folder:
        taken = measure(model, plan, cache, Path(folder))
    pairs = (
        ("FLOPs", told.flops_step, taken["flops"]),
        ("activations", told.activation_bytes, taken["activations"]),
        ("peak", told.peak_bytes, taken["peak"]),
    )
    said = ", ".join(
        f"{what} {priced / MB:,.1f} priced {real / MB:,.1f} taken ({priced / real - 1:+.1%})"
        for what, priced, real in pairs
    )
    print(f"{label:36} {said}", flush=True)


def large_model() -> None:
    """DESIGN's figures: 4 x 512 tokens of the 1.5 B, a plain loop in bfloat16."""
    anatomy = open_model("qwen2.5-1.5b-instruct")
    settings = StepSettings(batch_size=4, sequence_length=512)
    attention = resolve(preset("attention"), anatomy)
    begin = time.perf_counter()
    plan = price(anatomy, attention, settings)
    first = time.perf_counter() - begin
    full = full_cost(anatomy, settings)
    ticked = resolve(preset("attention", "last:3"), anatomy)
    begin = time.perf_counter()
    price(anatomy, ticked, settings)
    again = time.perf_counter() - begin
    for label, cost in (("attention, last 4", plan), ("full", full)):
        print(
            f"1.5 B 4 x 512, {label}: {cost.flops_step / 1e12:.2f} TFLOP, "
            f"{cost.activation_bytes / 1e9:.2f} GB saved, peak {cost.peak_bytes / 1e9:.2f} GB"
        )
    print(f"told in {first:.2f} s the first time, {again:.2f} s after a tick")


def main() -> None:
    wanted = set(sys.argv[1:]) or {"nano", "wider", "large"}
    with tempfile.TemporaryDirectory() as folder:
        models = {"nano": "nano", "wider": wider_model(Path(folder))}
        for name, model in models.items():
            if name not in wanted:
                continue
            for label, plan in PLANS.items():
                for cache in ("auto", "off") if plan[1] else ("off",):
                    kept = ", prefix kept" if cache == "auto" else ""
                    compare(f"{name}, {label}{kept}", model, plan, cache)
    if "large" in wanted:
        large_model()


if __name__ == "__main__":
    main()
