"""A conversation -> tokens in the model's chat template, with the assistant's own in the loss."""

from __future__ import annotations

from typing import Any

from qwen_ui.data.chat_template import (
    ASSISTANT,
    ChatTemplate,
    Message,
    accepted_messages,
    joined_text,
)
from qwen_ui.data.counts import Counts
from qwen_ui.data.encoding import Encoder, LossyTokenizerError, Span
from qwen_ui.data.marks import NotProvenError
from qwen_ui.data.records import Record
from qwen_ui.data.special_tokens import AddedTokens
from qwen_ui.data.turns import Turn, locate_turns
from qwen_ui.errors import DataError


def chat_tokens(record: Record, encoder: Encoder, counts: Counts) -> tuple[list[int], list[bool]]:
    """The ids of a conversation, and which of them are in the loss.

    Those are what the model is to write in each turn of the assistant of `weight` 1: what the
    template leaves of it, from the end of the generation prompt through the end mark.

    Raises:
        DataError: the model has no chat template, it refuses the conversation, or where the
            assistant's turns stand cannot be proven.
    """
    template = ChatTemplate(encoder.tokenizer, record.tools, record.where)
    messages = accepted_messages(template, record.messages)
    text = template.render(messages)
    added = encoder.added
    weights = [_weight(message, record.where) for message in record.messages]
    counts.special_text += any(_holds_special(message, added) for message in messages)
    if record.tools:
        counts.dropped_tools += not template.shows_tools(messages)
    spans = _loss_spans(template, messages, weights, text, added, counts)
    try:
        return encoder.with_spans(text, spans)
    except LossyTokenizerError as error:
        raise DataError(
            f"{record.where}: the tokens of the assistant's turns do not decode to their text, so "
            "what is in the loss is unknown. Use the tokenizer that the model came with."
        ) from error


def _loss_spans(
    template: ChatTemplate,
    messages: list[Message],
    weights: list[bool],
    text: str,
    added: AddedTokens,
    counts: Counts,
) -> list[Span]:
    if not any(w and m["role"] == ASSISTANT for w, m in zip(weights, messages, strict=True)):
        return []
    generated = template.generation_spans(messages)
    try:
        turns = locate_turns(template, messages, text, added)
    except NotProvenError as reason:
        if generated is not None and all(weights):
            return [span for span in generated if span[0] < span[1]]
        raise DataError(
            f"{template.where}: what the assistant wrote cannot be located in the model's chat "
            f"template: {reason}. Give one answer per sample, or a chat template that marks the "
            "assistant's turns with {% generation %}."
        ) from reason
    spans: list[Span] = []
    endless = False
    for turn in turns:
        message = messages[turn.index]
        if not weights[turn.index]:
            continue
        body = text[turn.begin : turn.mark]
        if not body.strip() and _says_something(message):
            counts.dropped_turns += 1
            continue
        counts.dropped_calls += any(name not in body for name in _called(message))
        endless |= turn.mark == turn.end
        spans += [(turn.begin, turn.end)] if generated is None else _within(turn, generated)
    counts.without_end += endless
    return [span for span in spans if span[0] < span[1]]


def _within(turn: Turn, generated: list[Span]) -> list[Span]:
    """The parts of a turn that the template itself marks as generated, with its end mark."""
    parts = [
        (max(begin, turn.begin), min(end, turn.end))
        for begin, end in generated
        if begin < turn.end and end > turn.begin
    ]
    if parts and turn.mark > parts[-1][0]:
        parts[-1] = (parts[-1][0], turn.end)
    return parts


def _weight(message: Message, where: str) -> bool:
    weight = message.get("weight", 1)
    if weight is None:
        return True
    if weight not in (0, 1):
        raise DataError(f'{where}: the "weight" of a turn is 0 or 1, not {weight!r}.')
    return bool(weight)


def _says_something(message: Message) -> bool:
    reasoning: Any = message.get("reasoning_content") or ""
    return bool(
        joined_text(message.get("content")).strip()
        or message.get("tool_calls")
        or str(reasoning).strip()
    )


def _called(message: Message) -> list[str]:
    """Names of the functions that a turn calls."""
    calls = [call for call in message.get("tool_calls") or [] if isinstance(call, dict)]
    functions = [call.get("function", call) for call in calls]
    return [str(f["name"]) for f in functions if isinstance(f, dict) and f.get("name")]


def _holds_special(message: Message, added: AddedTokens) -> bool:
    return added.special.search(joined_text(message.get("content"))) is not None
