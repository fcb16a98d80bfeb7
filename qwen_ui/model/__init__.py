"""What a model is, opened without its weights: names, configuration, anatomy.

Called by every later room. It reads configuration files and installed libraries, may ask the hub
for a configuration, and writes nothing. A person's patterns are matched in a process of their own.
What weight files hold is `model.weights`; sentences that explain a part are `model.explain`;
transformers is imported by `model.libraries` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import (
        Anatomy,
        Block,
        Kind,
        Module,
        Parameter,
        Role,
        bias_beside,
        dtype_bytes,
        is_bias,
    )
    from qwen_ui.model.config_values import (
        config_int,
        config_text,
        config_value,
        head_size,
        key_value_heads,
        language_config,
    )
    from qwen_ui.model.dataflow import Dataflow, Part, trace_block
    from qwen_ui.model.difference import Difference, compare_models
    from qwen_ui.model.folding import (
        Fold,
        KindGroup,
        children_by_parent,
        find_folds,
        group_kinds,
        group_label,
    )
    from qwen_ui.model.limits import (
        embedding_rows,
        input_embedding,
        length_note,
        most_positions,
        refuse_length,
    )
    from qwen_ui.model.matching import MAX_PATTERN, check_pattern, match_names, matched_groups
    from qwen_ui.model.names import DEFAULT_MODEL, NANO, hub_id, is_hub_id, preset_models
    from qwen_ui.model.opening import open_model, open_within_limits
    from qwen_ui.model.patterns import anchored_patterns, block_pattern, pattern_for
    from qwen_ui.model.per_anatomy import once_per_anatomy
    from qwen_ui.model.reach import unreached
    from qwen_ui.model.reach_tracing import long_pass, needed_beside_tokens
    from qwen_ui.model.remote_code import trust_remote_code_of
    from qwen_ui.model.skeleton import TRACED_TOKENS, build_on_meta, step_inputs
    from qwen_ui.model.tracing import FakeModel, fake_model

__all__ = [
    "DEFAULT_MODEL",
    "MAX_PATTERN",
    "NANO",
    "TRACED_TOKENS",
    "Anatomy",
    "Block",
    "Dataflow",
    "Difference",
    "FakeModel",
    "Fold",
    "Kind",
    "KindGroup",
    "Module",
    "Parameter",
    "Part",
    "Role",
    "anchored_patterns",
    "bias_beside",
    "block_pattern",
    "build_on_meta",
    "check_pattern",
    "children_by_parent",
    "compare_models",
    "config_int",
    "config_text",
    "config_value",
    "dtype_bytes",
    "embedding_rows",
    "fake_model",
    "find_folds",
    "group_kinds",
    "group_label",
    "head_size",
    "hub_id",
    "input_embedding",
    "is_bias",
    "is_hub_id",
    "key_value_heads",
    "language_config",
    "length_note",
    "long_pass",
    "match_names",
    "matched_groups",
    "most_positions",
    "needed_beside_tokens",
    "once_per_anatomy",
    "open_model",
    "open_within_limits",
    "pattern_for",
    "preset_models",
    "refuse_length",
    "step_inputs",
    "trace_block",
    "trust_remote_code_of",
    "unreached",
]
__getattr__ = lazy_face(__name__, __file__)
