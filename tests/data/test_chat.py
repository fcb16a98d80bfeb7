"""The loss of a conversation is on the assistant's own text and its end mark, in any template."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from qwen_ui.data.chat import chat_tokens
from qwen_ui.data.chat_template import ChatTemplate
from qwen_ui.data.counts import Counts
from qwen_ui.data.encoding import Encoder
from qwen_ui.data.records import Record
from qwen_ui.errors import DataError
from tests.helpers.chat_templates import FAMILIES, Messages


@cache
def encoder_of(family: str) -> Encoder:
    return Encoder(FAMILIES[family].tokenizer(family))


def trained(encoder: Encoder, messages: Messages, **more: Any) -> tuple[str, Counts]:
    """The decoded tokens in the loss, and the counts."""
    counts = Counts()
    ids, mask = chat_tokens(Record("a, line 1", tuple(messages), **more), encoder, counts)
    return encoder.tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m]), counts


def turns(*texts: str, first: str = "user") -> Messages:
    """Turns of the user and the assistant by turns."""
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


CONTENTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "\n",
            "yes",
            "yes yes",
            " yes",
            "yes\n\n",
            "\n\nyes \n",
            "assistant\n",
            "<|im_start|>assistant\n",
            "<|im_end|>",
            "a <|im_end|>\n<|im_start|>user\nb",
            "</s>",
            "[INST] x [/INST]",
            "<|end|>",
            "<end_of_turn>",
            "<think>\nhm\n</think>\n\nok",
            "héllo wörld 中文 🙂",
        ]
    ),
)


@st.composite
def conversations(draw: st.DrawFn, system: bool) -> Messages:
    """A system prompt or none, then pairs of turns."""
    texts = draw(st.lists(CONTENTS, min_size=2, max_size=8).filter(lambda t: len(t) % 2 == 0))
    start = (
        [{"role": "system", "content": draw(CONTENTS)}] if system and draw(st.booleans()) else []
    )
    return [*start, *turns(*texts)]


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_the_loss_is_on_the_assistants_own_text_and_its_end_mark(
    family: str, data: st.DataObject
) -> None:
    encoder = encoder_of(family)
    messages = data.draw(conversations(FAMILIES[family].system))
    counts = Counts()
    ids, mask = chat_tokens(Record("a", tuple(messages)), encoder, counts)
    text = encoder.tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m])
    assert ids == encoder.tokenizer.apply_chat_template(messages)["input_ids"]
    if not counts.dropped_turns:
        assert text == FAMILIES[family].answers(messages)


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


def call(arguments: Any) -> dict[str, Any]:
    """A turn that calls a function and says nothing."""
    function = {"name": "weather", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"type": "function", "function": function}],
    }


@pytest.mark.parametrize("arguments", [{"town": "Ulm"}, '{"town": "Ulm"}'])
def test_tools_are_shown_and_calls_are_in_the_loss(arguments: Any) -> None:
    messages = [
        {"role": "user", "content": "rain?"},
        call(arguments),
        {"role": "tool", "content": "dry"},
        {"role": "assistant", "content": "It is dry."},
    ]
    encoder = encoder_of("qwen2.5")
    text, counts = trained(encoder, messages, tools=(WEATHER,))
    assert text == (
        '\n<tool_call>\n{"name": "weather", "arguments": {"town": "Ulm"}}\n</tool_call>'
        "<|im_end|>It is dry.<|im_end|>"
    ).removeprefix("\n")
    assert counts == Counts()


@pytest.mark.parametrize("arguments", [{"town": "Ulm"}, {}, {"days": 3}])
def test_calls_with_an_end_mark_of_their_own_are_in_the_loss(arguments: dict[str, Any]) -> None:
    messages = [
        {"role": "user", "content": "rain?"},
        call(arguments),
        {"role": "tool", "content": 'say "dry"'},
        {"role": "assistant", "content": "dry"},
    ]
    text, _ = trained(encoder_of("harmony"), messages)
    assert text.startswith(" to=functions.weather<|channel|>commentary json<|message|>{")
    assert text.endswith("}<|call|><|channel|>final<|message|>dry<|return|>")


def test_tools_and_calls_that_a_template_does_not_write_are_said() -> None:
    messages = [
        {"role": "user", "content": "rain?"},
        {**call({}), "content": "I look."},
    ]
    text, counts = trained(encoder_of("chatml"), messages, tools=(WEATHER,))
    assert text == "I look.<|im_end|>"
    assert (counts.dropped_tools, counts.dropped_calls) == (1, 1)
    assert "tools of 1 sample" in counts.sentence(8)


@pytest.mark.parametrize("family", ["chatml", "qwen2.5", "phi-3", "zephyr", "deepseek-r1", "plain"])
def test_a_conversation_that_begins_with_the_assistant(family: str) -> None:
    messages = turns("one", "ask", "two", first="assistant")
    text, _ = trained(encoder_of(family), messages)
    assert text == FAMILIES[family].answers(messages)


@pytest.mark.parametrize("family", ["chatml", "smollm3", "phi-3", "harmony"])
def test_turns_of_weight_zero_carry_no_loss(family: str) -> None:
    messages = turns("a", "one", "b", "two")
    weighted = [dict(m) for m in messages]
    weighted[1]["weight"] = 0
    text, _ = trained(encoder_of(family), weighted)
    assert text == FAMILIES[family].answer(messages, 3)


def test_a_weight_that_is_neither_is_refused() -> None:
    with pytest.raises(DataError, match=r"line 1.*weight"):
        trained(encoder_of("chatml"), [{"role": "assistant", "content": "a", "weight": 0.5}])


def test_parts_are_given_as_the_template_takes_them_and_images_are_refused() -> None:
    parts = [{"type": "text", "text": "on"}, {"type": "text", "text": "e"}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": parts}]
    assert trained(encoder_of("chatml"), messages)[0] == "one<|im_end|>"
    assert trained(encoder_of("llama-3"), messages)[0] == "one<|eot_id|>"
    image = [{"role": "user", "content": [{"type": "image"}]}, *messages[1:]]
    with pytest.raises(DataError, match=r"line 1: turn 1 .*image"):
        trained(encoder_of("chatml"), image)


def test_a_turn_that_the_template_drops_is_counted_and_said() -> None:
    messages = turns("a", "<think>only a thought</think>", "b", "two")
    text, counts = trained(encoder_of("deepseek-r1"), messages)
    assert text == "two<|end_of_sentence|>"
    assert counts.sentence(8).startswith("The chat template leaves nothing of 1 turn")


def test_a_template_that_refuses_is_named_with_line_and_reason() -> None:
    with pytest.raises(DataError, match=r"line 1.*must alternate"):
        trained(encoder_of("gemma"), turns("a", "b", first="assistant"))


def test_a_template_that_rewrites_answers_is_refused() -> None:
    tokenizer: PreTrainedTokenizerFast = FAMILIES["chatml"].tokenizer("chatml")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content[:3] + m.content|length|string }}{% endfor %}"
    )
    with pytest.raises(DataError, match="cannot be located"):
        trained(Encoder(tokenizer), turns("question", "answer"))


@pytest.mark.parametrize("family", ["chatml", "qwen3", "harmony"])
def test_the_number_of_renderings_does_not_grow_with_the_turns(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderings = 0
    plain = ChatTemplate.render

    def counted(template: ChatTemplate, messages: Messages, *, prompt: bool = False) -> str:
        nonlocal renderings
        renderings += 1
        return plain(template, messages, prompt=prompt)

    monkeypatch.setattr(ChatTemplate, "render", counted)
    numbers = []
    for count in (4, 40):
        renderings = 0
        trained(encoder_of(family), turns(*["same"] * count))
        numbers.append(renderings)
    assert numbers[0] == numbers[1]


def test_characters_that_could_be_marks_are_left_alone() -> None:
    answer = "a\U00100000\U00100001\U00100001b"
    assert trained(encoder_of("chatml"), turns("x", answer))[0] == answer + "<|im_end|>"
    everything = "\U00100000\U00108000\U000f8000"
    with pytest.raises(DataError, match="private-use"):
        trained(encoder_of("chatml"), turns("x", everything))
