"""Inputs beside the reported ones, by a former version of the program and by this one.

    python -m benchmarks.neighbours FORMER    # the root of a former version's checkout

Prints a Markdown table: what each neighbour of a reported failure gave, and what it gives. Every
model and file is made here; a command is the command line's own, in a process of its own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GPTNeoConfig, OPTConfig, T5Config

from tests.helpers.chat_templates import TEMPLATES
from tests.helpers.checkpoint_families import (
    Weights,
    change_weights,
    save_family,
    save_random,
)
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.tiny_models import write_sentences

HERE = Path(__file__).resolve().parent.parent
SAID = 150
SHORT = ["--steps", "3", "--sequence-length", "32", "--batch-size", "4", "--sample-tokens", "0"]
TURNS = [
    {"role": "user", "content": "Who is there?"},
    {"role": "assistant", "content": "A friend."},
    {"role": "user", "content": "Which one?"},
    {"role": "assistant", "content": "The one with the lamp."},
]
BF16 = ["--mixed-precision", "bf16"]
TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look.", "parameters": {}},
}
Build = Callable[[Path], list[str]]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A point of the issue, what is tried, and how: (folder) -> words of a command.

    With `merges`, the run's delta is applied and the merged model's loss is taken beside the run's.
    """

    point: int
    label: str
    build: Build
    merges: bool = False


def train(model: Path, folder: Path, *more: str, preset: str = "attention") -> list[str]:
    data = [] if "--data" in more else ["--data", str(write_sentences(folder / "sentences.jsonl"))]
    return ["train", str(model), "--preset", preset, "--layers", "last:2", *data, *SHORT, *more]


def weights(family: str, change: Callable[[Weights], Weights]) -> Build:
    return lambda f: train(change_weights(save_family(f / "model", family), change), f)


def family(name: str, *more: str, preset: str = "attention") -> Build:
    return lambda f: train(save_family(f / "model", name), f, *more, preset=preset)


def tiny(model_type: str, *more: str, preset: str = "attention") -> Build:
    def build(folder: Path) -> list[str]:
        model = save_random(folder / "model", tiny_configuration(model_type))
        return train(model, folder, *more, preset=preset)

    return build


def report(model_type: str) -> Build:
    return lambda f: ["report", str(save_random(f / "model", tiny_configuration(model_type)))]


def with_head(name: str) -> Build:
    """Tied, and the file holds the head as well."""

    def build(folder: Path) -> list[str]:
        model = save_family(folder / "model", name)
        embedding = {"gpt2": "transformer.wte.weight"}.get(name, "model.embed_tokens.weight")
        change_weights(model, lambda w: {**w, "lm_head.weight": w[embedding]})
        return train(model, folder, preset="embeddings")

    return build


def data(write: Callable[[Path], Path]) -> Build:
    def build(folder: Path) -> list[str]:
        model = save_family(folder / "model", "qwen2")
        return train(model, folder, "--data", str(write(folder)))

    return build


def chat(template: str, **more: object) -> Build:
    def build(folder: Path) -> list[str]:
        model = save_family(folder / "model", "qwen2")
        (model / "chat_template.jinja").write_text((TEMPLATES / f"{template}.jinja").read_text())
        return train(
            model,
            folder,
            "--data",
            str(lines(folder, {"messages": TURNS, **more})),
            "--sequence-length",
            "512",
        )

    return build


def lines(folder: Path, row: object, name: str = "rows.jsonl", head: str = "") -> Path:
    """Forty rows that differ by a number at their end."""
    text = "".join(json.dumps(row).replace("lamp", f"lamp {n}") + "\n" for n in range(40))
    (folder / name).write_text(head + text, encoding="utf-8")
    return folder / name


def packed_in(folder: Path) -> Path:
    with gzip.open(folder / "rows.json.gz", "wt", encoding="utf-8") as file:
        file.write(
            lines(folder, {"query": "Who?", "response": "The one with the lamp."}).read_text()
        )
    return folder / "rows.json.gz"


def table(folder: Path) -> Path:
    rows = [f"Who is {n}?;The one with the lamp {n}" for n in range(40)]
    file = folder / "rows.csv"
    file.write_text("﻿ Prompt ;Completion\n" + "\n".join(rows), encoding="utf-8")
    return file


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "rows.jsonl", "w") as file:
        file.writestr("rows.txt", "one\n" * 40)
    return folder / "rows.jsonl"


def without_safetensors(folder: Path) -> list[str]:
    model = save_family(folder / "model", "qwen2")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    return train(model, folder)


def web_page(folder: Path) -> list[str]:
    model = save_family(folder / "model", "qwen2")
    (model / "config.json").write_text("<!doctype html><title>Sign in</title>")
    return train(model, folder)


def cut_off(folder: Path) -> list[str]:
    file = save_family(folder / "model", "qwen2") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    return train(file.parent, folder)


def fewer_rows(folder: Path) -> list[str]:
    return train(save_family(folder / "model", "llama", vocab_size=100), folder)


def positions(configuration: object) -> Build:
    return lambda f: train(
        save_random(f / "model", configuration), f, "--sequence-length", "128", "--packing"
    )


def not_finite(tensors: Weights) -> Weights:
    tensors["model.layers.1.mlp.up_proj.weight"][3, 3] = float("inf")
    return tensors


_WIDE = {"vocab_size": 260, "hidden_size": 32, "bos_token_id": 0, "eos_token_id": 2}
OPT = OPTConfig(
    **_WIDE, num_hidden_layers=4, ffn_dim=64, num_attention_heads=4, max_position_embeddings=64,
    word_embed_proj_dim=32, pad_token_id=1,
)  # fmt: skip
GPT_NEO = GPTNeoConfig(
    **_WIDE, num_layers=4, num_heads=4, attention_types=[[["global", "local"], 2]],
    max_position_embeddings=64,
)  # fmt: skip
T5 = T5Config(
    vocab_size=260, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, pad_token_id=0
)  # fmt: skip

NEIGHBOURS = (
    Neighbour(1, "`module.` before every name", weights(
        "qwen2", lambda w: {f"module.{n}": t for n, t in w.items()})),
    Neighbour(1, "one matrix of block 2 is missing", weights(
        "llama", lambda w: {n: t for n, t in w.items() if "layers.2.mlp.up_proj" not in n})),
    Neighbour(1, "an infinite weight", weights("qwen2", not_finite)),
    Neighbour(
        2, "GPT-2, tied, its head in the file; embeddings train", with_head("gpt2"), merges=True),
    Neighbour(2, "Gemma 2, the same", with_head("gemma2"), merges=True),
    Neighbour(2, "Mixtral, stacked experts train", family("mixtral", preset="mlp"), merges=True),
    Neighbour(3, "several turns in Qwen3's template", chat("qwen3")),
    Neighbour(3, "several turns in DeepSeek-R1's template", chat("deepseek-r1")),
    Neighbour(3, "tools beside the messages", chat("qwen2.5", tools=[TOOL])),
    Neighbour(4, "`query` and `response`, `.json.gz` of lines", data(packed_in)),
    Neighbour(4, "`;` between columns, a byte order mark, spaces and capitals", data(table)),
    Neighbour(4, "`conversations` of `human` and `gpt`", data(lambda f: lines(f, {
        "conversations": [{"from": "human", "value": "Who?"},
                          {"from": "gpt", "value": "The one with the lamp."}]}))),
    Neighbour(5, "OPT, 64 positions, packed to 128", positions(OPT)),
    Neighbour(5, "GPT-Neo, 64 positions, packed to 128", positions(GPT_NEO)),
    Neighbour(5, "token ids beyond the embedding", fewer_rows),
    Neighbour(6, "Gemma 3 with its image tower", family("gemma3_images")),
    Neighbour(6, "Qwen2.5-VL, everything trains", family("qwen2_5_vl", preset="full")),
    Neighbour(6, "T5", lambda f: train(save_random(f / "model", T5), f)),
    Neighbour(7, "Falcon-H1, packed", tiny("falcon_h1", "--packing", preset="full")),
    Neighbour(7, "RecurrentGemma, packed", tiny("recurrent_gemma", "--packing", preset="full")),
    Neighbour(7, "Mamba 2, packed", tiny("mamba2", "--packing", preset="full")),
    Neighbour(8, "Bamba, the top 2 train", tiny("bamba", preset="mlp")),
    Neighbour(8, "Gemma 3n, the top 2 train", tiny("gemma3n_text", preset="mlp")),
    Neighbour(8, "Zamba 2, the top 2 train", tiny("zamba2", preset="full")),
    Neighbour(9, "LoRA on GPT-2's MLP", family("gpt2", "--lora-rank", "4", preset="mlp")),
    Neighbour(9, "LoRA on Mixtral's experts", family("mixtral", "--lora-rank", "4", preset="mlp")),
    Neighbour(9, "LoRA on norms", family("qwen2", "--lora-rank", "4", preset="norms")),
    Neighbour(10, "report of Qwen3-Next", report("qwen3_next")),
    Neighbour(10, "report of GPT-OSS", report("gpt_oss")),
    Neighbour(10, "report of Doge", report("doge")),
    Neighbour(11, "bf16 with LoRA", family("qwen2", *BF16, "--lora-rank", "4")),
    Neighbour(11, "bf16, packed", family("llama", *BF16, "--packing")),
    Neighbour(11, "bf16 on a mixture of experts", family("mixtral", *BF16)),
    Neighbour(12, "weights as `pytorch_model.bin` alone", without_safetensors),
    Neighbour(12, "a web page in place of `config.json`", web_page),
    Neighbour(12, "a file of weights that is cut off", cut_off),
    Neighbour(12, "a ZIP file called `.jsonl`", data(zipped)),
)  # fmt: skip


def asked(root: Path, home: Path, words: list[str]) -> tuple[int, str, str]:
    """(exit code, standard output, last line of standard error) of a command of this version."""
    settings = {"QWEN_UI_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "qwen_ui", *words, "--json"],
        cwd=root,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, done.stdout, said[-1] if said else ""


def answer(root: Path, neighbour: Neighbour, folder: Path) -> str:
    """What a version makes of a neighbour, in words for the table."""
    folder.mkdir()
    (folder / "home").mkdir()
    words = neighbour.build(folder)
    out = ["--output", str(folder / "out")] if neighbour.merges else []
    code, printed, error = asked(root, folder / "home", [*words, *out])
    if code:
        return f"exit {code}: {short(error)}"
    found = json.loads(printed)
    if words[0] == "report":
        failed = [c["name"] for c in found["checks"] if not c["passed"]]
        return f"{len(failed)} of {len(found['checks'])} checks fail" + "".join(
            f"; {short(name)}" for name in failed
        )
    told = f"{found['status']}, {found['eval_loss_before']:.4f} to {found['eval_loss_after']:.4f}"
    told += f", prefix {found['prefix_blocks']}"
    if neighbour.merges:
        told += merged(root, folder, words, found["eval_loss_after"])
    return told + "".join(f"; note: {short(note)}" for note in found.get("notes", []))


def merged(root: Path, folder: Path, words: list[str], loss: float) -> str:
    """How far the merged model's loss is from the run's."""
    base, whole = words[1], folder / "whole"
    delta = str(folder / "out" / "delta.safetensors")
    code, _, error = asked(
        root, folder / "home", ["apply", delta, "--base", base, "-o", str(whole)]
    )
    if code:
        return f"; apply exits {code}: {short(error)}"
    again = [words[0], str(whole), *words[2:]]
    code, printed, error = asked(root, folder / "home", again)
    if code:
        return f"; the merged model: {short(error)}"
    off = abs(json.loads(printed)["eval_loss_before"] / loss - 1)
    return f"; merged, the loss is off by {off:.1g}"


def short(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= SAID else f"{text[:SAID]} ..."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("former", type=Path)
    parser.add_argument("--points", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    points = {int(p) for p in options.points.split(",") if p}
    print("| point | neighbour | before | now |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(NEIGHBOURS):
            if points and one.point not in points:
                continue
            told = []
            for version, root in (("former", options.former.resolve()), ("now", HERE)):
                try:
                    told.append(answer(root, one, Path(folder) / f"{number}-{version}"))
                except subprocess.TimeoutExpired:
                    told.append("no answer in 240 s")
            cells = (text.replace(folder, "...") for text in told)
            print(f"| {one.point} | {one.label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
