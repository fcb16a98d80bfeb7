"""What became of samples and turns on their way to tokens, as sentences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """What a person should know about the samples of a data set.

    Attributes:
        truncated: samples longer than the sequence length.
        left_out: samples without a token in the loss: the answer is missing, or was cut away.
        dropped_turns: turns of the assistant of which the chat template leaves nothing.
        dropped_calls: turns whose tool calls the chat template does not write.
        dropped_tools: samples whose tools the chat template does not show.
        special_text: samples whose messages hold the text of a special token.
        without_end: samples in which the chat template writes no end mark after an answer.
    """

    truncated: int = 0
    left_out: int = 0
    dropped_turns: int = 0
    dropped_calls: int = 0
    dropped_tools: int = 0
    special_text: int = 0
    without_end: int = 0

    def sentence(self, sequence_length: int) -> str:
        """The counts as sentences; "" where all are 0."""
        said = []
        if self.truncated or self.left_out:
            said.append(
                f"{_were(self.truncated, 'sample')} truncated to {sequence_length} tokens, and "
                f"{_were(self.left_out, 'sample')} left out because no token with loss remained."
            )
        if self.dropped_turns:
            said.append(
                f"The chat template leaves nothing of {_number(self.dropped_turns, 'turn')} of the "
                "assistant, so there is no loss on them."
            )
        if self.dropped_calls:
            said.append(
                f"The tool calls of {_number(self.dropped_calls, 'turn')} are not written by the "
                "chat template."
            )
        if self.dropped_tools:
            said.append(
                f"The tools of {_number(self.dropped_tools, 'sample')} are not shown by the chat "
                "template."
            )
        if self.special_text:
            said.append(
                f"The messages of {_number(self.special_text, 'sample')} hold the text of a "
                "special token, which the tokenizer reads as that token."
            )
        if self.without_end:
            said.append(
                f"In {_number(self.without_end, 'sample')} the chat template writes no end mark "
                "after an answer, so the model does not learn to stop there."
            )
        return " ".join(said)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def _were(count: int, noun: str) -> str:
    return f"{_number(count, noun)} {'was' if count == 1 else 'were'}"
