"""Axolotl's YAML: `unfrozen_parameters`, or LoRA.

What trains without an adapter follows Axolotl 067b021: `unfrozen_parameters` (`axolotl_pattern`),
else everything; LoRA is `axolotl_lora`.

Spectrum (0ed1756, `spectrum.py`) writes such a list, and always begins it with the head and the
embedding.

`freeze_mm_modules` (`freeze_mm_modules`, after all else) freezes what is in a part for images or
sound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.axolotl_lora import read_both, read_lora
from qwen_ui.freeze.tools.axolotl_pattern import AxolotlPattern, axolotl_matches
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, short_text
from qwen_ui.freeze.tools.lisa import with_lisa
from qwen_ui.freeze.tools.values import Values, flag, text, text_list, whole_number
from qwen_ui.model import Anatomy

_IMAGES_AND_SOUND = frozenset(
    {
        *("vision_tower", "vision_model", "vision_encoder", "embed_vision"),
        *("multi_modal_projector", "visual", "audio_tower", "audio_model", "embed_audio"),
    }
)


def read_axolotl(values: Values, anatomy: Anatomy, format: str = "axolotl") -> Reading:
    """What Axolotl would train.

    Raises:
        PlanError: a setting is of another type than Axolotl's.
    """
    patterns = text_list(values, "unfrozen_parameters")
    adapter = text(values, "adapter")
    if adapter and adapter not in ("lora", "qlora"):
        raise PlanError(
            f"Axolotl's adapter '{adapter[:40]}' is not one that lint reads: lora, qlora."
        )
    if any("SpectrumPlugin" in plugin for plugin in text_list(values, "plugins")):
        raise PlanError(
            "The plugin of Spectrum makes unfrozen_parameters anew when the run starts, from a "
            "file of signal to noise ratios. Lint the list that it makes."
        )
    if adapter and patterns:
        reading = read_both(values, patterns, anatomy, format)
    elif adapter:
        reading = read_lora(values, anatomy, format)
    else:
        reading = _frozen(patterns, anatomy, format) if patterns else _everything(anatomy, format)
    if flag(values, "freeze_mm_modules"):
        reading = _without_images(reading)
    drawn = whole_number(values, "lisa_n_layers", 0)
    if drawn and whole_number(values, "lisa_step_interval", 0):
        among = text(values, "lisa_layers_attribute", "model.layers")
        return with_lisa(reading, anatomy, "lisa_n_layers", drawn, among)
    return reading


def _without_images(reading: Reading) -> Reading:
    """What is left to train where the parts for images and sound are frozen at last."""

    def kept(names: frozenset[str]) -> frozenset[str]:
        return frozenset(n for n in names if not _IMAGES_AND_SOUND & set(n.split(".")))

    adapted = kept(reading.adapted)
    same = adapted == reading.adapted
    return replace(
        reading,
        whole=kept(reading.whole),
        adapted=adapted,
        adapter_elements=reading.adapter_elements if same else None,
    )


def _everything(anatomy: Anatomy, format: str) -> Reading:
    told = Problem(
        "note", "There is neither an adapter nor unfrozen_parameters: Axolotl trains every tensor."
    )
    return Reading(format, (), frozenset(p.name for p in anatomy.parameters), problems=(told,))


def _frozen(patterns: Sequence[str], anatomy: Anatomy, format: str) -> Reading:
    names = tuple(p.name for p in anatomy.parameters)
    entries = tuple(
        Entry("unfrozen_parameters", pattern, tuple(names[i] for i in found), candidates=names)
        for pattern, found in zip(patterns, axolotl_matches(patterns, names), strict=True)
    )
    whole = frozenset(name for entry in entries for name in entry.names)
    problems = (*_about_dots(entries), *_about_ranges(entries, anatomy), *_spectrum(entries))
    rows = _rows(entries, anatomy)
    return Reading(format, entries, whole, problems=tuple(problems), partial=rows)


def _rows(entries: Sequence[Entry], anatomy: Anatomy) -> dict[str, int]:
    """Of tensors that an entry with a range matches, the elements in the rows of all ranges.

    An entry without one does not widen them (`freeze_layers_except`).
    """
    rows: dict[str, set[int]] = {}
    shapes = {p.name: p.shape for p in anatomy.parameters}
    for entry in entries:
        pattern = AxolotlPattern.of(entry.entry)
        for name in entry.names if pattern.rows else ():
            span = pattern.span(shapes[name][0])
            if span.stop <= shapes[name][0]:
                rows.setdefault(name, set()).update(span)
    return {name: len(found) * math.prod(shapes[name][1:]) for name, found in rows.items()}


def _about_dots(entries: Sequence[Entry]) -> Iterator[Problem]:
    for entry in entries:
        if not entry.names and re.search(r"\\\.|\.\*", entry.entry):
            yield Problem(
                "warning",
                f"Axolotl takes every dot of '{short_text(entry.entry)}' literally unless a + "
                "follows: write .+ for any text, and no backslash before a dot.",
            )


def _about_ranges(entries: Sequence[Entry], anatomy: Anatomy) -> Iterator[Problem]:
    sizes = {p.name: p.shape[0] for p in anatomy.parameters if p.shape}
    for entry in entries:
        pattern = AxolotlPattern.of(entry.entry)
        if pattern.rows is None:
            continue
        for name in entry.names:
            span = pattern.span(sizes.get(name, 0))
            if span.stop > sizes.get(name, 0) or not span:
                yield Problem(
                    "error",
                    f"Axolotl refuses '{entry.entry}': {name} has {sizes.get(name, 0):,} rows.",
                )
                break
        else:
            if entry.names:
                span = pattern.span(sizes[entry.names[0]])
                yield Problem(
                    "warning",
                    f"'{entry.entry}' trains rows {span.start:,} to {span.stop - 1:,} only, by "
                    "zeroing the other gradients; weight decay still moves the other rows. A plan "
                    "of whole tensors cannot say that: names and plan here mean the whole tensor.",
                )


def _spectrum(entries: Sequence[Entry]) -> Iterator[Problem]:
    written = [entry.entry for entry in entries[:2]]
    if written == ["^lm_head.weight$", "^model.embed_tokens.weight$"] and len(entries) > 2:
        yield Problem(
            "note",
            "Spectrum begins every list with the head and the embedding, whatever their signal to "
            "noise: they train beside what it ranked.",
        )
