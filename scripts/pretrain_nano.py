"""Pretrain the nano twin: a 28-block Qwen2 small enough for a CPU.

    python -m scripts.pretrain_nano --data austen.txt --output assets/nano

Its parameter names are those of Qwen2.5-1.5B-Instruct (28 blocks, q/k/v biases, grouped-query
attention, SwiGLU, RMSNorm, tied embeddings), so that a plan made for one is a plan for the other.

The text is cut in passages of 100 lines and every twentieth passage is held out; the tokenizer sees
the training passages only. Matrices inside the blocks are trained by Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/, torch.optim.Muon), all else by AdamW. The learning rate
is constant after a warm-up and falls linearly to zero over the last steps ("warm-up, stable,
decay", arXiv 2405.18392). The averaged weights (EMA) are what is evaluated and saved, in bfloat16,
every 500 steps. A run that ended early goes on from what it saved with `--first-step`; the
optimizers then start anew, with a warm-up.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from qwen_ui.paths import ASSETS

SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ASSETS / "nano" / "chat_template.jinja"
PASSAGE = 100  # lines


def split_passages(text: str, lines_per_passage: int = PASSAGE, every: int = 20) -> tuple[str, str]:
    """Training text and held-out text: every twentieth passage of 100 lines is held out."""
    lines = text.splitlines(keepends=True)
    train: list[str] = []
    held_out: list[str] = []
    for start in range(0, len(lines), lines_per_passage):
        is_held_out = (start // lines_per_passage) % every == every // 2
        (held_out if is_held_out else train).extend(lines[start : start + lines_per_passage])
    return "".join(train), "".join(held_out)


def train_tokenizer(text: str, vocabulary_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with Qwen's special tokens and chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        text.splitlines(keepends=True),
        trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=SPECIAL_TOKENS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
        model_max_length=1024,
    )


def nano_config(vocabulary_size: int) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=vocabulary_size,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=28,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        max_window_layers=28,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
        dtype="bfloat16",
    )


def first_model(vocabulary_size: int, saved: Path | None) -> Qwen2ForCausalLM:
    """The model to train, in float32: as it was saved, or new."""
    if saved is not None:
        return Qwen2ForCausalLM.from_pretrained(saved, dtype=torch.float32)
    model = Qwen2ForCausalLM(nano_config(vocabulary_size)).float()
    # Residual outputs start small, so that depth does not blow up the stream (GPT-2, section 2.3).
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.mul_(1 / math.sqrt(2 * model.config.num_hidden_layers))
    return model


def make_optimizers(
    model: torch.nn.Module, matrix_rate: float, other_rate: float
) -> list[torch.optim.Optimizer]:
    matrices: list[torch.nn.Parameter] = []
    embeddings: list[torch.nn.Parameter] = []
    vectors: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        group = embeddings if "embed" in name else matrices if parameter.ndim == 2 else vectors
        group.append(parameter)
    counted = sum(p.numel() for p in [*matrices, *embeddings, *vectors])
    assert counted == sum(p.numel() for p in model.parameters())
    return [
        torch.optim.Muon(
            matrices,
            lr=matrix_rate,
            weight_decay=0.1,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            [
                {"params": embeddings, "weight_decay": 0.01},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=other_rate,
            betas=(0.9, 0.95),
            fused=True,
        ),
    ]


def schedule(step: int, steps: int, first: int, decay: int, warmup: int = 50) -> float:
    """Share of the peak rate: warm-up, then constant, then linear decay over the last `decay`."""
    return min(1.0, (step - first + 1) / warmup, (steps - step) / decay)


@torch.no_grad()
def held_out_nats(model: torch.nn.Module, tokens: torch.Tensor, length: int) -> float:
    """Mean nats a token over consecutive windows of `length`; each token is predicted once."""
    total, count = 0.0, 0
    usable = (len(tokens) - 1) // length * length
    inputs = tokens[:usable].view(-1, length)
    targets = tokens[1 : usable + 1].view(-1, length)
    for x, y in zip(inputs.split(8), targets.split(8), strict=True):
        logits = model(input_ids=x, use_cache=False).logits.float()
        total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
        count += y.numel()
    return total / count


def save(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> Qwen2ForCausalLM:
    """Write a bfloat16 copy of the model beside its tokenizer; returns the copy."""
    copied = copy.deepcopy(model).bfloat16()
    copied.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3300)
    parser.add_argument("--decay-steps", type=int, default=800)
    parser.add_argument(
        "--first-step", type=int, default=0, help="go on from --output at this step"
    )
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--matrix-rate", type=float, default=0.007)
    parser.add_argument("--other-rate", type=float, default=3e-3)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)

    train_text, held_out_text = split_passages(arguments.data.read_text())
    tokenizer = train_tokenizer(train_text, arguments.vocabulary)
    train = torch.tensor(tokenizer(train_text)["input_ids"])
    held_out = torch.tensor(tokenizer(held_out_text)["input_ids"])
    bytes_per_token = len(held_out_text.encode()) / len(held_out)

    model = first_model(len(tokenizer), arguments.output if arguments.first_step else None)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    )
    averages = averaged.module
    assert isinstance(averages, Qwen2ForCausalLM)
    forward = torch.compile(model) if arguments.compile else model
    optimizers = make_optimizers(model, arguments.matrix_rate, arguments.other_rate)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]

    log = (arguments.output / "pretraining.jsonl").open(
        "a" if arguments.first_step else "w", buffering=1
    )

    def write(**event: object) -> None:
        print(json.dumps(event), file=log)
        print(json.dumps(event), flush=True)

    write(
        event="start",
        parameters=sum(p.numel() for p in model.parameters()),
        train_tokens=len(train),
        held_out_tokens=len(held_out),
        held_out_bytes=len(held_out_text.encode()),
        **{
            k: v if isinstance(v, (int, float)) else str(v.name if isinstance(v, Path) else v)
            for k, v in vars(arguments).items()
        },
    )
    batch, length = arguments.batch_size, arguments.sequence_length
    first = arguments.first_step
    sampler = torch.Generator().manual_seed(arguments.seed + first)
    started = last = time.monotonic()
    step, running = first, 0.0
    while step < arguments.steps:
        rate = schedule(step, arguments.steps, first, arguments.decay_steps)
        for optimizer, group_peaks in zip(optimizers, peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, group_peaks, strict=True):
                group["lr"] = peak * rate
        starts = torch.randint(len(train) - length - 1, (batch,), generator=sampler)
        windows = torch.stack([train[s : s + length + 1] for s in starts])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = forward(input_ids=windows[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if step == first + 200:
            averaged.n_averaged.zero_()  # forget the first steps
        averaged.update_parameters(model)
        step += 1
        running = loss.item() if step == first + 1 else 0.98 * running + 0.02 * loss.item()
        if step % 25 == 0:
            now = time.monotonic()
            write(
                event="train",
                step=step,
                seconds=round(now - started, 1),
                loss=round(running, 4),
                rate=round(rate, 4),
                seconds_per_step=round((now - last) / 25, 4),
            )
            last = now
        if step % 500 == 0:
            nats = held_out_nats(averages, held_out, length)
            write(
                event="held_out",
                step=step,
                nats=round(nats, 4),
                bits_per_byte=round(nats / math.log(2) / bytes_per_token, 4),
            )
            save(averages, tokenizer, arguments.output)
            last = time.monotonic()

    saved = save(averages, tokenizer, arguments.output)
    nats = held_out_nats(saved.float(), held_out, length)
    write(
        event="end",
        step=step,
        tokens=step * batch * length,
        seconds=round(time.monotonic() - started, 1),
        nats=round(nats, 4),
        bits_per_byte=round(nats / math.log(2) / bytes_per_token, 4),
    )


if __name__ == "__main__":
    main()
