"""What a GPU says of the training engine: one JSON line a figure, each part by itself.

Builds Qwen2.5-1.5B-Instruct's shape with random bfloat16 weights (nothing is downloaded), trains it through
the command line as a person would, then takes the steps apart in one process: shortcuts against the plain
forward, seconds a step (kept prefix, prefix run, nothing kept), tokens a second, peak memory against the price,
transformers.Trainer with the same names frozen, and where a step's time goes. A part that fails says so and the
next one goes on; parts are left out once `--seconds` are spent. `--dry` does all of it on a CPU at nano's shape.

    python device_check.py [--repo FOLDER] [--out FOLDER] [--seconds 340] [--dry] [--parts a,b,...]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

BEGUN = time.monotonic()
parser = argparse.ArgumentParser()
parser.add_argument("--repo", default=".")
parser.add_argument("--out", default=os.environ.get("OUT", "device_check_out"))
parser.add_argument("--seconds", type=float, default=340.0)
parser.add_argument("--dry", action="store_true", help="CPU, nano's shape: does the script itself work?")
parser.add_argument("--parts", default="")
options = parser.parse_args()
REPO, OUT = Path(options.repo).resolve(), Path(options.out).resolve()
OUT.mkdir(parents=True, exist_ok=True)
WORK = Path(tempfile.mkdtemp(prefix="device_check_"))
os.environ.setdefault("QWEN_UI_HOME", str(WORK / "home"))
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", GRADIO_ANALYTICS_ENABLED="False")
sys.path.insert(0, str(REPO))
os.chdir(REPO)
SHAPES = ((2, 16), (2, 24)) if options.dry else ((4, 512), (8, 1024))
STEPS = 4 if options.dry else 20
SOURCE = "nano" if options.dry else "qwen2.5-1.5b-instruct"
MODEL = WORK / "model"


def say(figure: str, value=None, unit: str = "", **more) -> None:
    line = json.dumps({"figure": figure, "value": value, "unit": unit, "at": round(time.monotonic() - BEGUN, 1), **more})
    print(line, flush=True)
    with (OUT / "figures.jsonl").open("a") as file:
        file.write(line + "\n")


def part(function):
    PARTS.append(function)
    return function


PARTS: list = []
ORDER = ["machine", "build", "cli_attention", "proof", "speed", "ragged", "trainer", "head", "profile", "cli_full", "more_runs"]


# --- the machine -------------------------------------------------------------------------------------------


@part
def machine() -> None:
    import torch

    say("versions", None, "", python=sys.version.split()[0], torch=torch.__version__,
        **{n: version(n) for n in ("transformers", "accelerate", "peft", "pydantic", "typer", "liger_kernel", "triton")})
    if not options.dry:
        subprocess.run(["nvidia-smi", "--query-gpu=name,memory.total,memory.used,driver_version,clocks.max.sm",
                        "--format=csv"], check=False)
        say("gpu", torch.cuda.get_device_name(0), "", capability=torch.cuda.get_device_capability(0),
            bf16=torch.cuda.is_bf16_supported(including_emulation=False))
        free, total = torch.cuda.mem_get_info()
        say("context_bytes", total - free - torch.cuda.memory_reserved(), "bytes",
            note="what CUDA holds before anything is allocated; the price adds 6e8 for it")
        a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
        for _ in range(3):
            a @ a
        ms = timed(lambda: [a @ a for _ in range(10)]) * 100
        say("matmul_8192", 2 * 8192**3 / ms / 1e9, "TFLOP/s")
        host = torch.empty(256 * 1024**2, dtype=torch.uint8)
        seconds = timed(lambda: host.to("cuda"))
        pinned = host.pin_memory()
        say("h2d_pageable", host.numel() / seconds / 1e9, "GB/s")
        say("h2d_pinned", host.numel() / timed(lambda: pinned.to("cuda", non_blocking=True)) / 1e9, "GB/s")
        x = torch.zeros(1, device="cuda")
        n = 2000
        say("eager_launch", timed(lambda: [x.add_(1) for _ in range(n)]) / n * 1e6, "us an op", note="floor of eager")


def version(name: str):
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def sync() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(do) -> float:
    sync()
    begun = time.perf_counter()
    do()
    sync()
    return time.perf_counter() - begun


# --- the model, and data -----------------------------------------------------------------------------------


@part
def build() -> None:
    """Random weights of this shape in a folder, with nano's tokenizer: its ids are among the 1.5B's."""
    import torch
    from transformers import AutoModelForCausalLM

    from qwen_ui.model import open_model

    begun = time.perf_counter()
    configuration = open_model(SOURCE).configuration
    torch.manual_seed(0)
    with torch.device(DEVICE()):
        model = AutoModelForCausalLM.from_config(configuration, dtype=torch.bfloat16)
    model.generation_config.eos_token_id = None  # samples are of full length
    model.save_pretrained(MODEL)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(REPO / "assets/nano" / name, MODEL)
    del model
    empty()
    say("build_and_save", time.perf_counter() - begun, "s", bytes=sum(f.stat().st_size for f in MODEL.glob("*.safetensors")))
    text = (REPO / "assets/data/kjv-train.txt").read_text()
    for batch, length in SHAPES:
        # About 6 batches of training sequences: from the seventh step on everything is kept.
        (WORK / f"{batch}x{length}.txt").write_text(text[: int(6.6 * batch * length * 3.3)])


def DEVICE() -> str:
    return "cpu" if options.dry else "cuda"


def empty() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


# --- as a person runs it -----------------------------------------------------------------------------------


def through_cli(label: str, batch: int, length: int, steps: int, *extra: str) -> None:
    begun = time.time()
    command = [sys.executable, "-m", "qwen_ui", "train", str(MODEL), "--data", str(WORK / f"{batch}x{length}.txt"),
               "--steps", str(steps), "--batch-size", str(batch), "--sequence-length", str(length),
               "--sample-tokens", "8", "--json", *extra]
    done = subprocess.run(command, capture_output=True, text=True, timeout=max(30, left()), check=False)
    wall = time.time() - begun
    shape = {"run": label, "batch": batch, "length": length}
    if done.returncode:
        say("cli_failed", done.returncode, "rc", **shape, said=(done.stderr or done.stdout)[-600:])
        logs = sorted((Path(os.environ["QWEN_UI_HOME"]) / "runs").glob("*/worker.log"), key=lambda f: f.stat().st_mtime)
        if logs:
            print(logs[-1].read_text()[-1500:], flush=True)
        return
    record = json.loads(done.stdout.strip().splitlines()[-1])
    folder = Path(record["delta"]).parent
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    taken = [e for e in events if e["event"] == "step"]
    start = next(e for e in events if e["event"] == "start")
    later = [e["seconds"] for e in taken[8:]] or [e["seconds"] for e in taken[1:]]
    wall_steps = [b["time"] - a["time"] for a, b in zip(taken[8:], taken[9:])]
    median = statistics.median(later)
    say("cli_wall", wall, "s", **shape)
    say("cli_until_ready", start["time"] - begun, "s", **shape, note="imports twice, tokens, hash, load, proof")
    say("cli_until_first_loss", taken[0]["time"] - begun, "s", **shape)
    say("cli_step", median, "s", **shape, first=taken[0]["seconds"], dtype=start["dtype"], prefix=start["prefix_blocks"],
        between_steps=statistics.median(wall_steps) if wall_steps else None)
    say("cli_tokens_per_second", batch * length / median, "tokens/s", **shape)
    say("cli_peak", taken[-1]["memory_bytes"], "bytes", **shape, losses=[taken[0]["loss"], taken[-1]["loss"]])
    for event in events:
        if event["event"] == "log":
            say("cli_note", event["message"], "", **shape)
    for price_line in priced(label, batch, length, keep="--prefix-cache" not in extra):
        say("cli_price", price_line, "bytes", **shape, over_measured=price_line / max(1, taken[-1]["memory_bytes"]))
    if options.dry:
        return
    shutil.rmtree(folder, ignore_errors=True)  # the disk has 64 GiB


def plan_of(label: str):
    from qwen_ui.freeze import preset

    return preset(label.split()[0])


def priced(label: str, batch: int, length: int, keep: bool) -> list[int]:
    from qwen_ui.freeze import StepSettings, resolve
    from qwen_ui.freeze.cost.estimate import price
    from qwen_ui.model import open_model
    from qwen_ui.engine import as_worker

    anatomy = open_model(str(MODEL))
    settings = as_worker(StepSettings(batch_size=batch, sequence_length=length),
                         dtype="float32" if options.dry else None, keep_prefix=keep)
    return [price(anatomy, resolve(plan_of(label), anatomy), settings).peak_bytes]


@part
def cli_attention() -> None:
    through_cli("attention", *SHAPES[1], STEPS, "--preset", "attention")


@part
def cli_full() -> None:
    through_cli("full", *SHAPES[0], max(4, STEPS // 2), "--preset", "full")


# --- the steps, in one process -----------------------------------------------------------------------------

STATE: dict = {}


def model_at_hand():
    import torch
    from transformers import AutoModelForCausalLM

    if "model" not in STATE:
        begun = time.perf_counter()
        STATE["model"] = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.bfloat16, device_map={"": DEVICE()}).train()
        STATE["model"].config.use_cache = False
        sync()
        say("load_to_device", time.perf_counter() - begun, "s", note="device_map: not by way of main memory")
    return STATE["model"]


def make_loop(label: str, batch: int, length: int, *, keep: bool, count: int = 4):
    import torch

    from benchmarks.training import random_examples
    from qwen_ui.freeze import apply, resolve
    from qwen_ui.model import open_model
    from qwen_ui.engine.forward import Trainee
    from qwen_ui.engine.loop import Loop
    from qwen_ui.engine.process_group import ProcessGroup
    from qwen_ui.engine.optimizer import MasterAdamW
    from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey

    model = model_at_hand()
    selection = resolve(plan_of(label), open_model(str(MODEL)))
    apply(selection, model)
    model.zero_grad(set_to_none=True)
    trainee = Trainee(model, selection, cache_prefix=keep)
    examples = random_examples(min(4096, model.config.vocab_size), batch * count, length)
    key = PrefixKey(f"check {time.time_ns()}", "", examples.fingerprint, trainee.prefix_blocks, "", "", "")

    def caches(width, dtype):
        cache = PrefixCache(key, examples, width, dtype, 4 * 1024**3)
        return cache, cache

    loop = Loop(trainee, MasterAdamW(model, weight_decay=0.0, gradient_clip=1.0), examples, examples,
                rate=lambda step: 1e-5, batch_size=batch, open_caches=caches if keep else None, group=ProcessGroup(device=torch.device(DEVICE())))
    return loop, count


@part
def proof() -> None:
    """Shortcuts against the plain forward, and the losses of some steps with and without them."""
    import torch

    from qwen_ui.engine.verify import proof_batch, prove

    batch, length = SHAPES[0]
    for label in ("attention", "bitfit"):
        loop, _ = make_loop(label, batch, length, keep=True)
        say("settle", loop.verify(), "", run=label)
        first = loop._batches(1)[0]
        kept = loop.prefix_sources[0].fetch(first)
        short, size = proof_batch(loop._training, first, loop.trainee.model.config.vocab_size, 0)
        short = short.to(loop.group.device)
        found = prove(loop.trainee, short, kept[: len(short.indexes), :size] if kept is not None else None)
        say("proof_loss", found.loss, "relative", run=label, passed=found.passed)
        say("proof_gradient", found.gradient, "relative", run=label)
        if label == "attention":
            again = loop.prefix_sources[0].fetch(first)
            say("kept_equals_run", bool(torch.equal(again, loop.trainee.run_prefix(first.inputs))), "",
                note="the kept tensor against the blocks run once more, bit by bit")
    saved = {n: p.detach().clone() for n, p in model_at_hand().named_parameters() if p.requires_grad}
    curves = {}
    for keep in (True, False):
        with torch.no_grad():
            for name, parameter in model_at_hand().named_parameters():
                if name in saved:
                    parameter.copy_(saved[name])
        loop, count = make_loop("bitfit", batch, length, keep=keep)
        loop.verify()
        loop.trainee.train()
        curves[keep] = [loop.step(i).loss for i in range(1, 2 * count + 1)]
    worst = max(abs(a - b) / b for a, b in zip(curves[True], curves[False]))
    say("losses_kept_against_not", worst, "relative", steps=len(curves[True]), note="two epochs, bitfit")


def steps_of(loop, first: int, count: int) -> list[float]:
    return [timed(lambda i=i: loop.step(i)) for i in range(first, first + count)]


@part
def speed() -> None:
    import torch

    for batch, length in SHAPES:
        for label, keep in (("attention", True), ("attention off", False), ("bitfit", True)):
            empty()
            loop, count = make_loop(label, batch, length, keep=keep)
            loop.verify()
            loop.trainee.train()
            shape = {"run": label, "batch": batch, "length": length}
            first = steps_of(loop, 1, count)
            say("epoch1_step", statistics.median(first[1:]), "s", **shape, note="prefix run and, where kept, written")
            if DEVICE() == "cuda":
                torch.cuda.reset_peak_memory_stats()
            later = steps_of(loop, count + 1, STEPS)
            median = statistics.median(later)
            say("step", median, "s", **shape, fastest=min(later))
            say("tokens_per_second", batch * length / median, "tokens/s", **shape)
            if DEVICE() == "cuda":
                measured = torch.cuda.max_memory_allocated()
                say("peak", measured, "bytes", **shape, reserved=torch.cuda.max_memory_reserved())
                # No copies of the beginning are held here: the price has them.
                say("price_over_peak", priced(label, batch, length, keep)[0] / measured, "ratio", **shape)
            if label == "attention":
                fetch = loop.prefix_sources[0]
                at = loop._batches(count + 1)[0]
                say("fetch_kept", timed(lambda: fetch.fetch(at)), "s", **shape, bytes=at.tokens_BT.numel() * 2 * loop.trainee.model.config.hidden_size)
                say("collate", timed(lambda: loop._collate(at.indexes)), "s", **shape)
            del loop


@part
def trainer() -> None:
    """transformers.Trainer, the same names frozen, the same model in memory; its AdamW keeps bfloat16 states."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from benchmarks.training import random_examples
    from qwen_ui.freeze import apply, resolve
    from qwen_ui.model import open_model

    model = model_at_hand()

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *_, **__) -> None:
            sync()
            self.times.append(time.perf_counter())

    for batch, length in SHAPES:
        for label in ("attention", "bitfit"):
            empty()
            apply(resolve(plan_of(label), open_model(str(MODEL))), model)
            model.zero_grad(set_to_none=True)
            examples = random_examples(min(4096, model.config.vocab_size), batch * 4, length)
            rows = [{"input_ids": list(e.tokens), "labels": list(e.tokens)} for e in examples.items]
            clock = Clock()
            arguments = TrainingArguments(str(WORK / "trainer"), max_steps=max(4, STEPS // 2), per_device_train_batch_size=batch,
                                          learning_rate=1e-5, max_grad_norm=1.0, optim="adamw_torch_fused", report_to="none",
                                          save_strategy="no", logging_strategy="no", disable_tqdm=True,
                                          use_cpu=options.dry, dataloader_pin_memory=not options.dry, bf16=False)
            try:
                Trainer(model, arguments, train_dataset=rows, callbacks=[clock]).train()
            except Exception as error:  # what does not fit there is a figure too
                say("trainer_failed", type(error).__name__, "", run=label, batch=batch, length=length, said=str(error)[:200])
                continue
            seconds = [b - a for a, b in zip(clock.times[1:], clock.times[2:])]
            shape = {"run": label, "batch": batch, "length": length}
            say("trainer_step", statistics.median(seconds), "s", **shape, fastest=min(seconds))
            if DEVICE() == "cuda":
                import torch

                say("trainer_peak", torch.cuda.max_memory_allocated(), "bytes", **shape)


@part
def head() -> None:
    """The head and its loss alone: ours, plain, Liger as it comes and with larger chunks."""
    import torch
    from torch.nn import functional as F

    from qwen_ui.engine import chunked_loss as ours

    model = model_at_hand()
    layer = model.get_output_embeddings()
    layer.weight.requires_grad_(False)
    for rows in (62,) if options.dry else (2044, 8184):
        hidden = torch.randn(rows, model.config.hidden_size, device=DEVICE(), dtype=torch.bfloat16, requires_grad=True)
        targets = torch.randint(0, model.config.vocab_size, (rows,), device=DEVICE())

        def plain():
            F.cross_entropy(layer(hidden).float(), targets, reduction="sum").backward()

        def chunked():
            ours._HeadLoss.apply(hidden, layer.weight, None, targets).backward()

        ways = {"plain": plain, "ours": chunked}
        if DEVICE() == "cuda" and version("liger_kernel"):
            from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy as liger

            ways["liger"] = lambda: liger(hidden, layer.weight, targets, reduction="sum").backward()
            ways["liger C=16"] = lambda: liger(hidden, layer.weight, targets, reduction="sum", chunk_mem_const=16).backward()
        if DEVICE() == "cuda":
            for chunk, wide in ((2048, 2**29), (8192, 2**31)):
                def wider(chunk=chunk, wide=wide):
                    before = ours.CHUNK_ROWS, ours.CONVERTED
                    ours.CHUNK_ROWS, ours.CONVERTED = chunk, wide
                    try:
                        chunked()
                    finally:
                        ours.CHUNK_ROWS, ours.CONVERTED = before
                ways[f"ours, {chunk} rows, widened whole"] = wider
        for name, way in ways.items():
            try:
                empty()
                way(), way()
                if DEVICE() == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                base = torch.cuda.memory_allocated() if DEVICE() == "cuda" else 0
                seconds = statistics.median(timed(way) for _ in range(5))
                more = {"made_bytes": torch.cuda.max_memory_allocated() - base} if DEVICE() == "cuda" else {}
                say("head", seconds, "s", way=name, rows=rows, tflops=4 * rows * layer.weight.numel() / seconds / 1e12, **more)
            except Exception as error:
                say("head", None, "s", way=name, rows=rows, error=f"{type(error).__name__}: {str(error)[:200]}")
            hidden.grad = None


@part
def profile() -> None:
    """Where a step's time goes: kernels, how long the GPU is busy, syncs, copies."""
    import torch
    from torch.profiler import ProfilerActivity, profile as profiler

    batch, length = SHAPES[-1]
    loop, count = make_loop("attention", batch, length, keep=True)
    loop.verify()
    loop.trainee.train()
    for i in range(1, count + 3):
        loop.step(i)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if DEVICE() == "cuda" else [])
    with profiler(activities=activities) as found:
        wall = timed(lambda: [loop.step(i) for i in range(count + 3, count + 6)]) / 3
    rows = found.key_averages()
    key = "self_device_time_total" if DEVICE() == "cuda" else "self_cpu_time_total"
    (OUT / "profile.txt").write_text(rows.table(sort_by=key, row_limit=60))
    kernels = [e for e in found.events() if str(e.device_type).endswith("CUDA")]
    busy = sum(e.time_range.elapsed_us() for e in kernels) / 3e6
    syncs = sum(r.count for r in rows if "Synchronize" in r.key) / 3
    launches = sum(r.count for r in rows if "LaunchKernel" in r.key) / 3
    say("profile_step", wall, "s", gpu_busy=busy, kernels=len(kernels) / 3, launches=launches, syncs=syncs,
        note="attention, kept, the larger shape; under the profiler, so slower than `step`")
    if DEVICE() == "cuda":
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            loop.step(count + 6)
            torch.cuda.set_sync_debug_mode("default")
        places = [f"{w.filename}:{w.lineno}" for w in said]
        (OUT / "syncs.txt").write_text("\n".join(places))
        say("syncs_a_step", len(places), "", places=sorted({p.split("site-packages/")[-1] for p in places})[:20])


@part
def ragged() -> None:
    """Padded batches of ever new lengths: cuDNN attention builds a plan for each shape (Hopper and later)."""
    import torch

    from qwen_ui.data import Example, Examples, collate

    batch, length = SHAPES[0]
    loop, _ = make_loop("attention", batch, length, keep=False)
    generator = torch.Generator().manual_seed(1)
    longest = [length - step * (2 if options.dry else 13) for step in range(5)]
    batches = []
    for top in longest:
        rows = []
        for row in range(batch):
            size = max(3, top - row * (1 if options.dry else 37))
            tokens = torch.randint(0, 4000, (size,), generator=generator).tolist()
            rows.append(Example(tuple(tokens), (False,) + (True,) * (size - 1), "random"))
        batches.append(collate(Examples(tuple(rows)), tuple(range(batch)), 0).to(loop.group.device))

    def step(at) -> None:
        loop.trainee(at, None).backward()
        loop.optimizer.zero_grad()

    def both(label: str, ways) -> None:
        for turn in ("first", "again"):
            seconds = [timed(lambda at=at: step(at)) for at in ways]
            say("ragged_step", statistics.median(seconds), "s", way=label, turn=turn, worst=max(seconds), lengths=longest)

    step(batches[0])
    both("as it is", batches)
    # Right padding comes after every token that carries loss: causal attention needs no mask for it.
    from dataclasses import replace

    bare = [replace(at, mask_BT=None) for at in batches]
    with torch.no_grad():
        off = [abs(float(loop.trainee(a, None)) / float(loop.trainee(b, None)) - 1) for a, b in zip(bare, batches)]
    say("ragged_without_mask", max(off), "relative", note="loss of a right-padded batch with no mask against with one")
    both("no mask", bare)
    if DEVICE() == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)
        shorter = [replace(at, mask_BT=at.mask_BT) for at in batches]
        both("cuDNN attention off", shorter)
        torch.backends.cuda.enable_cudnn_sdp(True)


@part
def more_runs() -> None:
    """What has never run on a GPU: each of these once, a few steps."""
    batch, length = SHAPES[0]
    through_cli("attention mixed", batch, length, 4, "--preset", "attention", "--dtype", "float32", "--mixed-precision", "bf16")
    if left() > 60:
        through_cli("attention lora", batch, length, 4, "--preset", "attention", "--lora-rank", "8")


def left() -> float:
    return options.seconds - (time.monotonic() - BEGUN)


def main() -> None:
    # What is most likely to break, and what is asked most, first.
    order = options.parts.split(",") if options.parts else ORDER
    named = {do.__name__: do for do in PARTS}
    if options.dry:
        import torch

        torch.set_num_threads(1)
    for do in [named[name] for name in order]:
        if left() < 20:
            say("left_out", do.__name__, "", note="no time")
            continue
        begun = time.monotonic()
        try:
            do()
        except Exception as error:
            traceback.print_exc()
            say("failed", do.__name__, "", error=f"{type(error).__name__}: {str(error)[:300]}")
        say("part", do.__name__, "", seconds=round(time.monotonic() - begun, 1))
    shutil.rmtree(WORK, ignore_errors=True)


main()
