"""What is shipped: the configurations, the nano twin, the demonstration data."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from qwen_ui.data import load_examples, load_kept_text
from qwen_ui.model import open_model, preset_models
from qwen_ui.paths import ASSETS

NANO = ASSETS / "nano"
# Billions of parameters on the models' cards (https://huggingface.co/Qwen): 0.49B, 1.54B, ...
CARDS = {"0.5b": 0.49, "1.5b": 1.54, "3b": 3.09, "7b": 7.61, "14b": 14.7, "32b": 32.5, "72b": 72.7}


@pytest.mark.parametrize("size", CARDS)
def test_a_configuration_gives_the_count_on_the_model_s_card(size: str) -> None:
    anatomy = open_model(f"qwen2.5-{size}-instruct")
    assert anatomy.total_parameters / 1e9 == pytest.approx(CARDS[size], rel=0.01)
    assert bool(anatomy.tied) == (size in {"0.5b", "1.5b", "3b"})


def test_presets_are_listed_by_size() -> None:
    assert preset_models()[:3] == ("nano", "qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct")
    assert len(preset_models()) == 8


def test_the_nano_twin_has_the_names_of_the_default_model() -> None:
    nano, default = open_model("nano"), open_model("qwen2.5-1.5b-instruct")
    assert [p.name for p in nano.parameters] == [p.name for p in default.parameters]
    assert nano.tied == default.tied
    assert nano.weights_folder == NANO


def test_the_nano_twin_s_weights_fit_its_configuration_and_are_small() -> None:
    file = NANO / "model.safetensors"
    assert file.stat().st_size <= 16_000_000
    shapes = {p.name: p.shape for p in open_model("nano").parameters}
    with safe_open(file, "pt") as weights:
        assert {n: tuple(weights.get_slice(n).get_shape()) for n in weights.keys()} == shapes  # noqa: SIM118


def test_the_nano_twin_s_tokenizer_is_lossless_and_speaks_chat() -> None:
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    for text in ('Emma, "handsome" & clever;\n--rich', "naïve – 東京 🙂", "  two  spaces\t"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], tokenize=False, add_generation_prompt=True
    )
    assert isinstance(chat, str)
    assert chat.endswith("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    assert len(tokenizer("<|im_start|>")["input_ids"]) == 1


def test_the_nano_twin_has_really_learnt_english() -> None:
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    model = AutoModelForCausalLM.from_pretrained(NANO, dtype=torch.float32)
    text = (
        "She was the youngest of the two daughters, and had been in consequence of her sister's "
        "marriage the mistress of his house; but she could not think of him without pain."
    )

    def nats_a_byte(words: str) -> float:
        ids = tokenizer(words, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            loss = model(input_ids=ids, labels=ids).loss.item()
        return loss * (ids.shape[1] - 1) / len(words.encode())

    assert nats_a_byte(text) / math.log(2) < 1.7
    assert nats_a_byte(text) < 0.6 * nats_a_byte(" ".join(text.split()[::-1]))


def test_the_log_of_the_pretraining_is_there_and_reaches_its_aim() -> None:
    events = [json.loads(line) for line in (NANO / "pretraining.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "end"
    curve = [event["bits_per_byte"] for event in events if event["event"] == "held_out"]
    assert events[-1]["bits_per_byte"] <= 1.40
    assert events[-1]["bits_per_byte"] < curve[0]


def test_the_evaluation_split_is_not_in_the_training_text() -> None:
    train, held_out = (
        (ASSETS / "data" / f"kjv-{part}.txt").read_text().splitlines() for part in ("train", "eval")
    )
    assert len(train) == 2680
    assert len(held_out) == 120
    # Some verses of the law stand twice in the Bible itself.
    assert len(set(held_out) & set(train)) <= 2


@pytest.mark.parametrize("file", ["kjv-chat.jsonl", "general-chat.jsonl"])
def test_the_chat_data_are_conversations(file: str) -> None:
    for line in (ASSETS / "data" / file).read_text().splitlines():
        roles = [message["role"] for message in json.loads(line)["messages"]]
        assert roles == ["user", "assistant"]


def test_the_texts_to_keep_are_no_training_data_and_fit_what_is_measured() -> None:
    general = (ASSETS / "data" / "general-chat.jsonl").read_text().splitlines()
    questions = [json.loads(line)["messages"][0]["content"] for line in general]
    assert len(set(questions)) == len(questions) == 64
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    for name in ("austen-keep.txt", "general-chat.jsonl"):
        file = str(ASSETS / "data" / name)
        kept = load_kept_text(file, tokenizer, 128, most_tokens=8192)
        assert kept == load_examples(file, tokenizer, 128)
        assert len(kept.items) >= 60


def test_no_weights_but_safetensors_are_shipped() -> None:
    shipped = {path.suffix for path in Path(ASSETS).rglob("*") if path.is_file()}
    assert not shipped & {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
