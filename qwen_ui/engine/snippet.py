"""A few lines of plain PyTorch that put a delta on its base; nothing of this package is needed."""

from __future__ import annotations

import textwrap

from qwen_ui.model import Anatomy, hub_id, is_hub_id
from qwen_ui.paths import named_path

_LOAD = """\
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

base = {base!r}
model = AutoModelForCausalLM.from_pretrained(base, dtype={dtype})
tokenizer = AutoTokenizer.from_pretrained(base)
delta = load_file({delta!r})
weights = dict(model.named_parameters(remove_duplicate=False))
with torch.no_grad():
"""
_WEIGHTS = """\
for name, value in delta.items():
    weights[name].copy_(value)
"""
# B A is what is added (arXiv 2106.09685); a stack of experts has its own name, without `.weight`.
_ADAPTERS = """\
for name, a in delta.items():
    if name.endswith(".lora_A.default.weight"):
        place = name.removesuffix(".lora_A.default.weight")
        b = delta[place + ".lora_B.default.weight"]
        weight = weights[place if a.dim() == 3 else place + ".weight"]
        weight.copy_(weight.float() + b.float() @ a.float())
"""


def loadable_name(anatomy: Anatomy) -> str:
    """What plain transformers loads this model by: its hub id, else the folder of its weights."""
    named = hub_id(anatomy.source)
    if is_hub_id(named) and named_path(named) is None:
        return named
    return str(anatomy.weights_folder or named)


def loading_snippet(base: str, delta: str, *, adapters: bool, dtype: str = "float32") -> str:
    """The lines, ready to be pasted.

    Args:
        base: folder or hub id of the base.
        delta: path of the delta's file.
        adapters: whether it holds LoRA adapters.
        dtype: of the weights in memory, by torch's name.
    """
    put = textwrap.indent(_ADAPTERS if adapters else _WEIGHTS, "    ")
    return _LOAD.format(base=base, dtype=f"torch.{dtype}", delta=delta) + put
