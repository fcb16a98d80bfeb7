"""torchtune's recipes: LoRA on kinds of layers, or everything.

torchtune bd2a0fc, `torchtune/modules/peft/_utils.py` (`get_lora_module_names`) and, for instance,
`torchtune/models/qwen2/_component_builders.py` (`lora_qwen2`): `lora_attn_modules` are among
`q_proj`, `k_proj`, `v_proj` and `output_proj`, in every block; `apply_lora_to_mlp` is the three
layers of the MLP, `apply_lora_to_output` the head. All else is frozen, biases of adapted layers,
too. Its names are other ones than those of transformers, which are given here.
"""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.values import Values, flag, text, text_list, whole_number
from qwen_ui.model import Anatomy

ATTENTION = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj"}
MLP = ("gate_proj", "up_proj", "down_proj")


def read_torchtune(values: Values, anatomy: Anatomy) -> Reading:
    """What a recipe with this `model:` part would train.

    Raises:
        PlanError: it is no model of torchtune's, or this model's layers have other names.
    """
    model = values.get("model")
    if not isinstance(model, dict):
        raise PlanError("The recipe has no `model:` with a `_component_`.")
    component = text(model, "_component_")
    builder = component.rpartition(".")[2]
    if not builder.startswith(("lora_", "qlora_")):
        told = Problem("note", f"{builder} has no adapters: torchtune trains every tensor.")
        return Reading(
            "torchtune", (), frozenset(p.name for p in anatomy.parameters), problems=(told,)
        )
    leaves = {name.rpartition(".")[2] for name in parts_of(anatomy).linear_names}
    if not set(ATTENTION.values()) <= leaves:
        raise PlanError(
            f"torchtune's recipes are for models whose attention is q, k, v and output; the layers "
            f"of {anatomy.source} are {', '.join(sorted(leaves)[:8])}."
        )
    reading = _adapted(model, anatomy)
    return _with_size(reading, model, anatomy)


def _adapted(model: Values, anatomy: Anatomy) -> Reading:
    problems = []
    entries = []
    for item in text_list(model, "lora_attn_modules"):
        names = _weights(anatomy, (ATTENTION[item],)) if item in ATTENTION else ()
        entries.append(Entry("lora_attn_modules", item, names, candidates=tuple(ATTENTION)))
    if not entries:
        problems.append(
            Problem(
                "error", f"torchtune refuses an empty lora_attn_modules: {', '.join(ATTENTION)}."
            )
        )
    if flag(model, "apply_lora_to_mlp"):
        entries.append(Entry("apply_lora_to_mlp", "True", _weights(anatomy, MLP)))
    if flag(model, "apply_lora_to_output"):
        head = f"{parts_of(anatomy).head}.weight"
        entries.append(Entry("apply_lora_to_output", "True", in_tree_order(anatomy, (head,))))
        if anatomy.head_is_tied:
            problems.append(
                Problem(
                    "error",
                    "torchtune refuses apply_lora_to_output: head and embedding of "
                    f"{anatomy.source} are one tensor. Set it to False.",
                )
            )
    adapted = frozenset(name for entry in entries for name in entry.names)
    return Reading("torchtune", tuple(entries), frozenset(), adapted, 0, tuple(problems))


def _weights(anatomy: Anatomy, leaves: tuple[str, ...]) -> tuple[str, ...]:
    """Weights of the linear layers of these names in the blocks."""
    blocks = {p.name for p in anatomy.parameters if p.block is not None}
    named = (
        f"{n}.weight" for n in parts_of(anatomy).linear_names if n.rpartition(".")[2] in leaves
    )
    return in_tree_order(anatomy, (name for name in named if name in blocks))


def _with_size(reading: Reading, model: Values, anatomy: Anatomy) -> Reading:
    rank = whole_number(model, "lora_rank", 8)
    dora = flag(model, "use_dora")
    shapes = (anatomy.by_name[name].shape for name in reading.adapted)
    elements = sum(rank * (s[0] + s[1]) + (s[0] if dora else 0) for s in shapes)
    return replace(reading, adapter_elements=elements)
