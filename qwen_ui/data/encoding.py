"""Text -> token ids with the special tokens of its tokenizer, and which of them are in the loss."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qwen_ui.data.special_tokens import AddedTokens, added_tokens, surrounding_ids

# Characters that are tokenized at a time, how many of them twice, and how many tokens have to be
# the same both times where two windows are joined.
WINDOW = 1_000_000
OVERLAP = 4_096
AGREEING = 8
# Tokens of whitespace that may follow a sample's own end-of-text token.
_MOST_SPACE = 8
# Texts before a piece that is tokenized as one from the middle of a text.
_ANCHORS = ("\n", ".", ":", "a")

Span = tuple[int, int]


class LossyTokenizerError(Exception):
    """The tokens of a span do not decode to its text."""


@dataclass(frozen=True, slots=True)
class _Coded:
    """Ids, and the characters that each stands for: from `begins` to `ends`."""

    ids: list[int]
    begins: list[int]
    ends: list[int]


class Encoder:
    """A tokenizer, and what it puts around a text by itself."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._fast = bool(getattr(tokenizer, "is_fast", False))
        self._prefix, self._suffix = surrounding_ids(tokenizer)
        self._end: int | None = tokenizer.eos_token_id

    @cached_property
    def added(self) -> AddedTokens:
        """The tokenizer's added tokens."""
        return added_tokens(self.tokenizer)

    def ids(self, text: str) -> list[int]:
        """The ids of a text, without special tokens around it.

        A long one is tokenized in windows that overlap, joined where both have the same tokens, so
        that no word is split otherwise than in the text as a whole.
        """
        if not self._fast or len(text) <= WINDOW:
            return self._plain(text)
        ids: list[int] = []
        start = 0
        window = self._coded(text[:WINDOW])
        taken = 0
        while start + WINDOW < len(text):
            following = start + WINDOW - OVERLAP
            other = self._coded(text[following : following + WINDOW])
            seam = _seam(window, other, following - start)
            if seam is None:
                return [*ids, *self._coded(text[start:]).ids[taken:]]
            ids += window.ids[taken : seam[0]]
            start, window, taken = following, other, seam[1]
        return [*ids, *window.ids[taken:]]

    def surrounded(self, ids: list[int], *, is_document: bool = False) -> tuple[list[int], int]:
        """The ids with what the tokenizer puts around them, and how many it puts before them.

        A sample ends with the end-of-text token, once; a document only where the tokenizer adds it.
        """
        head = [] if self._prefix and ids[: len(self._prefix)] == self._prefix else self._prefix
        ended = self._has_end(ids)
        tail = [token for token in self._suffix if not (ended and token == self._end)]
        whole = [*head, *ids, *tail]
        if not is_document and self._end is not None and not self._has_end(whole):
            whole.append(self._end)
        return whole, len(head)

    def _has_end(self, ids: list[int]) -> bool:
        """Whether the last token is the end-of-text token, or only whitespace comes after it."""
        if self._end is None or self._end not in ids:
            return False
        after = ids[len(ids) - ids[::-1].index(self._end) :]
        return len(after) <= _MOST_SPACE and not self._text(after).strip()

    def with_spans(self, text: str, spans: list[Span]) -> tuple[list[int], list[bool]]:
        """The ids of a text, and which of them are the tokens of these spans.

        Where a token reaches over an end of a span, the text is tokenized in two there, as it is
        when the model is given the first and writes the second.

        Args:
            spans: ranges of characters, in order, that do not overlap.

        Raises:
            LossyTokenizerError: the tokens of a span do not decode to its text.
        """
        cuts = sorted({place for span in spans for place in span} - {0, len(text)})
        if self._fast:
            coded = self._coded(text)
            crossed = _crossed(coded, cuts)
            attempts = [crossed, cuts] if crossed != cuts else [cuts]
        else:
            coded, attempts = None, [cuts]
        for places in attempts:
            ids, begins = (
                (coded.ids, coded.begins)
                if coded is not None and not places
                else self._in_pieces(text, places)
            )
            bounds = [(bisect_left(begins, b), bisect_left(begins, e)) for b, e in spans]
            if all(
                self._decodes(ids, first, last, text[b:e])
                for (first, last), (b, e) in zip(bounds, spans, strict=True)
            ):
                mask = [False] * len(ids)
                for first, last in bounds:
                    mask[first:last] = [True] * (last - first)
                return ids, mask
        raise LossyTokenizerError

    def _in_pieces(self, text: str, cuts: list[int]) -> tuple[list[int], list[int]]:
        """Ids of the pieces between these places, with the first character of each token."""
        ids: list[int] = []
        begins: list[int] = []
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            piece = text[begin:end]
            if self._fast:
                coded = self._coded(piece) if begin == 0 else self._inner(piece)
                ids += coded.ids
                begins += [begin + place for place in coded.begins]
            else:
                own = self._plain(piece) if begin == 0 else self._inner_slow(piece)
                ids += own
                begins += [begin] * len(own)
        return ids, begins

    def _inner(self, piece: str) -> _Coded:
        """A piece from the middle of a text: without the space that some put before a text."""
        for anchor in _ANCHORS:
            coded = self._coded(anchor + piece)
            first = bisect_left(coded.begins, len(anchor))
            if first and coded.ends[first - 1] <= len(anchor):
                shifted = [
                    [place - len(anchor) for place in places[first:]]
                    for places in (coded.begins, coded.ends)
                ]
                return _Coded(coded.ids[first:], *shifted)
        return self._coded(piece)

    def _inner_slow(self, piece: str) -> list[int]:
        for anchor in _ANCHORS:
            before, both = self._plain(anchor), self._plain(anchor + piece)
            if both[: len(before)] == before:
                return both[len(before) :]
        return self._plain(piece)

    def _decodes(self, ids: list[int], first: int, last: int, text: str) -> bool:
        """Whether tokens are this text, as far as the tokenizer can give it back at all."""
        decoded = self._text(ids[first:last])
        # The first space of a sequence is not decoded by tokenizers that put one there.
        return decoded == text or decoded.lstrip(" ") in (
            text.lstrip(" "),
            self._text(self._plain(text)).lstrip(" "),
        )

    def _text(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _coded(self, text: str) -> _Coded:
        coded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        begins, ends, end = [], [], 0
        for first, last in coded["offset_mapping"]:
            # Byte-level tokenizers may leave the space out that a token begins with.
            begins.append(min(first, end))
            end = max(last, end)
            ends.append(end)
        return _Coded(list(coded["input_ids"]), begins, ends)


def _crossed(coded: _Coded, cuts: list[int]) -> list[int]:
    """Those places that are inside a token."""
    crossed = []
    for cut in cuts:
        token = bisect_left(coded.begins, cut) - 1
        if token >= 0 and coded.ends[token] > cut:
            crossed.append(cut)
    return crossed


def _seam(window: _Coded, other: _Coded, shift: int) -> tuple[int, int] | None:
    """Tokens of two windows from which both go on alike; `shift` is the second's beginning."""
    for second in range(bisect_left(other.begins, OVERLAP // 4), len(other.ids) - AGREEING):
        begin = other.begins[second] + shift
        first = bisect_left(window.begins, begin)
        if other.begins[second - 1] == other.begins[second] or first + AGREEING > len(window.ids):
            continue
        if all(
            window.ids[first + n] == other.ids[second + n]
            and window.begins[first + n] == other.begins[second + n] + shift
            for n in range(AGREEING)
        ):
            return first, second
        if other.begins[second] >= OVERLAP:
            return None
    return None
