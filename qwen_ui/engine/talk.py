"""Several sides write after their prompts at the same time, on one base that is exchanged.

Each side generates in a thread of its own, by the model's own `generate`, and they take turns: one
works while the others wait, and who takes over puts its values into the base first. Tokens are
drawn with the same random numbers on all sides (the Gumbel-max trick, arXiv 1411.0030, section 2,
with common random numbers), so that sides differ where their models do and not by chance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qwen_ui.engine.exchange import Exchange, Values
from qwen_ui.engine.sample import stop_and_pad, within_positions
from qwen_ui.engine.turns import Turns
from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import GenerationConfig, PreTrainedModel

# How long a side writes before the next one does; longer where an exchange takes long.
TURN_SECONDS = 0.15
EXCHANGE_SHARE = 10
# The least positive float32, so that no random number's logarithm is infinite.
TINY = torch.finfo(torch.float32).tiny
Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One who writes.

    Attributes:
        values: that take the place of the base's.
        messages: the conversation so far; each has `role` (user, assistant) and `content`.
    """

    values: Values
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        chat: by the tokenizer's chat template, where it has one; else the last message is continued
            as it is.
        tokens: at most so many new ones.
        temperature: 0 takes the likeliest token always.
        seed: of the random numbers that all sides share.
        seconds: at most, for all sides together.
    """

    chat: bool = True
    tokens: int = 128
    temperature: float = 0.0
    seed: int = 0
    seconds: float = 600.0


@dataclass(slots=True)
class Written:
    """What a side has written.

    Attributes:
        text: so far, whole characters alone.
        tokens: how many.
        seconds: of its own turns.
        ended: why it ended: end (of its own accord), length, stopped, time; "" while it writes.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    ended: str = ""


class Talk:
    """One base and its tokenizer, for one conversation at a time.

    Args:
        model: the base, in evaluation mode.
        exchange: of this model.
    """

    def __init__(
        self, model: PreTrainedModel, anatomy: Anatomy, tokenizer: Any, exchange: Exchange
    ) -> None:
        self.model, self.anatomy = model, anatomy
        self.tokenizer, self.exchange = tokenizer, exchange

    @property
    def has_template(self) -> bool:
        """Whether the tokenizer brings a chat template."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    def write(
        self,
        sides: Sequence[Side],
        sampling: Sampling,
        on_text: Callable[[int, Written], None],
        stopped: Callable[[], bool] = lambda: False,
    ) -> list[Written]:
        """Let all sides write to their end.

        Args:
            on_text: told (number of the side, what it has written) as that grows.
            stopped: asked after every token; True ends all sides.

        Raises:
            ModelError: the model's template cannot be filled with this conversation.
            SettingsError: there is nothing to continue.
        """
        chat = sampling.chat and self.has_template
        prompts = [self.encoded(side.messages, chat=chat) for side in sides]
        turns = Turns(len(sides))
        end = time.monotonic() + sampling.seconds
        voices = [
            _Voice(self, number, side.values, sampling, turns, on_text, stopped, end)
            for number, side in enumerate(sides)
        ]
        threads = [
            threading.Thread(target=voice.speak, args=(ids,), daemon=True)
            for voice, ids in zip(voices, prompts, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for voice in voices:
            if voice.error is not None:
                raise voice.error
        return [voice.written for voice in voices]

    def encoded(self, messages: Sequence[Message], *, chat: bool) -> torch.Tensor:
        """The tokens (1, T) that a side writes after."""
        text = messages[-1]["content"]
        if chat:
            try:
                text = self.tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=True
                )
            except Exception as error:
                # A template is anybody's program, and raises whatever it likes.
                raise ModelError(
                    f"The model's chat template does not take this conversation ({error}). Turn "
                    "the template off to continue plain text."
                ) from error
        ids: torch.Tensor = self.tokenizer(text, add_special_tokens=not chat, return_tensors="pt")[
            "input_ids"
        ]
        if not ids.shape[1]:
            raise SettingsError("There is nothing to continue. Write a prompt first.")
        return ids.to(next(self.model.parameters()).device)


class _Voice:
    """A side while it writes."""

    def __init__(
        self,
        talk: Talk,
        number: int,
        values: Values,
        sampling: Sampling,
        turns: Turns,
        on_text: Callable[[int, Written], None],
        stopped: Callable[[], bool],
        end: float,
    ) -> None:
        self._talk, self._number, self._values = talk, number, values
        self._sampling, self._turns, self._end = sampling, turns, end
        self._on_text, self._stopped = on_text, stopped
        self._random = torch.Generator().manual_seed(sampling.seed)
        self._began, self._turn = time.monotonic(), TURN_SECONDS
        self._ids: list[int] = []
        self.written = Written()
        self.error: Exception | None = None

    def speak(self, ids: torch.Tensor) -> None:
        """Write after these tokens (1, T), from turn to turn."""
        try:
            self._begin_turn()
            self._generate(ids)
        except Exception as error:
            # Whatever it is, who waits for this thread raises it; the other sides go on.
            self.error = error
        finally:
            self.written.seconds += time.monotonic() - self._began
            self._turns.leave(self._number)

    def _generate(self, ids: torch.Tensor) -> None:
        model, tokenizer = self._talk.model, self._talk.tokenizer
        ids, tokens = within_positions(self._talk.anatomy, ids, self._sampling.tokens)
        stop, pad = stop_and_pad(model, tokenizer)
        settings = GenerationConfig(
            max_new_tokens=tokens, do_sample=False, use_cache=True, eos_token_id=stop,
            pad_token_id=pad,
        )  # fmt: skip
        generate: Any = model.generate
        with torch.no_grad():
            out = generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                generation_config=settings,
                logits_processor=[self._drawn],
                stopping_criteria=[self._after_token],
            )
        self._tell(whole=True)
        ends = set(stop if isinstance(stop, list) else [stop])
        of_its_own = int(out[0, -1]) in ends
        self.written.ended = self.written.ended or ("end" if of_its_own else "length")
        self._on_text(self._number, self.written)

    def _drawn(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (1, V) whose highest is a token drawn at the temperature."""
        if not self._sampling.temperature:
            return scores
        even = torch.rand(scores.shape, generator=self._random).clamp_min(TINY)
        noise = -torch.log(-torch.log(even)).to(scores.device)
        return scores.float() / self._sampling.temperature + noise

    def _after_token(self, ids: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
        self._ids.append(int(ids[0, -1]))
        self.written.tokens += 1
        ends = "stopped" if self._stopped() else ""
        if time.monotonic() > self._end:
            ends = "time"
        self.written.ended = ends
        if not ends and time.monotonic() - self._began >= self._turn:
            self._tell()
            if self._turns.alone:
                self._began, used = time.monotonic(), time.monotonic() - self._began
                self.written.seconds += used
            else:
                self.written.seconds += time.monotonic() - self._began
                self._turns.give(self._number)
                self._begin_turn()
        return torch.full((1,), bool(ends), dtype=torch.bool, device=ids.device)

    def _begin_turn(self) -> None:
        self._turns.take(self._number)
        before = time.monotonic()
        self._talk.exchange.put(self._values)
        self._began = time.monotonic()
        # What was trained may be all of a large model: exchanging must not take most of the time.
        self._turn = max(TURN_SECONDS, EXCHANGE_SHARE * (self._began - before))

    def _tell(self, *, whole: bool = False) -> None:
        text = str(self._talk.tokenizer.decode(self._ids, skip_special_tokens=True))
        # Bytes of a character whose others are still to come.
        self.written.text = text if whole else text.rstrip("\N{REPLACEMENT CHARACTER}")
        self._on_text(self._number, self.written)
