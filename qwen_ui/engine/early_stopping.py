"""Early stopping: the best evaluation so far, the tensors that gave it, and when to stop."""

from __future__ import annotations

from dataclasses import replace

import torch

from qwen_ui.engine.checkpoint import Progress
from qwen_ui.engine.optimizer import MasterAdamW

_IN_CHECKPOINT = "best/"
# A second copy of the trained tensors is held up to this size.
MAX_BEST_BYTES = 1024**3
WIDTH = 4  # bytes of a float32 element


class EarlyStopping:
    """Follows the evaluation loss and holds the float32 masters that gave the lowest.

    Args:
        patience: evaluations without a lower loss before the run ends; 0 never ends it.
    """

    def __init__(self, optimizer: MasterAdamW, *, patience: int) -> None:
        self._optimizer, self._patience = optimizer, patience
        self._holds = bool(patience) and WIDTH * optimizer.elements <= MAX_BEST_BYTES
        # Named as in a checkpoint, so that the optimizer loads them as it loads one.
        self._best: dict[str, torch.Tensor] = {}

    def judged(self, progress: Progress, loss: float) -> Progress:
        """The progress with a further evaluation taken in."""
        best = progress.eval_best
        if best is not None and loss >= best:
            return replace(progress, eval_stale=progress.eval_stale + 1)
        progress = replace(progress, eval_best=loss, eval_stale=0)
        if not self._holds:
            return progress
        trained = self._optimizer.trained()
        self._best = {f"master/{name}": tensor.clone() for name, tensor in trained.items()}
        return replace(progress, best_step=progress.step)

    def reason_to_stop(self, progress: Progress) -> str:
        """Why the run ends here; "" where it goes on."""
        if not self._patience or progress.eval_stale < self._patience:
            return ""
        said = f"No better evaluation loss in {self._patience} evaluations."
        return f"{said} Its tensors are those of step {progress.best_step}." if self._best else said

    def restore_best(self) -> None:
        """Put the best tensors back, where they are held."""
        if self._best:
            self._optimizer.load_state_tensors(self._best)

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """What a checkpoint holds of it."""
        return {_IN_CHECKPOINT + name: tensor for name, tensor in self._best.items()}

    def load_state_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over what a checkpoint holds of it."""
        held = {name: t for name, t in tensors.items() if name.startswith(_IN_CHECKPOINT)}
        self._best = {name.removeprefix(_IN_CHECKPOINT): t for name, t in held.items()}
