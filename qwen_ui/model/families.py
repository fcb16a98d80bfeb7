"""Every causal language model that transformers names, opened from its default configuration.

`python -m qwen_ui.model.families > docs/architectures.md` writes the table anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from textwrap import wrap

from qwen_ui.errors import ModelError
from qwen_ui.formats import percent
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.blocks import hidden_layers
from qwen_ui.model.catalog import configuration_from_dict
from qwen_ui.model.folding import find_folds
from qwen_ui.model.libraries import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, transformers_version
from qwen_ui.model.opening import open_model

# Where the number of blocks and the configuration's own number differ, or need a word.
NOTES = {
    "blenderbot": "num_hidden_layers is the encoder's (2); decoder_layers counts these",
    "blt": "a byte model of four parts, each with its own number; these are the global ones",
    "git": "the vision tower has more layers than the language model; these are the latter's",
    "hrm_text": "two stacks of 16, run again and again; num_hidden_layers counts every pass",
    "longcat_flash": "a block holds two attentions: num_hidden_layers is 2 × num_layers",
}


@dataclass(frozen=True, slots=True)
class Family:
    """What a model type is made of, or why it cannot be built from its defaults.

    Attributes:
        model_type: transformers' name.
        anatomy: None where it cannot be built.
        expected: the number of hidden layers that its configuration names.
        problem: the sentence that a person reads; empty where it opens.
    """

    model_type: str
    anatomy: Anatomy | None
    expected: int | None
    problem: str = ""

    @property
    def row(self) -> str:
        """Its row of the table in Markdown."""
        if self.anatomy is None:
            return f"| `{self.model_type}` | does not build: {self.problem} | | | | | | | | | |"
        anatomy = self.anatomy
        roles: Counter[str] = Counter()
        for parameter in anatomy.parameters:
            roles[str(parameter.role)] += parameter.numel
        shares = ", ".join(
            f"{role} {percent(count / anatomy.total_parameters)}"
            for role, count in roles.most_common()
        )
        forms = sum(len(f.indexes) for f in find_folds(anatomy) if f.parent == anatomy.stack)
        folds = [f for f in find_folds(anatomy) if f.parent == anatomy.stack]
        kinds = len(folds) + anatomy.block_count - forms
        return (
            f"| `{self.model_type}` | {len(anatomy.modules):,} | {len(anatomy.parameters):,} | "
            f"{anatomy.total_parameters:,} | {anatomy.block_count} | "
            f"{'-' if self.expected is None else self.expected} | {kinds} | "
            f"{len(anatomy.tied)} | `{anatomy.stack}` | {shares} | "
            f"{NOTES.get(self.model_type, '')} |"
        )


def model_types() -> tuple[str, ...]:
    """The types of transformers' causal language models, sorted."""
    return tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))


def open_family(model_type: str) -> Family:
    """The family opened from the defaults of its configuration."""
    try:
        configuration = configuration_from_dict({"model_type": model_type}, where=model_type)
        anatomy = open_model(configuration)
    except ModelError as error:
        return Family(model_type, None, None, str(error))
    return Family(model_type, anatomy, hidden_layers(configuration))


def table() -> str:
    """The page `docs/architectures.md`."""
    families = [open_family(model_type) for model_type in model_types()]
    built = sum(family.anatomy is not None for family in families)
    about = (
        f"Every causal language model that transformers {transformers_version} names, opened "
        f"weightless from the defaults of its configuration: {built} of {len(families)} build. "
        "The rest need values that their defaults do not give, and say so in one sentence. "
        "Written by `python -m qwen_ui.model.families`; `tests/model/test_families.py` holds "
        "every row."
    )
    columns = (
        "*Expected* is the number of layers that the configuration names, *forms* how many "
        "different kinds of block there are, *ties* how many groups of names are one tensor."
    )
    return "\n".join(
        (
            "# Architectures",
            "",
            *wrap(about, 100),
            "",
            *wrap(columns, 100),
            "",
            "| type | modules | tensors | parameters | blocks | expected | forms | ties | stack | "
            "roles | note |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|---|---|",
            *(family.row for family in families),
            "",
        )
    )


if __name__ == "__main__":
    sys.stdout.write(table())
