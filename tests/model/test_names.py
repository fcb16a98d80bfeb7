"""What a person types or pastes as a model's name, and names that are nearly one."""

from __future__ import annotations

import pytest

from qwen_ui.errors import ModelError
from qwen_ui.model import open_model
from qwen_ui.model.catalog import find_model
from qwen_ui.model.names import named_model, near_names

HUB = "Qwen/Qwen2.5-0.5B-Instruct"


@pytest.mark.parametrize(
    "text",
    [
        HUB,
        f" '{HUB}' ",
        f"https://huggingface.co/{HUB}",
        f"https://huggingface.co/{HUB}/",
        f"http://www.huggingface.co/{HUB}/tree/main",
        f"https://huggingface.co/{HUB}/blob/main/config.json?download=true",
        f"huggingface.co/{HUB}#usage",
        f"https://hf.co/{HUB}",
        f"hf://{HUB}@main/config.json",
    ],
)
def test_a_link_to_the_hub_is_its_id(text: str) -> None:
    assert named_model(text) == HUB


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nano", "nano"),
        ('"/models/my model"', "/models/my model"),
        ("file:///models/mine", "/models/mine"),
        ("https://huggingface.co/datasets/a/b", "https://huggingface.co/datasets/a/b"),
        ("https://example.org/a/b", "https://example.org/a/b"),
    ],
)
def test_what_is_no_link_stays_what_it_is(text: str, name: str) -> None:
    assert named_model(text) == name


def test_a_linked_preset_opens_without_the_network() -> None:
    assert open_model(f"https://huggingface.co/{HUB}").total_parameters == 494_032_768


@pytest.mark.parametrize("name", ["qwen2.5-7b-instrct", "qwen2.5-7B", "Qwen/qwen2.5-7b-instruct-"])
def test_a_name_that_is_nearly_one_is_asked_back(name: str) -> None:
    assert near_names(name)[0] == "qwen2.5-7b-instruct"


def test_a_wrong_name_is_answered_with_what_was_meant() -> None:
    with pytest.raises(ModelError, match="Did you mean nano"):
        find_model("nanoo")
    with pytest.raises(ModelError, match="Give a preset"):
        find_model("something else entirely")
