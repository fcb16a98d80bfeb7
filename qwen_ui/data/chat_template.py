"""A conversation in a model's chat template, rendered by transformers.

Data sets write the same turn in several forms, and a template knows some of them: content as text
or as a list of parts, the arguments of a call as an object or as JSON text, no content or empty
content beside calls. The first form that the template renders in full is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from jinja2 import TemplateError

from qwen_ui.errors import DataError
from qwen_ui.files import parse_json

Message = dict[str, Any]
ASSISTANT = "assistant"
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
# What a template's own code may raise: it computes with a person's values.
_REFUSALS = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    SyntaxError,  # of the Python that jinja makes of it: loops nested 20 deep
)


class ChatTemplate:
    """The template of one conversation, with its tools, and errors that say where.

    Args:
        tokenizer: of the model; it holds the template.
        tools: descriptions of functions, as the template takes them.
        where: source of the conversation, for messages.

    Raises:
        DataError: the model has no chat template.
    """

    def __init__(self, tokenizer: Any, tools: tuple[Any, ...], where: str) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise DataError(
                f"{where}: this model has no chat template, so messages cannot be used. Give "
                '"prompt" and "completion", or "text".'
            )
        self.where = where
        self._tokenizer = tokenizer
        self._tools = list(tools) or None

    def render(self, messages: list[Message], *, prompt: bool = False) -> str:
        """The text of these turns; with `prompt`, up to where the model is to write.

        Raises:
            DataError: the template refuses them.
        """
        return str(self._apply(messages, add_generation_prompt=prompt, tokenize=False))

    def shows_tools(self, messages: list[Message]) -> bool:
        """Whether tools are given and change the text."""
        if self._tools is None:
            return False
        bare = ChatTemplate(self._tokenizer, (), self.where)
        return self.render(messages) != bare.render(messages)

    def generation_spans(self, messages: list[Message]) -> list[tuple[int, int]] | None:
        """Character ranges inside the template's own `{% generation %}`; None without such marks.

        Raises:
            DataError: the template refuses the messages.
        """
        source = self._tokenizer.get_chat_template(None, self._tools)
        if not _GENERATION.search(source):
            return None
        # Here and not above: it imports transformers.
        from qwen_ui.model.libraries import render_jinja_template  # noqa: PLC0415

        given = [{k: v for k, v in m.items() if v is not None} for m in messages]
        # Annotated here: transformers declares a string.
        rendered: Any = self._refused_as_ours(
            render_jinja_template,
            conversations=[given],
            tools=self._tools,
            chat_template=source,
            return_assistant_tokens_mask=True,
            **self._tokenizer.special_tokens_map,
        )
        return [(begin, end) for begin, end in rendered[1][0]]

    def _apply(self, messages: list[Message], **options: Any) -> Any:
        return self._refused_as_ours(
            self._tokenizer.apply_chat_template, messages, tools=self._tools, **options
        )

    def _refused_as_ours(self, render: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return render(*args, **options)
        except _REFUSALS as error:
            said = str(error)[:300] or type(error).__name__
            raise DataError(
                f"{self.where}: the model's chat template refuses it ({said})."
            ) from error


def accepted_messages(template: ChatTemplate, messages: tuple[Message, ...]) -> list[Message]:
    """The turns in the first form that the template renders in full, without `weight`.

    Raises:
        DataError: a part of a turn is not text, or the template refuses every form.
    """
    turns = [{k: v for k, v in message.items() if k != "weight"} for message in messages]
    _check_parts(turns, template.where)
    refusal: DataError | None = None
    for form in _forms(turns):
        try:
            text = template.render(form)
        except DataError as error:
            refusal = refusal or error
            continue
        if all(_is_shown(turn["content"], text) for turn in form if _is_list(turn.get("content"))):
            return form
    raise refusal or DataError(f"{template.where}: the chat template does not show all its parts.")


def joined_text(content: Any) -> str:
    """The text of a turn's content, its parts joined; "" where there is none."""
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else part["text"] for part in content)
    return content or ""


def _forms(turns: list[Message]) -> Iterator[list[Message]]:
    """The turns in each form that differs from those before it; the usual one first."""
    changes: list[tuple[Callable[[Message], Message], ...]] = []
    if any(_is_list(turn.get("content")) for turn in turns):
        changes.append((_same, _with_joined_parts))
    if any(turn.get("tool_calls") for turn in turns):
        changes.append((_with_object_arguments, _with_text_arguments))
    if any(turn.get("content") is None for turn in turns):
        changes.append((_same, _with_empty_content))
    for chosen in product(*changes):
        form = turns
        for change in chosen:
            form = [change(turn) for turn in form]
        yield form


def _same(turn: Message) -> Message:
    return turn


def _with_joined_parts(turn: Message) -> Message:
    content = turn.get("content")
    return {**turn, "content": joined_text(content)} if _is_list(content) else turn


def _with_empty_content(turn: Message) -> Message:
    return {**turn, "content": ""} if turn.get("content") is None else turn


def _with_object_arguments(turn: Message) -> Message:
    return with_arguments(turn, _as_object)


def _with_text_arguments(turn: Message) -> Message:
    return with_arguments(turn, lambda a: a if isinstance(a, str) else json.dumps(a))


def _as_object(arguments: Any) -> Any:
    """OpenAI's form, JSON text, as the object that templates write with `tojson`."""
    if not isinstance(arguments, str):
        return arguments
    try:
        value = parse_json(arguments)
    except ValueError:
        return arguments
    return value if isinstance(value, dict) else arguments


def with_arguments(turn: Message, change: Callable[[Any], Any]) -> Message:
    """The turn with the arguments of each of its calls changed."""
    calls = turn.get("tool_calls")
    if not isinstance(calls, list | tuple):
        return turn
    return {**turn, "tool_calls": [_call_with(call, change) for call in calls]}


def _call_with(call: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(call, dict):
        return call
    if isinstance(call.get("function"), dict):
        return {**call, "function": _call_with(call["function"], change)}
    return {**call, "arguments": change(call["arguments"])} if "arguments" in call else call


def _is_list(content: Any) -> bool:
    return isinstance(content, list)


def _is_shown(parts: list[Any], text: str) -> bool:
    """Whether a template that may not know lists wrote the parts, and not Python's view of them."""
    given = [part if isinstance(part, str) else part["text"] for part in parts]
    return str(parts) not in text and all(part.strip() in text for part in given)


def _check_parts(turns: list[Message], where: str) -> None:
    for number, turn in enumerate(turns, start=1):
        if not _is_list(turn.get("content")):
            continue
        for part in turn["content"]:
            kind = part.get("type", "text") if isinstance(part, dict) else "text"
            text = part.get("text") if isinstance(part, dict) else part
            if kind != "text" or not isinstance(text, str):
                raise DataError(
                    f"{where}: turn {number} has a part of type '{kind}' that is not text. Only "
                    "text can be trained here: remove the part or the sample."
                )
