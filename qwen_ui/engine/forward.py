"""One batch -> the sum of its losses, by the shortest way that is proven to be exact.

Three shortcuts, each of which can be turned off: the cached prefix (`prefix_cut`, `prefix_cache`),
the chunked head and loss (`chunked_loss`), and no attention mask for padding on the right
(`mask_proof`). Without them it is the model's own forward and a plain cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.data import IGNORED, Batch
from qwen_ui.engine.chunked_loss import head_loss, head_losses
from qwen_ui.engine.divergence import wide_linear
from qwen_ui.engine.fused_loss import fused_head_loss
from qwen_ui.engine.prefix_cut import Cut, cut_prefix
from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.freeze import Selection
from qwen_ui.model.libraries import PreTrainedModel

T = TypeVar("T")


class Trainee(nn.Module):
    """A model as the loop sees it.

    Args:
        model: the causal language model; a plan has been applied to it.
        selection: that plan, resolved.
        cache_prefix: whether to cut the model at its first trained block.
        cut: a cut that was made already, in its place.

    Attributes:
        anatomy: of the model.
        cut: how to run the prefix alone; None where there is none, or it cannot be cached.
        why_uncut: the sentence that says so, "" where it is cut or nothing is frozen below.
        chunked: whether the head is computed in chunks.
        maskless: whether padding needs no mask; set by the loop, which proves it.
        fused: whether Liger's kernel computes the chunks; see `step_graph`.
        autocast: context of mixed precision, in which each forward pass runs; set by the loop.
    """

    model: PreTrainedModel
    body: nn.Module
    head: nn.Module | None

    def __init__(
        self,
        model: PreTrainedModel,
        selection: Selection,
        *,
        cache_prefix: bool,
        cut: Cut | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.anatomy = selection.anatomy
        # Not registered as children: they are the model's.
        self.__dict__["body"] = model.base_model
        self.__dict__["head"] = model.get_output_embeddings()
        # Exactly a linear layer: one that an adapter wraps adds to what its weight gives.
        self.chunked = isinstance(self.head, nn.Linear) and self.body is not model
        self.cut: Cut | None = cut
        self.why_uncut = ""
        if cut is None and cache_prefix:
            self.cut, self.why_uncut = cut_prefix(model, selection)
        self.maskless = False
        self.fused = False
        self.autocast: Callable[[], Any] = nullcontext

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """Arguments of the model's forward for this batch: without a mask where none is needed."""
        return {**batch.inputs, "attention_mask": None} if self.maskless else batch.inputs

    def forward(
        self,
        batch: Batch,
        prefix_BTH: torch.Tensor | None = None,
        *,
        plain: bool = False,
        each: bool = False,
    ) -> torch.Tensor:
        """Sum of the losses (nats, float32) at the positions that carry one.

        Args:
            plain: take no shortcut.
            each: the losses themselves, in the order of the batch's `rows`; without gradients.
                (Sharded weights are whole within this call alone.)
        """
        inputs = batch.inputs if plain else self.inputs(batch)
        prefix_BTH = self._below(inputs, None if plain else prefix_BTH)
        with self.autocast(), self._shortened(prefix_BTH):
            if self.chunked and not plain:
                assert self.head is not None
                hidden_BTH = self.body(**inputs).last_hidden_state
                hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, batch.rows)
                if batch.spare_rows:
                    hidden_NH = hidden_NH * (batch.targets >= 0).to(hidden_NH.dtype).unsqueeze(1)
                loss = head_losses if each else fused_head_loss if self.fused else head_loss
                return loss(hidden_NH, self.head, batch.targets)
            # From the model's own logits.
            logits = self.model(**inputs).logits
            logits_NV = logits.flatten(0, 1).index_select(0, batch.rows).float()
            return F.cross_entropy(
                logits_NV, batch.targets, reduction="none" if each else "sum", ignore_index=IGNORED
            )

    def observe(
        self,
        batch: Batch,
        prefix_BTH: torch.Tensor | None,
        look: Callable[[torch.Tensor, nn.Module], T],
    ) -> T:
        """What `look` makes of the states (N, H) whose next token is in the loss, and of the head.

        Autocast is off in it. Of a model whose logits are what its head gives (`chunked`).
        """
        assert self.head is not None
        with self.autocast(), self._shortened(prefix_BTH):
            hidden_BTH = self.body(**self.inputs(batch)).last_hidden_state
        hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, batch.rows)
        with torch.autocast(hidden_NH.device.type, enabled=False):
            return look(hidden_NH, self.head)

    def wide_logits(self, batch: Batch, prefix_BTH: torch.Tensor | None) -> torch.Tensor:
        """The model's own logits (N, V) at the rows in the loss, in float32 from the head on."""

        def widen(head: nn.Module, given: Any, _output: Any) -> torch.Tensor:
            assert isinstance(head, nn.Linear)
            with torch.autocast(given[0].device.type, enabled=False):
                return wide_linear(given[0], head)

        widened = type(self.head) is nn.Linear
        handle = self.head.register_forward_hook(widen) if widened and self.head else None
        try:
            logits_BTV = self.logits(self.inputs(batch), prefix_BTH)
        finally:
            if handle is not None:
                handle.remove()
        return logits_BTV.flatten(0, 1).index_select(0, batch.rows).float()

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The output of the frozen blocks (B, T, H) for these arguments of the model's forward."""
        assert self.cut is not None
        with self.autocast():
            return self.cut.run_prefix(inputs)

    def states(
        self, inputs: dict[str, Any], prefix_BTH: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What the head is given (B, T, H); the logits where the model does not part the two.

        With the prefix's output, by the suffix alone.
        """
        if self.body is self.model:
            return self.logits(inputs, prefix_BTH)
        prefix_BTH = self._below(inputs, prefix_BTH)
        with self.autocast(), self._shortened(prefix_BTH):
            states: torch.Tensor = self.body(**inputs).last_hidden_state
            return states

    def logits(
        self, inputs: dict[str, Any], prefix_BTH: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The model's own logits (B, T, V)."""
        prefix_BTH = self._below(inputs, prefix_BTH)
        with self.autocast(), self._shortened(prefix_BTH):
            logits: torch.Tensor = self.model(**inputs).logits
            return logits

    def _shortened(self, prefix_BTH: torch.Tensor | None) -> Any:
        """Context in which forward passes begin after the prefix, where its output is given."""
        if self.cut is None or prefix_BTH is None:
            return nullcontext()
        return self.cut.suffix_only(prefix_BTH)

    def _below(
        self, inputs: dict[str, Any], prefix_BTH: torch.Tensor | None
    ) -> torch.Tensor | None:
        """The prefix's output for these inputs where a forward pass cannot do without it."""
        if prefix_BTH is None and self.cut is not None and not self.cut.runs_whole:
            return self.run_prefix(inputs)
        return prefix_BTH

    def generate(self, **arguments: Any) -> Any:
        """The model's own generation."""
        generate: Any = self.model.generate
        with self.cut.all_here() if self.cut is not None else nullcontext():
            return generate(**arguments)

    def go_uncut(self, why: str) -> None:
        """Run the frozen blocks at every step from here on.

        Raises:
            StreamError: they are not in memory; it says why that is needed.
        """
        if self.cut is not None and not self.cut.holds_prefix:
            raise StreamError(
                f"The frozen blocks of this model have to be in memory together. {why} Set prefix "
                "to keep, which loads all of them."
            )
        self.cut = None

    @property
    def prefix_blocks(self) -> int:
        """Number of blocks whose outputs are cached."""
        return 0 if self.cut is None else self.cut.depth
