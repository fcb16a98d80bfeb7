"""What a GPU says of the training engine: one JSON line a figure, each part by itself.

Builds Qwen2.5-1.5B-Instruct's shape with random bfloat16 weights (nothing is downloaded), trains it
through the command line as a person would, then takes the steps apart in one process: shortcuts
against the plain forward pass, seconds a step with the prefix cached, run and off, peak memory
against the price, `transformers.Trainer` with the same names frozen, lengths that are new, the head
in several ways, and where a step's time goes. A part that fails says so and the next one goes on;
parts are left out once `--seconds` are spent. `--dry` does all of it on a CPU at nano's shape.

    python -m benchmarks.device_check [--out FOLDER] [--seconds 340] [--dry] [--parts a,b,...]
"""

from __future__ import annotations

import argparse
import gc
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
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

from benchmarks.training import random_examples
from qwen_ui.data import Example, Examples, collate
from qwen_ui.engine import as_worker, chunked_loss, forward, fused_loss
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.prefix_resident import ResidentPrefix
from qwen_ui.engine.prefix_source import Cache
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.verify import proof_batch, prove
from qwen_ui.freeze import FreezePlan, StepSettings, apply, preset, resolve
from qwen_ui.freeze.cost import price
from qwen_ui.model import Anatomy, open_model

ROOT = Path(__file__).parents[1]
WORDS = 4096  # ids of random tokens, all in every vocabulary here
EPOCH = 4  # batches of an epoch of random tokens
PACKAGES = ("torch", "transformers", "accelerate", "peft", "liger_kernel", "triton")


@dataclass
class Check:
    """What is measured, and where the figures go."""

    out: Path
    work: Path
    dry: bool
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.dry else "cuda")

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        return ((2, 16), (2, 24)) if self.dry else ((4, 512), (8, 1024))

    @property
    def steps(self) -> int:
        return 4 if self.dry else 20

    @property
    def folder(self) -> Path:
        return self.work / "model"

    @cached_property
    def anatomy(self) -> Anatomy:
        return open_model(str(self.folder))

    @cached_property
    def model(self) -> Any:
        began = time.perf_counter()
        model = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=torch.bfloat16, device_map={"": self.device}
        ).train()
        model.config.use_cache = False
        self.say("load_to_device", self.now() - began, "s")
        return model

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.begun)

    def say(self, figure: str, value: Any = None, unit: str = "", **more: Any) -> None:
        at = round(time.monotonic() - self.begun, 1)
        line = json.dumps({"figure": figure, "value": value, "unit": unit, "at": at, **more})
        print(line, flush=True)
        with (self.out / "figures.jsonl").open("a") as file:
            file.write(line + "\n")

    def now(self) -> float:
        if not self.dry:
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, do: Callable[[], Any]) -> float:
        began = self.now()
        do()
        return self.now() - began

    def empty(self) -> None:
        gc.collect()
        if not self.dry:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        return 0 if self.dry else torch.cuda.max_memory_allocated()


def machine(check: Check) -> None:
    """Versions, the card, and what it does at best."""
    check.say("versions", None, python=sys.version.split()[0], **{n: _version(n) for n in PACKAGES})
    if check.dry:
        return
    check.say(
        "gpu",
        torch.cuda.get_device_name(0),
        capability=torch.cuda.get_device_capability(0),
        bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
    )
    free, total = torch.cuda.mem_get_info()
    check.say("context_bytes", total - free - torch.cuda.memory_reserved(), "bytes")
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    a @ a
    seconds = check.timed(lambda: [a @ a for _ in range(10)]) / 10
    check.say("matmul_8192", 2 * 8192**3 / seconds / 1e12, "TFLOP/s")
    pinned = torch.empty(256 * 1024**2, dtype=torch.uint8).pin_memory()
    seconds = check.timed(lambda: pinned.to("cuda", non_blocking=True))
    check.say("pinned_to_device", pinned.numel() / seconds / 1e9, "GB/s")
    x = torch.zeros(1, device="cuda")
    seconds = check.timed(lambda: [x.add_(1) for _ in range(2000)]) / 2000
    check.say("eager_launch", seconds * 1e6, "us an operation")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def build(check: Check) -> None:
    """Random weights of this shape in a folder, with nano's tokenizer: its ids are among theirs."""
    began = check.now()
    source = "nano" if check.dry else "qwen2.5-1.5b-instruct"
    torch.manual_seed(0)
    with check.device:
        model = AutoModelForCausalLM.from_config(
            open_model(source).configuration, dtype=torch.bfloat16
        )
    model.generation_config.eos_token_id = None  # samples are of full length
    model.save_pretrained(check.folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(ROOT / "assets/nano" / name, check.folder)
    del model
    check.empty()
    check.say("build_and_save", check.now() - began, "s")
    text = (ROOT / "assets/data/kjv-train.txt").read_text(encoding="utf-8")
    for batch, length in check.shapes:
        # About 6 batches: from the seventh step on everything has been seen.
        part = text[: int(6.6 * batch * length * 3.3)]
        (check.work / f"{batch}x{length}.txt").write_text(part, encoding="utf-8")


def command_attention(check: Check) -> None:
    """Attention of the last blocks, as a person trains it."""
    _through_command(check, "attention", check.shapes[1], max(60, check.steps), [])


def command_full(check: Check) -> None:
    """Everything, as a person trains it."""
    _through_command(check, "full", check.shapes[0], max(4, check.steps // 2), [])


def command_small(check: Check) -> None:
    """Everything, with all that saves memory."""
    ways = ["--gradient-checkpointing", "--optimizer-offload"]
    _through_command(check, "full", check.shapes[0], 4, ways)


def _through_command(
    check: Check, name: str, shape: tuple[int, int], steps: int, more: list[str]
) -> None:
    (batch, length), began = shape, time.time()
    command = [sys.executable, "-m", "qwen_ui", "train", str(check.folder)]
    command += ["--data", str(check.work / f"{batch}x{length}.txt"), "--steps", str(steps)]
    command += ["--batch-size", str(batch), "--sequence-length", str(length)]
    command += ["--sample-tokens", "8", "--preset", name, "--json", *more]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=max(30, check.left), check=False
    )
    shown = {"run": " ".join([name, *more]), "batch": batch, "length": length}
    check.say("command", time.time() - began, "s", **shown)
    if done.returncode:
        check.say("command_failed", done.returncode, **shown, said=done.stderr[-600:])
        return
    folder = Path(json.loads(done.stdout.strip().splitlines()[-1])["delta"]).parent
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    taken = [event for event in events if event["event"] == "step"]
    start = next(event for event in events if event["event"] == "start")
    later = [event["seconds"] for event in taken[8:]] or [taken[-1]["seconds"]]
    median = statistics.median(later)
    check.say("command_until_ready", start["time"] - began, "s", **shown)
    check.say("command_until_first_loss", taken[0]["time"] - began, "s", **shown)
    check.say("command_step", median, "s", **shown, tokens_per_second=batch * length / median)
    peak = taken[-1]["memory_bytes"]
    check.say("command_peak", peak, "bytes", **shown, loss=[taken[0]["loss"], taken[-1]["loss"]])
    if not check.dry and not more:
        check.say("command_price_over_peak", _priced(check, name, shape, True) / peak, **shown)
    for event in events:
        if event["event"] == "log":
            check.say("command_note", event["message"], **shown)
    shutil.rmtree(folder)


def _priced(check: Check, plan: str, shape: tuple[int, int], keep: bool) -> int:
    settings = as_worker(
        StepSettings(batch_size=shape[0], sequence_length=shape[1]),
        dtype="float32" if check.dry else "bfloat16",
        keep_prefix=keep,
        on_gpu=not check.dry,
    )
    return price(check.anatomy, resolve(preset(plan), check.anatomy), settings).peak_bytes


def _loop(check: Check, plan: FreezePlan, shape: tuple[int, int], *, keep: bool = True) -> Loop:
    """Our loop over random tokens, its shortcuts verified."""
    batch, length = shape
    selection = resolve(plan, check.anatomy)
    apply(selection, check.model)
    check.model.zero_grad(set_to_none=True)
    trainee = forward.Trainee(check.model, selection, cache_prefix=keep)
    examples = random_examples(min(WORDS, check.model.config.vocab_size), batch * EPOCH, length)

    def caches(width: int, dtype: torch.dtype) -> tuple[Cache, Cache, None]:
        if not check.dry:
            held = ResidentPrefix(examples, width, dtype, check.device)
            return held, held, None
        key = PrefixKey(f"check {time.time_ns()}", "", examples.fingerprint, 0, "", "", "")
        cache = PrefixCache(key, examples, width, dtype, 4 * 1024**3)
        return cache, cache, None

    loop = Loop(
        trainee,
        MasterAdamW(check.model, weight_decay=0.0, gradient_clip=1.0),
        examples,
        examples,
        rate=lambda step: 1e-6,
        batch_size=batch,
        open_caches=caches if keep else None,
        group=ProcessGroup(device=check.device),
    )
    for said in loop.verify():
        check.say("verify", said)
    loop.trainee.train()
    return loop


def _take(loop: Loop, numbers: range) -> None:
    """Take these steps, their numbers read one step late, as the trainer does."""
    before = None
    for number in numbers:
        taken = loop.take(number)
        if before is not None:
            before.read()
        before = taken
    if before is not None:
        before.read()


WAYS = (
    # name, plan, prefix cached, graphs, Liger's head
    ("attention", "attention", True, True, False),
    ("attention, no graphs", "attention", True, False, False),
    ("attention, no graphs, Liger's head", "attention", True, False, True),
    ("attention, prefix run at every step", "attention", False, True, False),
    ("bitfit", "bitfit", True, True, False),
)


def steps(check: Check) -> None:
    """Seconds a step: in the first epoch, and later."""
    for shape in check.shapes:
        for way in WAYS:
            _steps(check, shape, *way)
    _steps(check, check.shapes[0], "full", "full", True, True, False)
    _steps(check, check.shapes[0], "full, no graphs", "full", True, False, False)


def _steps(
    check: Check,
    shape: tuple[int, int],
    name: str,
    plan: str,
    keep: bool,
    graphs: bool,
    fused: bool,
) -> None:
    if fused and (check.dry or not fused_loss.has_fused_loss()):
        return
    check.empty()
    batch, length = shape
    shown = {"run": name, "batch": batch, "length": length}
    loop = _loop(check, preset(plan), shape, keep=keep)
    loop.trainee.fused = fused
    if not graphs:
        loop.without_graphs()
    first = check.timed(lambda: loop.step(1))
    epoch = check.timed(lambda: _take(loop, range(2, EPOCH + 1))) / (EPOCH - 1)
    _take(loop, range(EPOCH + 1, EPOCH + 7))
    notes, held = loop.take_notes(), check.peak()
    at, times = EPOCH + 7, []
    for _ in range(3):
        numbers = range(at, at + check.steps)
        times.append(check.timed(lambda numbers=numbers: _take(loop, numbers)) / check.steps)
        at += check.steps
    step = statistics.median(times)
    rate = batch * length / step
    check.say("step", step, "s", **shown, first=first, first_epoch=epoch, fastest=min(times))
    check.say("tokens_per_second", rate, "tokens/s", **shown, notes=notes)
    if not check.dry and not fused:
        check.say("peak", held, "bytes", **shown, reserved=torch.cuda.memory_reserved())
        check.say("price_over_peak", _priced(check, plan, shape, keep) / held, **shown)
    check.model.zero_grad(set_to_none=True)


def trainer(check: Check) -> None:
    """`transformers.Trainer` with the same names frozen; its AdamW keeps bfloat16 states."""
    for shape in check.shapes:
        for plan in ("attention", "bitfit", "full"):
            if plan == "full" and shape != check.shapes[0]:
                continue
            _trainer(check, plan, shape)


class _Clock(TrainerCallback):
    def __init__(self, check: Check) -> None:
        self.times: list[float] = []
        self._check = check

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(self._check.now())


def _trainer(check: Check, plan: str, shape: tuple[int, int]) -> None:
    batch, length = shape
    check.empty()
    apply(resolve(preset(plan), check.anatomy), check.model)
    check.model.zero_grad(set_to_none=True)
    words = min(WORDS, check.model.config.vocab_size)
    examples = random_examples(words, batch * EPOCH, length)
    rows = [{"input_ids": list(e.tokens), "labels": list(e.tokens)} for e in examples.items]
    clock = _Clock(check)
    arguments = TrainingArguments(
        str(check.work / "trainer"),
        max_steps=max(4, check.steps),
        per_device_train_batch_size=batch,
        learning_rate=1e-6,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=check.dry,
        dataloader_pin_memory=not check.dry,
    )
    Trainer(check.model, arguments, train_dataset=rows, callbacks=[clock]).train()
    seconds = [b - a for a, b in zip(clock.times[2:], clock.times[3:], strict=False)]
    median = statistics.median(seconds or [clock.times[-1] - clock.times[-2]])
    shown = {"run": plan, "batch": batch, "length": length}
    check.say("trainer_step", median, "s", **shown, tokens_per_second=batch * length / median)
    check.say("trainer_peak", check.peak(), "bytes", **shown)
    check.model.zero_grad(set_to_none=True)


def proof(check: Check) -> None:
    """Shortcuts against the plain forward pass, and losses with and without the cached prefix."""
    shape = check.shapes[0]
    for plan in ("attention", "bitfit"):
        loop = _loop(check, preset(plan), shape)
        first = loop._batches(1)[0]
        kept = loop.prefix_sources[0].fetch(first)
        assert kept is not None
        vocabulary = loop.trainee.model.config.vocab_size
        short, size = proof_batch(loop.training, first, vocabulary, 0)
        found = prove(loop.trainee, short.to(check.device), kept[: len(short.indexes), :size])
        check.say("proof", found.passed, run=plan, loss=found.loss, gradient=found.gradient)
    curves = []
    before = {name: tensor.clone() for name, tensor in check.model.state_dict().items()}
    for keep in (True, False):
        check.model.load_state_dict(before)
        loop = _loop(check, preset("bitfit"), shape, keep=keep)
        curves.append([loop.step(number).loss for number in range(1, 2 * EPOCH + 1)])
    worst = max(abs(a - b) / b for a, b in zip(*curves, strict=True))
    check.say("losses_cached_against_not", worst, "relative", steps=2 * EPOCH)


def head(check: Check) -> None:
    """The head and its loss alone."""
    layer = check.model.get_output_embeddings()
    layer.weight.requires_grad_(False)
    words, width = layer.weight.shape
    for rows in (62,) if check.dry else (2044, 8184):
        hidden = torch.randn(
            rows, width, device=check.device, dtype=layer.weight.dtype, requires_grad=True
        )
        targets = torch.randint(0, words, (rows,), device=check.device)

        def plain(hidden: torch.Tensor = hidden, targets: torch.Tensor = targets) -> torch.Tensor:
            return F.cross_entropy(layer(hidden).float(), targets, reduction="sum")

        ways: dict[str, Callable[[], torch.Tensor]] = {
            "plain": plain,
            "ours": lambda h=hidden, t=targets: chunked_loss.head_loss(h, layer, t),
        }
        if not check.dry and fused_loss.has_fused_loss():
            ways["liger"] = lambda h=hidden, t=targets: fused_loss.fused_head_loss(h, layer, t)
        for name, way in ways.items():
            hidden.grad = None
            check.empty()
            way().backward()
            base = 0 if check.dry else torch.cuda.memory_allocated()
            took = [check.timed(lambda way=way: way().backward()) for _ in range(5)]
            seconds = statistics.median(took)
            made = max(0, check.peak() - base)
            flops = 2 * 2 * rows * words * width
            check.say(
                "head", seconds, "s", way=name, rows=rows, tflops=flops / seconds / 1e12, made=made
            )


def ragged(check: Check) -> None:
    """Padded batches of ever new lengths."""
    shape = check.shapes[0]
    loop = _loop(check, preset("attention"), shape, keep=False)
    generator = torch.Generator().manual_seed(1)
    lengths = [shape[1] - number * (2 if check.dry else 13) for number in range(5)]
    for label, masked, multiple in (("mask", True, 1), ("no mask, rounded up", False, 64)):
        loop.trainee.maskless = not masked
        batches = []
        for length in lengths:
            rows = []
            for row in range(shape[0]):
                size = max(3, length - row * (1 if check.dry else 37))
                tokens = torch.randint(0, 4000, (size,), generator=generator).tolist()
                rows.append(Example(tuple(tokens), (False, *[True] * (size - 1)), "random"))
            examples = Examples(tuple(rows))
            indexes = tuple(range(shape[0]))
            made = collate(examples, indexes, 0, masked=masked, multiple=multiple)
            batches.append(made.to(check.device))
        for turn in ("first", "again"):
            seconds = [
                check.timed(lambda at=at: loop.trainee(at, None).backward()) for at in batches
            ]
            median = statistics.median(seconds)
            check.say("ragged", median, "s", way=label, turn=turn, worst=max(seconds))
    check.model.zero_grad(set_to_none=True)


def profiled(check: Check) -> None:
    """Where a step's time goes: kernels, how long the GPU is busy, where it is waited for."""
    activities = [ProfilerActivity.CPU]
    if not check.dry:
        activities.append(ProfilerActivity.CUDA)
    for name, graphs in (("graphs", True), ("no graphs", False)):
        loop = _loop(check, preset("attention"), check.shapes[-1])
        if not graphs:
            loop.without_graphs()
        _take(loop, range(1, EPOCH + 8))
        with profile(activities=activities) as found:
            wall = check.timed(lambda loop=loop: _take(loop, range(EPOCH + 8, EPOCH + 11))) / 3
        rows = found.key_averages()
        key = "self_cpu_time_total" if check.dry else "self_device_time_total"
        (check.out / f"profile_{name.replace(' ', '_')}.txt").write_text(
            rows.table(sort_by=key, row_limit=60)
        )
        kernels = [e for e in found.events() if str(e.device_type).endswith("CUDA")]
        busy = sum(e.time_range.elapsed_us() for e in kernels) / 3e6
        check.say(
            "profile",
            wall,
            "s",
            way=name,
            gpu_busy=busy,
            kernels=len(kernels) / 3,
            launches=sum(r.count for r in rows if "Launch" in r.key) / 3,
            synchronisations=sum(r.count for r in rows if "Synchronize" in r.key) / 3,
        )
        if not check.dry:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                loop.take(EPOCH + 11)
                torch.cuda.set_sync_debug_mode("default")
            places = sorted({f"{Path(w.filename).name}:{w.lineno}" for w in said})
            check.say("waits_in_a_step", len(said), way=name, places=places)


PARTS: tuple[Callable[[Check], None], ...] = (
    machine,
    build,
    command_attention,
    steps,
    trainer,
    proof,
    head,
    ragged,
    profiled,
    command_full,
    command_small,
)


def main() -> None:
    """Run the parts, the rest after one that fails too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=os.environ.get("OUT", "device_check_out"))
    parser.add_argument("--seconds", type=float, default=340.0)
    parser.add_argument("--dry", action="store_true", help="on a CPU, at nano's shape")
    parser.add_argument("--parts", default="")
    options = parser.parse_args()
    out = Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="device_check_"))
    os.environ.setdefault("QWEN_UI_HOME", str(work / "home"))
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    check = Check(out, work, options.dry, options.seconds)
    named = {part.__name__: part for part in PARTS}
    chosen = options.parts.split(",") if options.parts else list(named)
    failed = []
    for part in [named[name] for name in chosen]:
        if check.left < 20:
            check.say("left_out", part.__name__)
            continue
        began = time.monotonic()
        try:
            part(check)
        except Exception as error:
            # The figures of the other parts are worth having.
            traceback.print_exc()
            failed.append(part.__name__)
            check.say("failed", part.__name__, error=f"{type(error).__name__}: {str(error)[:300]}")
        check.say("part", part.__name__, seconds=round(time.monotonic() - began, 1))
    shutil.rmtree(work, ignore_errors=True)
    sys.exit(f"Failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
