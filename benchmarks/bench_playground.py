"""The playground's exchange of deltas: how long one takes, and what two of them hold in memory.

    python -m benchmarks.bench_playground [--rounds N]

`nano` has its weights; the 1.5B has its shape (bfloat16, zeros: a copy does not look at values).
The deltas are of two made-up runs each, of attention on the last 4 blocks; nano's of everything,
too. Beside the median stands the best of the rounds, for a machine that others use. Last
comes a real worker that holds a model of some 100 M parameters in float32: its memory with the base
alone, and when it has written with two runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from qwen_ui.engine import BASE, Delta, Exchange
from qwen_ui.engine.delta import write_delta
from qwen_ui.formats import short_bytes, short_count
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, build_on_meta, open_model
from qwen_ui.model.weights import folder_fingerprint, load_model, load_tokenizer
from qwen_ui.paths import ASSETS
from qwen_ui.runs import create_run, make_spec
from qwen_ui.workers import AskedSide, Playground
from qwen_ui.workers.playground_place import living

# Of nano's configuration, in a size at which a second base would show.
LARGER = {"hidden_size": 640, "intermediate_size": 1920, "num_hidden_layers": 28, "head_dim": None}
ATTENTION, FULL = ("attention", "last:4"), ("full", None)
Plans = tuple[tuple[str, str | None], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    nano = open_model("nano")
    assert nano.weights_folder is not None
    measure(
        "nano, float32",
        load_model(nano.weights_folder, nano, torch.float32),
        nano,
        rounds,
        (ATTENTION, FULL),
    )
    large = open_model("qwen2.5-1.5b-instruct")
    model = build_on_meta(large.configuration, torch.bfloat16).to_empty(device="cpu")
    model.tie_weights()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    measure("the 1.5B's shape, bfloat16", model, large, rounds, (ATTENTION,))
    del model
    worker()


def measure(name: str, model: nn.Module, anatomy: Anatomy, rounds: int, plans: Plans) -> None:
    """Print the time of an exchange, and the memory before and after two deltas are ready."""
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    print(f"{name}: weights {short_bytes(weights)}")
    for plan, layers in plans:
        names = resolve(preset(plan, layers), anatomy).names
        exchange = Exchange(model)
        before = resident()
        values = [exchange.values(made_up(model, names)) for _ in range(2)]
        held = resident() - before
        times: dict[str, list[float]] = {"base to run": [], "run to run": [], "run to base": []}
        for _ in range(rounds):
            for kind, next_ in zip(times, (values[0], values[1], BASE), strict=True):
                begun = time.perf_counter()
                exchange.put(next_)
                times[kind].append(time.perf_counter() - begun)
        count = sum(value.numel() for value in values[0].values())
        shown = ", ".join(
            f"{kind} {1000 * median(taken):.2f} (best {1000 * min(taken):.2f}) ms"
            for kind, taken in times.items()
        )
        print(f"  {plan}, {short_count(count)} values: {shown}; two runs hold {short_bytes(held)}")
        exchange.keep_only([])


def worker() -> None:
    """Print the memory of a worker before and after two runs were put on its base."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QWEN_UI_HOME"] = str(Path(folder) / "home")
        base = Path(folder) / "base"
        config = AutoConfig.from_pretrained(ASSETS / "nano", **LARGER)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(base)
        load_tokenizer(ASSETS / "nano").save_pretrained(base)
        anatomy = open_model(str(base))
        plan = preset("attention", "last:4")
        model = load_model(base, anatomy, torch.float32)
        tensors = made_up(model, resolve(plan, anatomy).names).tensors
        runs = []
        for _ in range(2):
            spec = make_spec(model=str(base), data="x", plan=plan.to_dict()).to_dict()
            run = create_run(spec, plan.to_dict())
            write_delta(
                run / "delta.safetensors", tensors, base=folder_fingerprint(base),
                plan=plan.to_dict(), spec=spec, step=1,
            )  # fmt: skip
            runs.append(run.name)
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        del model
        playground = Playground()
        print(f"a worker, float32: weights {short_bytes(weights)}")
        for sides in ([""], runs):
            asked = [AskedSide(run, 1.0, ({"role": "user", "content": "It was"},)) for run in sides]
            number = playground.ask(str(base), asked, {"chat": False, "tokens": 8})
            while playground.answer(number).state in ("loading", "writing"):
                time.sleep(0.05)
            launched = living()
            assert launched is not None
            assert playground.answer(number).state == "done", playground.answer(number).said
            memory = psutil.Process(launched.pid).memory_full_info()
            what = f"with {len(sides)} runs" if sides[0] else "the base alone"
            print(f"  {what}: {short_bytes(memory.uss)} of its own")
        playground.end()


def made_up(model: nn.Module, names: frozenset[str]) -> Delta:
    """A delta of these tensors, in float32 as runs leave them."""
    held = dict(model.named_parameters())
    return Delta({name: held[name].detach().float() for name in names}, "", {}, {})


def resident() -> int:
    """Bytes of this process in memory."""
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
