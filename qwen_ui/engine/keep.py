"""What a model loses of a text that it is to keep: its loss there, and KL(base || tuned).

The text is another than the one that is learned: on that one the divergence measures the learning.
Both figures are per token that carries a loss, at the same positions and under the same mask, and
in float32 or wider whatever the weights are held in. The baseline is taken of the very base, before
the first step or before a checkpoint is loaded; an untrained model has lost exactly 0 by both.

A baseline holds 4 H + 8 bytes a token (2,312 of a model 576 wide) where the head is frozen and its
outputs are the logits; else a copy of what trains, and the base is run a second time.
"""

from __future__ import annotations

import torch
from torch import nn

from qwen_ui.engine.base_values import BaseValues
from qwen_ui.engine.divergence import (
    LOGITS_BYTES,
    Anchors,
    Divergences,
    anchor,
    diverged,
    plainly_diverged,
)
from qwen_ui.engine.evaluation import EvaluationPass, Part
from qwen_ui.engine.forward import Trainee
from qwen_ui.runs import KeptText


class Keep:
    """Measures what a trainee has lost of a text, at any time and for any values of what trains.

    Args:
        over: a pass over the text's examples.
        batch_size: sequences in a batch.
    """

    def __init__(self, over: EvaluationPass, batch_size: int) -> None:
        self._over, self._batch_size = over, batch_size
        self._anchors: dict[int, Anchors] = {}
        self._base: BaseValues | None = None
        self._before: tuple[float, ...] = ()

    @property
    def recorded(self) -> bool:
        """Whether there is a baseline."""
        return bool(self._before)

    def record_baseline(self) -> KeptText:
        """Take the baseline of the model as it is now: the base; its figures, nothing lost."""
        trainee, over = self._over.trainee, self._over
        self._anchors.clear()
        self._base = None if has_exact_head(trainee) else BaseValues(trainee)
        sums = over.sums()
        for part in over.parts(self._size):
            # Out of the cache, as at every later time: what was just computed differs at padding.
            prefix = part.prefix_BTH if over.source.cache is None else over.source.fetch(part.batch)
            losses = self._anchored(part, prefix)
            if part.counted:
                sums[0].index_add_(0, part.samples, losses.to(over.dtype))
        self._before = tuple(over.group.all_reduce_sum(sums)[0].tolist())
        nothing = (0.0,) * len(self._before)
        return KeptText(over.examples.loss_tokens, self._before, self._before, nothing)

    def evaluate(self) -> KeptText:
        """Losses and divergences as the model is now; a baseline has been recorded."""
        assert self.recorded, "the baseline comes before the first evaluation"
        over = self._over
        sums = over.sums(2)
        for part in over.parts(self._size):
            found = self._diverged(part)
            if part.counted:
                sums[0].index_add_(0, part.samples, found.loss_N.to(over.dtype))
                sums[1].index_add_(0, part.samples, found.kl_N.to(over.dtype))
        after, divergences = over.group.all_reduce_sum(sums).tolist()
        return KeptText(over.examples.loss_tokens, self._before, tuple(after), tuple(divergences))

    @property
    def _size(self) -> int:
        """Sequences in a batch: fewer where all logits of one have to be held."""
        if self._base is None:
            return self._batch_size
        words = self._over.trainee.model.config.get_text_config().vocab_size
        most = LOGITS_BYTES // (4 * words * self._over.examples.longest)
        return max(1, min(self._batch_size, most))

    def _anchored(self, part: Part, prefix_BTH: torch.Tensor | None) -> torch.Tensor:
        """The base's losses (N); what divergences from it need is held."""
        trainee, batch = self._over.trainee, part.batch
        if self._base is not None:
            logits_NV = trainee.wide_logits(batch, prefix_BTH)
            return plainly_diverged(logits_NV, logits_NV, batch.targets).loss_N

        def look(hidden_NH: torch.Tensor, head: nn.Module) -> torch.Tensor:
            losses, self._anchors[part.number] = anchor(hidden_NH, head, batch.targets)
            return losses

        return trainee.observe(batch, prefix_BTH, look)

    def _diverged(self, part: Part) -> Divergences:
        trainee, batch = self._over.trainee, part.batch
        if self._base is not None:
            with self._base.in_place():
                base_NV = trainee.wide_logits(batch, part.prefix_BTH)
            tuned_NV = trainee.wide_logits(batch, part.prefix_BTH)
            return plainly_diverged(base_NV, tuned_NV, batch.targets)
        anchors = self._anchors[part.number]
        return trainee.observe(
            batch,
            part.prefix_BTH,
            lambda hidden_NH, head: diverged(hidden_NH, head, batch.targets, anchors),
        )


def has_exact_head(trainee: Trainee) -> bool:
    """Whether divergences follow from the head's input: it is linear, last and frozen."""
    if not trainee.chunked or trainee.head is None:
        return False
    return not any(parameter.requires_grad for parameter in trainee.head.parameters())
