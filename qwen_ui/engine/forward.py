"""One batch -> the sum of its losses, by the shortest way that is proven to be exact.

Two shortcuts, each of which can be turned off: the kept prefix (`stubs`, `prefix`) and the chunked
head (`head`). Without both it is the model's own forward and a plain cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.data import Batch
from qwen_ui.engine.chunked_loss import head_loss
from qwen_ui.engine.prefix_cache import KeptPrefix
from qwen_ui.engine.prefix_cut import PrefixCut, drops_out
from qwen_ui.freeze import Selection
from qwen_ui.model.libraries import PreTrainedModel

# Rows of a matrix product from which on a CPU's results are seen not to depend on their number:
# 5 rows differ from 40 in the last digit, 13 do not (docs/decisions/engine.md).
SAME_KERNELS = 64


class Trainee(nn.Module):
    """A model as the loop sees it.

    Args:
        model: the causal language model; a plan has been applied to it.
        selection: that plan, resolved.
        keep_prefix: whether to cut the model at its first trained block.

    Attributes:
        cut: how to run the prefix alone; None where there is none, or it may not be kept.
        why_uncut: the sentence that says so, "" where it is cut or nothing is frozen below.
        chunked: whether the head is computed in chunks.
    """

    model: PreTrainedModel
    body: nn.Module
    head: nn.Module | None

    def __init__(self, model: PreTrainedModel, selection: Selection, *, keep_prefix: bool) -> None:
        super().__init__()
        self.model = model
        # Not registered as children: they are the model's.
        self.__dict__["body"] = model.base_model
        self.__dict__["head"] = model.get_output_embeddings()
        self.chunked = self.head is not None and self.body is not model
        self.cut, self.why_uncut = _cut(model, selection) if keep_prefix else (None, "")

    def forward(
        self, batch: Batch, kept_BTH: torch.Tensor | None = None, *, plain: bool = False
    ) -> torch.Tensor:
        """Sum of the losses (nats, float32) at the positions that carry one.

        With `plain` neither shortcut is taken.
        """
        if plain:
            return self._plain_loss(batch)
        cut = self.cut
        shortened = nullcontext() if cut is None or kept_BTH is None else cut.suffix_only(kept_BTH)
        with shortened:
            if self.chunked:
                assert self.head is not None
                hidden_BTH = self.body(**batch.inputs).last_hidden_state
                hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, batch.rows)
                return head_loss(hidden_NH, self.head, batch.targets)
            return self._plain_loss(batch)

    def _plain_loss(self, batch: Batch) -> torch.Tensor:
        """The same from the model's own logits."""
        logits_NV = self.model(**batch.inputs).logits.flatten(0, 1).index_select(0, batch.rows)
        return F.cross_entropy(logits_NV.float(), batch.targets, reduction="sum")

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """What the frozen blocks put out (B, T, H) for these arguments of the model's forward."""
        assert self.cut is not None
        return self.cut.run_prefix(inputs)

    def generate(self, **arguments: Any) -> Any:
        """The model's own generation."""
        generate: Any = self.model.generate
        return generate(**arguments)

    @property
    def prefix_blocks(self) -> int:
        return 0 if self.cut is None else self.cut.depth


class PrefixSource:
    """Where the prefix's output of a batch comes from: what is kept, else the blocks themselves.

    Args:
        trainee: whose prefix it is.
        kept: where outputs are kept; None keeps none.
        agree: whether all processes hold theirs, given that this one does. Where weights are shared
            out the blocks can only be run by all processes together.

    Attributes:
        trouble: why nothing more is kept, "" while all is well.
    """

    def __init__(
        self, trainee: Trainee, kept: KeptPrefix | None, agree: Callable[[bool], bool] = bool
    ) -> None:
        self._trainee, self._kept, self._agree = trainee, kept, agree
        self.trouble = ""

    def fetch(self, batch: Batch) -> torch.Tensor | None:
        """(B, T, H) without a graph; None where the model is not cut."""
        if self._trainee.cut is None:
            return None
        kept = self._kept
        if kept is None:
            self._agree(False)
            return self._trainee.run_prefix(batch.inputs)
        absent = [row for row, index in enumerate(batch.indexes) if not kept.holds(index)]
        if self._agree(not absent):
            return kept.get(batch)
        hidden_BTH = self._complete(kept, batch, absent)
        if not self.trouble:
            try:
                kept.put(batch, hidden_BTH)
            except OSError as error:
                self.trouble = f"No more prefix outputs are cached: {error.strerror}."
        return hidden_BTH

    def _complete(self, kept: KeptPrefix, batch: Batch, absent: list[int]) -> torch.Tensor:
        """The outputs of a batch of which only these rows have to be computed."""
        if len(absent) == len(batch.indexes) or not _alone_as_together(batch, absent):
            return self._trainee.run_prefix(batch.inputs)
        rows = torch.tensor(absent, device=batch.tokens_BT.device)
        inputs = {
            name: value[rows] if torch.is_tensor(value) else value
            for name, value in batch.inputs.items()
        }
        computed = self._trainee.run_prefix(inputs)
        hidden_BTH = kept.get(batch)
        hidden_BTH[rows] = computed.to(hidden_BTH.dtype)
        return hidden_BTH


def _alone_as_together(batch: Batch, rows: list[int]) -> bool:
    """Whether these rows by themselves come out of the blocks as they do with the whole batch.

    To the last bit, so that a run that goes on after a kill stays equal to one that was not killed:
    with masks as before, and matrices tall enough for the same kernels.
    """
    tall = len(rows) * batch.tokens_BT.shape[1] >= SAME_KERNELS
    return tall and _masked(batch, rows) == _masked(batch, slice(None))


def _masked(batch: Batch, rows: list[int] | slice) -> bool:
    """Whether these rows need a mask of their own: padding, or several samples in one sequence."""
    if batch.positions_BT is not None:
        return bool((batch.positions_BT[rows, 1:] == 0).any())
    return batch.mask_BT is not None and not bool(batch.mask_BT[rows].all())


def _cut(model: PreTrainedModel, selection: Selection) -> tuple[PrefixCut | None, str]:
    depth = selection.prefix_blocks
    if not depth:
        return None, ""
    stack = model.get_submodule(selection.anatomy.stack)
    assert isinstance(stack, nn.ModuleList), type(stack)
    suffix = {id(m) for block in stack[depth:] for m in block.modules()}
    before = [m for m in model.modules() if id(m) not in suffix]
    if drops_out(before):
        return None, (
            "The frozen blocks use dropout in training, so their outputs change from step to step "
            "and are not cached. Set the dropout in the model's configuration to 0."
        )
    return PrefixCut(model.base_model, stack, depth), ""
