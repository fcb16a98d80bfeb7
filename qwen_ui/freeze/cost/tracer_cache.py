"""What was traced of a model, kept as long as its anatomy lives and shared by all who ask."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import torch

from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.freeze.cost.all_shapes import LONGEST, AllShapes, Range, proven
from qwen_ui.freeze.cost.background import EndingError, go_on, in_background
from qwen_ui.freeze.cost.segment_tracer import SegmentTracer
from qwen_ui.freeze.cost.segments import BlockState, Profile, Segment, StepShape
from qwen_ui.model import Anatomy, FakeModel, fake_model, most_positions

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.segments import HeadLoss

# Those that were asked one by one, the nodes and checks of both ranges, and some to spare.
_MAX_SHAPES = 32
_MAX_SEGMENTS = 4096
# From so many shapes of a model on, the traces that give all shapes are cheaper than one for each.
_SHAPES_ONE_BY_ONE = 6
_lock = threading.Lock()
_models: dict[tuple[int, str | None], _ModelTracers] = {}
_Part = tuple[Hashable, ...]
_Trace = Callable[[SegmentTracer], Profile]
logger = logging.getLogger("qwen_ui")


class StepSegments:
    """The segments of one model in steps of one shape."""

    def __init__(self, model: _ModelTracers, shape: StepShape) -> None:
        self._model, self._shape = model, shape
        self.itemsize, self.hidden_bytes_per_token = model.widths

    def block(self, index: int, state: BlockState) -> Segment:
        """The segment of block `index` in this state."""
        part = (self._model.signature(index, self._shape), state)
        return self._model.segment(self._shape, part, lambda tracer: tracer.block(index, state))

    def outside(
        self,
        trains: frozenset[str],
        blocks_need_gradient: bool,
        head_loss: HeadLoss | None,
        accumulates: bool = False,
    ) -> Segment:
        """Embedding, final norm, head and loss; see `SegmentTracer.outside`."""
        asked = (trains, blocks_need_gradient, head_loss, accumulates)
        return self._model.segment(self._shape, asked, lambda tracer: tracer.outside(*asked))


class _Traced:
    """A fake model of its own, its lock, and the tracers of the shapes asked for last."""

    def __init__(self, anatomy: weakref.ref[Anatomy], dtype: str | None) -> None:
        self.lock = threading.RLock()
        self._anatomy, self._dtype = anatomy, dtype
        self._fake: FakeModel | None = None
        self._tracers: OrderedDict[StepShape, SegmentTracer] = OrderedDict()

    def tracer(self, shape: StepShape) -> SegmentTracer:
        with self.lock:
            anatomy = self._anatomy()
            assert anatomy is not None
            if self._fake is None:
                self._fake = fake_model(anatomy, dtype_named(self._dtype))
            if shape not in self._tracers:
                self._tracers[shape] = SegmentTracer(anatomy, self._fake, self.lock, shape)
            self._tracers.move_to_end(shape)
            while len(self._tracers) > _MAX_SHAPES:
                self._tracers.popitem(last=False)
            return self._tracers[shape]


class _ModelTracers:
    """What was traced of a model.

    Who asks for what is known does not wait for a trace, and nobody waits for the many that give
    all shapes: they are made in the background, on a fake model of their own.
    """

    def __init__(self, anatomy: Anatomy, dtype: str | None) -> None:
        self._anatomy = weakref.ref(anatomy)
        self._direct = _Traced(self._anatomy, dtype)
        self._background = _Traced(self._anatomy, dtype)
        self._asked: set[StepShape] = set()
        self._known: OrderedDict[tuple[StepShape, _Part], Segment] = OrderedDict()
        self._composed: dict[tuple[bool, Range, _Part], AllShapes | None] = {}
        self._begun: set[tuple[bool, Range, _Part]] = set()
        self._longest = LONGEST
        self._signatures: dict[bool, list[object]] = {}
        self.widths = (0, 0)

    def prepare(self, shape: StepShape) -> None:
        """Know the blocks and the widths of the model, from a first trace."""
        self._asked.add(shape)
        if shape.padded in self._signatures:
            return
        with self._direct.lock:
            if shape.padded not in self._signatures:
                tracer = self._direct.tracer(shape)
                self.widths = (tracer.itemsize, tracer.hidden_bytes_per_token)
                anatomy = self._anatomy()
                assert anatomy is not None
                self._longest = most_positions(anatomy, LONGEST) or LONGEST
                # The last: who finds it here does not wait for the lock.
                self._signatures[shape.padded] = [
                    tracer.signature(index) for index in range(anatomy.block_count)
                ]

    def signature(self, index: int, shape: StepShape) -> object:
        return self._signatures[shape.padded][index]

    def segment(self, shape: StepShape, part: _Part, trace: _Trace) -> Segment:
        """The segment of a part of the model in a step of this shape."""
        key = (shape, part)
        if (found := self._known.get(key)) is not None:
            return found
        found = self._from_others(shape, part, trace)
        if found is None:
            with self._direct.lock:
                found = trace(self._direct.tracer(shape)).segment()
        self._known[key] = found
        while len(self._known) > _MAX_SEGMENTS:
            self._known.popitem(last=False)
        return found

    def _from_others(self, shape: StepShape, part: _Part, trace: _Trace) -> Segment | None:
        """The segment from those of other shapes; None where it has to be traced."""
        size = (shape.batch_size, shape.sequence_length)
        known = Range(self._longest, single=shape.batch_size == 1)
        if not known.holds(size) or len(self._asked) <= _SHAPES_ONE_BY_ONE:
            return None
        key = (shape.padded, known, part)
        if key not in self._begun:
            self._begun.add(key)
            in_background(lambda: self._compose(key, trace))
        found = self._composed.get(key)
        return None if found is None else found.segment(size)

    def _compose(self, key: tuple[bool, Range, _Part], trace: _Trace) -> None:
        padded, known, _ = key
        if (anatomy := self._anatomy()) is None:
            return

        def profile(at: tuple[int, int]) -> Profile:
            go_on()
            return trace(self._background.tracer(StepShape(*at, padded)))

        try:
            self._composed[key] = proven(known, profile)
        except EndingError:
            return
        except Exception:
            # Model classes may raise anything in a fake step; who asks is told by a trace's own.
            logger.info("%s is traced shape by shape.", anatomy.model_type, exc_info=True)


def segments_for(anatomy: Anatomy, shape: StepShape, dtype: str | None = None) -> StepSegments:
    """The segments of this model in steps of this shape.

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
        if key not in _models:
            _models[key] = _ModelTracers(anatomy, dtype)
            weakref.finalize(anatomy, _models.pop, key, None)
        model = _models[key]
    try:
        model.prepare(shape)
        return StepSegments(model, shape)
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
