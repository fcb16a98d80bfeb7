"""Tracers of the models and step shapes that were asked for last, so that each is built once."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict

import torch

from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.freeze.cost.segment_tracer import SegmentTracer
from qwen_ui.freeze.cost.segments import StepShape
from qwen_ui.model import Anatomy, FakeModel, fake_model

# A page prices one shape at a time, and a table of cards a dozen batches.
_MAX_SHAPES = 24
_lock = threading.Lock()
_tracers_by_model: dict[tuple[int, str | None], _ModelTracers] = {}


class _ModelTracers:
    """One fake model, its lock, and the tracers of the shapes asked for last."""

    def __init__(self, anatomy: Anatomy, dtype: str | None) -> None:
        self._anatomy = weakref.ref(anatomy)
        self._dtype = dtype
        self._fake: FakeModel | None = None
        self._tracers: OrderedDict[StepShape, SegmentTracer] = OrderedDict()
        self._lock = threading.RLock()

    def tracer(self, shape: StepShape) -> SegmentTracer:
        anatomy = self._anatomy()
        assert anatomy is not None
        with self._lock:
            if self._fake is None:
                self._fake = fake_model(anatomy, dtype_named(self._dtype))
            if shape not in self._tracers:
                self._tracers[shape] = SegmentTracer(anatomy, self._fake, self._lock, shape)
            self._tracers.move_to_end(shape)
            while len(self._tracers) > _MAX_SHAPES:
                self._tracers.popitem(last=False)
            return self._tracers[shape]


def tracer_for(anatomy: Anatomy, shape: StepShape, dtype: str | None = None) -> SegmentTracer:
    """The tracer of this model for steps of this shape.

    Raises:
        ModelError: the model has no configuration, no blocks, or cannot be run on fake tensors.
        SettingsError: the dtype is not one to train in.
    """
    if anatomy.configuration is None or not anatomy.blocks:
        raise ModelError(
            f"A step of {anatomy.source} cannot be traced: it has no configuration to build its "
            "blocks from. Open it by a preset name, a folder or a transformers configuration."
        )
    dtype_named(dtype)
    key = (id(anatomy), dtype)
    with _lock:
        if key not in _tracers_by_model:
            _tracers_by_model[key] = _ModelTracers(anatomy, dtype)
            weakref.finalize(anatomy, _tracers_by_model.pop, key, None)
        tracers = _tracers_by_model[key]
    try:
        return tracers.tracer(shape)
    except ModelError:
        raise
    except Exception as error:
        # Model classes may raise anything in a fake step; it is this model that cannot be traced.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"A step of '{anatomy.model_type}' cannot be traced without weights "
            f"({type(error).__name__}: {reason}). Its price cannot be computed; its plan is still "
            "valid."
        ) from error


def dtype_named(name: str | None) -> torch.dtype | None:
    """The torch dtype of this name."""
    if name is None:
        return None
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point or dtype.itemsize < 2:
        raise SettingsError(
            f"'{name}' is not a dtype to train in. Use float32, bfloat16 or float16."
        )
    return dtype
