"""What other tools ask of a model's modules: which are linear layers, embeddings, norms."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ui.model import Anatomy, once_per_anatomy


@dataclass(frozen=True, slots=True)
class Part:
    """One module as the tools see it.

    Attributes:
        name: its first path in the model.
        kind: `linear`, `conv1d` (transformers' transposed linear layer), `embedding`, `conv`,
            `layernorm` (torch's), or `other`.
        class_name: name of its class.
        groups: of a convolution; 1 for everything else.
    """

    name: str
    kind: str
    class_name: str
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Parts:
    """The modules of a model, each once, in tree order.

    Attributes:
        listed: every module under its first name, as torch's `named_modules()` gives them.
        paths: every name of every module, second names of shared ones included.
        head: name of the module that computes the logits; empty where there is none.
        embedding: first name of the module that embeds the tokens; empty where there is none.
    """

    listed: tuple[Part, ...]
    paths: tuple[str, ...]
    head: str
    embedding: str

    @property
    def token_ends(self) -> tuple[str, ...]:
        """Last parts of the names of embedding and head, those that there are."""
        names = (self.embedding, self.head)
        return tuple(dict.fromkeys(name.rpartition(".")[2] for name in names if name))

    @property
    def linear_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.listed if p.kind == "linear")


@once_per_anatomy
def parts_of(anatomy: Anatomy) -> Parts:
    """The modules of the anatomy's model, asked of a weightless one.

    Raises:
        ModelError: it was opened from a bare module, which has no configuration to build from.
    """
    from torch import nn  # noqa: PLC0415  seconds

    from qwen_ui.model import fake_model  # noqa: PLC0415
    from qwen_ui.model.libraries import Conv1D  # noqa: PLC0415

    kinds = (
        (nn.Linear, "linear"),
        (Conv1D, "conv1d"),
        (nn.Embedding, "embedding"),
        ((nn.Conv1d, nn.Conv2d, nn.Conv3d), "conv"),
        (nn.LayerNorm, "layernorm"),
    )
    module = fake_model(anatomy).module
    head, embedding = module.get_output_embeddings(), module.get_input_embeddings()
    listed = []
    head_name = embedding_name = ""
    for name, child in module.named_modules():
        kind = next((kind for types, kind in kinds if isinstance(child, types)), "other")
        groups = int(getattr(child, "groups", 1)) if kind == "conv" else 1
        listed.append(Part(name, kind, type(child).__name__, groups))
        if child is head:
            head_name = name
        if child is embedding:
            embedding_name = name
    paths = tuple(name for name, _ in module.named_modules(remove_duplicate=False))
    return Parts(tuple(listed), paths, head_name, embedding_name)
