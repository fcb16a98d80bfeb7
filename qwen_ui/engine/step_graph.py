"""The passes of a micro-batch, and the frozen blocks' pass, as work that a GPU replays."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from qwen_ui.data import IGNORED, Batch
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.fused_loss import has_fused_loss
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.replay import CudaRecorder, Evidence, Record, Replays, Tensors
from qwen_ui.engine.verify import TOLERANCES

# Rows in the loss are filled up to a multiple, so that their number makes few shapes.
ROWS = 256
# Elements of each gradient by which a replay is compared with the passes themselves.
COMPARED = 4096


class StepGraphs:
    """Forward and backward passes of micro-batches, and passes of the prefix alone.

    Once a shape is recorded, gradients are always left in the same places: whoever adds up several
    micro-batches copies them before the next.

    Args:
        trainee: whose passes they are; its shortcuts proven before the first.
        parameters: that train, by name.
        record: how work is recorded.
        passes, prefixes: how many micro-batches the run has, and how many of them need the pass of
            the prefix; as far as that is known.
    """

    def __init__(
        self,
        trainee: Trainee,
        parameters: Mapping[str, nn.Parameter],
        record: Record,
        passes: float = math.inf,
        prefixes: float = math.inf,
    ) -> None:
        self._trainee, self._parameters = trainee, list(parameters.values())
        self._gradients: dict[int, torch.Tensor] = {}
        self._narrow = next(trainee.model.parameters()).dtype != torch.float32
        other = ("with Liger's fused head", self._fused) if has_fused_loss() else None
        self._passes = Replays(self._train, self._evidence, "Micro-batches", record, passes, other)
        self._prefixes = Replays(
            self._prefix, self._outputs, "Frozen blocks' passes", record, prefixes
        )

    @classmethod
    def for_device(
        cls,
        trainee: Trainee,
        parameters: Mapping[str, nn.Parameter],
        group: ProcessGroup,
        passes: float,
        prefixes: float,
    ) -> StepGraphs | None:
        """For one process on CUDA; None elsewhere, where nothing is replayed."""
        if group.device.type != "cuda" or group.world_size > 1:
            return None
        return cls(trainee, parameters, CudaRecorder(), passes, prefixes)

    def run(self, batch: Batch, prefix_BTH: torch.Tensor | None, share: float) -> torch.Tensor:
        """The sum of a micro-batch's losses; the gradients of `share` of it are left behind."""
        if not (self._passes.possible and self._trainee.maskless and self._trainee.chunked):
            return self._backward(batch, prefix_BTH, share)
        spare = -len(batch.rows) % ROWS
        inputs = {
            "tokens": batch.tokens_BT,
            "rows": nn.functional.pad(batch.rows, (0, spare)),
            "targets": nn.functional.pad(batch.targets, (0, spare), value=IGNORED),
            "share": torch.full((), share, device=batch.tokens_BT.device),
        }
        if batch.positions_BT is not None:
            inputs["positions"] = batch.positions_BT
        if prefix_BTH is not None:
            inputs["prefix"] = prefix_BTH
        loss = self._passes(inputs).clone()
        if self._passes.recorded:
            self._show()
        elif not self._passes.possible:
            # Without a recording, a parameter that a micro-batch does not use has no gradient.
            self._gradients.clear()
        return loss

    def run_prefix(self, batch: Batch) -> torch.Tensor:
        """The outputs of the frozen blocks for a batch (B, T, H)."""
        if not (self._prefixes.possible and self._trainee.maskless):
            return self._trainee.run_prefix(self._trainee.inputs(batch))
        inputs = {"tokens": batch.tokens_BT}
        if batch.positions_BT is not None:
            inputs["positions"] = batch.positions_BT
        return self._prefixes(inputs).clone()

    def take_notes(self) -> list[str]:
        """What was found since they were last taken, in sentences."""
        taken = [*self._passes.notes, *self._prefixes.notes]
        self._passes.notes.clear()
        self._prefixes.notes.clear()
        return taken

    def _train(self, inputs: Tensors) -> torch.Tensor:
        if self._gradients:
            torch._foreach_zero_(list(self._gradients.values()))
            self._show()
        batch = _batch(inputs, inputs["rows"], inputs["targets"])
        return self._backward(batch, inputs.get("prefix"), inputs["share"])

    def _backward(
        self, batch: Batch, prefix_BTH: torch.Tensor | None, share: float | torch.Tensor
    ) -> torch.Tensor:
        loss: torch.Tensor = self._trainee(batch, prefix_BTH)
        (loss * share).backward()
        return loss.detach()

    def _prefix(self, inputs: Tensors) -> torch.Tensor:
        nothing = inputs["tokens"].new_zeros(0)
        return self._trainee.run_prefix(self._trainee.inputs(_batch(inputs, nothing, nothing)))

    def _fused(self, inputs: Tensors) -> torch.Tensor:
        self._trainee.fused = True
        try:
            return self._train(inputs)
        finally:
            self._trainee.fused = False

    def _evidence(self, loss: torch.Tensor) -> Evidence:
        """Loss and gradients; the places of these become those of every later micro-batch."""
        for index, parameter in enumerate(self._parameters):
            if parameter.grad is not None:
                self._gradients.setdefault(index, parameter.grad)
        held = list(self._gradients.values())
        some = torch.cat([gradient.flatten()[:COMPARED].float() for gradient in held])
        norms = torch.stack(list(torch._foreach_norm(held, 2, dtype=torch.float32)))
        most_loss, most = TOLERANCES[torch.bfloat16 if self._narrow else torch.float32]
        return [(loss.reshape(1).clone(), most_loss), (norms, most), (some, most)]

    def _outputs(self, prefix_BTH: torch.Tensor) -> Evidence:
        _, most = TOLERANCES[torch.bfloat16 if self._narrow else torch.float32]
        return [(prefix_BTH.clone(), most)]

    def _show(self) -> None:
        for index, gradient in self._gradients.items():
            self._parameters[index].grad = gradient


def _batch(inputs: Tensors, rows: torch.Tensor, targets: torch.Tensor) -> Batch:
    tokens_BT = inputs["tokens"]
    return Batch(
        indexes=(),
        tokens_BT=tokens_BT,
        mask_BT=None,
        positions_BT=inputs.get("positions"),
        rows=rows,
        targets=targets,
        token_count=tokens_BT.numel(),
        spare_rows=True,
    )
