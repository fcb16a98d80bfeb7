"""Where the assistant's turns stand in a rendered conversation: what the model is to write.

A turn begins where the generation prompt ends and ends with its end mark. Nothing here assumes that
a template writes earlier turns as it would write them last: places come from marks (`marks.py`),
and the number of renderings does not grow with the number of turns. The file is longer than others
because the beginning and the end of a turn are read from the same rendering and its marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qwen_ui.data.chat_template import ASSISTANT, ChatTemplate, Message, joined_text
from qwen_ui.data.marks import Marker, NotProvenError, Place, Style
from qwen_ui.data.special_tokens import AddedTokens
from qwen_ui.errors import DataError

_PROBE = "answer"


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the assistant as characters of the rendering.

    Attributes:
        index: of its message.
        begin, end: what the model is to write, its end mark included.
        mark: where the end mark begins; `end` where the template writes none.
    """

    index: int
    begin: int
    end: int
    mark: int


def locate_turns(
    template: ChatTemplate, messages: list[Message], text: str, added: AddedTokens
) -> list[Turn]:
    """The assistant's turns in `text`, the rendering of `messages`; linear in their number.

    Raises:
        NotProvenError: the template changes texts in a way that hides where they stand.
    """
    reason = NotProvenError("it changes texts in a way that hides where they stand")
    for style in Style:
        marker = Marker(text, style)
        marked = marker.marked(messages)
        try:
            found, places = marker.read(template.render(marked))
        except DataError:
            continue
        if found != text:
            continue
        try:
            located = _Located(template, messages, marked, marker, text, places, added)
            return list(located.turns())
        except NotProvenError as error:
            reason = error
    raise reason


class _Located:
    """One rendering with its marks, from which turns are read in order."""

    def __init__(
        self,
        template: ChatTemplate,
        messages: list[Message],
        marked: list[Message],
        marker: Marker,
        text: str,
        places: list[Place],
        added: AddedTokens,
    ) -> None:
        self._template = template
        self._messages = messages
        self._marked = marked
        self._marker = marker
        self._text = text
        self._places = places
        self._added = added
        # Index among the places of each message's, in the order of the rendering.
        self._of: dict[int, list[int]] = {}
        for number, place in enumerate(places):
            self._of.setdefault(place.mark.turn, []).append(number)
        self._prompts: dict[str, str] = {}
        self._end_marks: list[str] = []
        # Renderings that looked for an end mark and found none; by the kind of turn.
        self._without: set[tuple[bool, bool]] = set()
        self._first_prompt: str | None = None

    def turns(self) -> Iterator[Turn]:
        """The assistant's turns, in order."""
        reach = -1
        for index, message in enumerate(self._messages):
            own = self._of.get(index, [])
            if message["role"] == ASSISTANT:
                yield self._turn(index, own, reach)
            reach = max([reach, *own])

    def _turn(self, index: int, own: list[int], reach: int) -> Turn:
        if own and own != list(range(own[0], own[-1] + 1)):
            raise NotProvenError(f"it mixes turn {index + 1} with others")
        if len({id(self._places[n].mark) for n in own}) < len(own):
            raise NotProvenError(f"it writes turn {index + 1} twice")
        previous = own[0] - 1 if own else reach
        following = (own[-1] if own else reach) + 1
        limit = len(self._text)
        if following < len(self._places):
            limit = self._places[following].at
        start = self._start_of(self._places[own[0]]) if own else None
        begin = self._begin(index, previous, start)
        if own:
            content_end = max(begin, self._end_of(self._places[own[-1]]))
            return self._ended(index, begin, content_end, content_end, limit)
        return self._ended(index, begin, begin, self._end_after(previous), limit)

    # Where a turn begins

    def _begin(self, index: int, previous: int, start: int | None) -> int:
        """The end of the generation prompt.

        Args:
            previous: number of the last mark before the turn; -1 for none.
            start: where the turn's own first text begins, if all of it is there.
        """
        if index == 0:
            return self._begin_of_first(start)
        before = self._end_after(previous)
        prompt = self._prompt(index, previous)
        if not prompt.strip():
            if self._text.startswith(prompt, before):
                return before + len(prompt)
            return self._known(start, index)
        header, at = prompt.lstrip(), self._skip_space(before)
        if self._text.startswith(header, at):
            return at + len(header)
        # A template of thinking models opens the thought in its prompt, and leaves it out of
        # earlier turns: what both have in common is the header.
        shared = _shared(header, self._text[at : at + len(header)])
        cut = self._safe_cut(shared)
        if not cut:
            return self._known(start, index)
        begin = at + cut if start is None else min(at + cut, start)
        if start is not None and self._added.special.search(self._text, begin, start):
            raise NotProvenError(f"it writes turn {index + 1} otherwise than it asks for it")
        return begin

    def _begin_of_first(self, start: int | None) -> int:
        """A first turn has no prompt of its own: after the header that a later one would have."""
        start = self._known(start, 0)
        header = self._header().lstrip()
        while header.strip():
            at = self._text.rfind(header, 0, start)
            if at >= 0:
                return at + len(header)
            header = header[: self._safe_cut(header[:-1])]
        return start

    def _prompt(self, index: int, previous: int) -> str:
        """What the template writes after the text before, to let the model write."""
        if previous < 0 or self._places[previous].mark.turn != index - 1:
            return self._tail(self._marked[:index], prompt=True)
        role = self._messages[index - 1]["role"]
        if role not in self._prompts:
            self._prompts[role] = self._tail(self._marked[:index], prompt=True)
        return self._prompts[role]

    def _header(self) -> str:
        """What a generation prompt adds at the end of the conversation."""
        if self._first_prompt is None:
            closing = self._tail(self._marked, prompt=False)
            asking = self._tail(self._marked, prompt=True)
            shared = _shared(closing, asking)
            cut = len(shared) if shared == closing else self._safe_cut(shared)
            self._first_prompt = asking[cut:]
        return self._first_prompt

    # Where a turn ends

    def _ended(self, index: int, begin: int, content_end: int, tail: int, limit: int) -> Turn:
        """The turn with its end mark.

        Args:
            tail: where the last text with a mark ends: the turn's own, or one before it.
            limit: where the next one is.
        """
        calls = bool(self._messages[index].get("tool_calls"))
        found = self._find_end(calls, content_end, limit)
        last = index == len(self._messages) - 1
        if found is None and (calls, last) not in self._without:
            mark = self._learn(index, content_end, tail, limit)
            if mark:
                self._end_marks.append(mark)
                found = self._find_end(calls, content_end, limit)
            if found is None:
                self._without.add((calls, last))
        if found is not None:
            return Turn(index, begin, found[1], found[0])
        if calls:
            raise NotProvenError(f"it writes no end after the calls of turn {index + 1}")
        own = joined_text(self._messages[index].get("content"))
        space = own[len(own.rstrip()) :]
        end = content_end + len(_shared(space, self._text[content_end:limit]))
        return Turn(index, begin, end, end)

    def _find_end(self, calls: bool, at: int, limit: int) -> tuple[int, int] | None:
        """Beginning and end of the next end mark that is known; calls have text before it."""
        if calls:
            places = [(self._text.find(m, at, limit), m) for m in self._end_marks]
            found = min(((p, m) for p, m in places if p >= 0), default=None)
        else:
            at = self._skip_space(at)
            found = next(((at, m) for m in self._end_marks if self._text.startswith(m, at)), None)
        return None if found is None else (found[0], found[0] + len(found[1]))

    def _learn(self, index: int, at: int, tail: int, limit: int) -> str:
        """The end mark that the template writes here; "" for none."""
        message = {"role": ASSISTANT, "content": self._marker.probe(index, _PROBE)}
        last = index == len(self._messages) - 1
        plain = not self._messages[index].get("tool_calls")
        closing = (
            self._text[at:] if last and plain else self._tail([*self._marked[:index], message])
        )
        mark = self._through_special(closing.strip())
        if not plain:
            if mark and self._text.find(mark, at, limit) >= 0:
                return mark
            # Calls may have an end of their own.
            closing = self._tail(self._marked[: index + 1]).rstrip()
            ends = list(self._added.special.finditer(closing))
            return ends[-1].group() if ends and self._text.startswith(closing, tail) else ""
        here = self._text[self._skip_space(at) : limit]
        if not mark or here.startswith(mark):
            return mark
        # The last turn ends otherwise than earlier ones: what stands here whatever follows.
        asking = self._tail([*self._marked[:index], message], prompt=True).lstrip()
        mark = self._through_special(_shared(here, asking), needed=True)
        rest = here[len(mark) :].lstrip()
        # Otherwise it is the beginning of the next turn's header, such as `<|im_start|>`.
        return mark if not rest or self._added.every.match(rest) else ""

    def _through_special(self, text: str, *, needed: bool = False) -> str:
        found = self._added.special.search(text)
        if found is None:
            return "" if needed else text
        return text[: found.end()]

    # Parts of renderings

    def _tail(self, marked: list[Message], *, prompt: bool = False) -> str:
        """What a rendering of these has after its last text."""
        try:
            text, places = self._marker.read(self._template.render(marked, prompt=prompt))
        except DataError as error:
            raise NotProvenError(f"it refuses a part of it: {error}") from error
        return text[_end_in(text, places[-1]) :] if places else text

    def _skip_space(self, at: int) -> int:
        while at < len(self._text) and self._text[at].isspace():
            at += 1
        return at

    def _safe_cut(self, text: str) -> int:
        """The last place in it that is the end of a line or of an added token; 0 for none."""
        ends = [found.end() for found in self._added.every.finditer(text)]
        return max([0, text.rfind("\n") + 1, *ends])

    def _end_of(self, place: Place) -> int:
        return _end_in(self._text, place)

    def _end_after(self, number: int) -> int:
        return self._end_of(self._places[number]) if number >= 0 else 0

    def _start_of(self, place: Place) -> int | None:
        """Where the text before a mark begins; None where the template left a part of it out."""
        begin = place.at - len(place.mark.before)
        whole = begin >= 0 and self._text.startswith(place.mark.before, begin)
        return begin if whole else None

    def _known(self, start: int | None, index: int) -> int:
        if start is None:
            raise NotProvenError(f"it is not clear where turn {index + 1} begins")
        return start


def _end_in(text: str, place: Place) -> int:
    """Where the text of a mark ends in a rendering, without whitespace at its end."""
    if not text.startswith(place.mark.after, place.at):
        raise NotProvenError("it changes a text behind its middle")
    return place.at + len(place.mark.after)


def _shared(first: str, second: str) -> str:
    """What both begin with."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return first[:place]
    return min(first, second, key=len)
