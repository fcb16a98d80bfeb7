"""The names of transformers that the package uses, looked up in one place.

While one thread imports transformers, another that asks for a name of it gets the half-made module,
which has none ("cannot import name 'AutoConfig'"): transformers puts another object in its place at
the end. A module of ours is waited for until it is whole, so this is the only one that imports
transformers; `tests/test_imports.py` holds that.
"""

from __future__ import annotations

from transformers import (
    CONFIG_MAPPING,
    AttentionInterface,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import __version__ as transformers_version
from transformers.conversion_mapping import (
    _MODEL_TO_CONVERSION_PATTERN,
    get_checkpoint_conversion_mapping,
    get_model_conversion_mapping,
)
from transformers.core_model_loading import (
    ConversionOps,
    WeightConverter,
    WeightRenaming,
    convert_and_load_state_dict_in_model,
    dot_natural_key,
    rename_source_key,
    revert_weight_conversion,
)
from transformers.initialization import no_init_weights
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import LoadStateDictConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.auto import AutoHfQuantizer, AutoQuantizationConfig
from transformers.quantizers.base import HfQuantizer, get_keys_to_not_convert
from transformers.utils.chat_template_utils import render_jinja_template
from transformers.utils.logging import disable_progress_bar, set_tqdm_hook

__all__ = [
    "CONFIG_MAPPING",
    "CONVERTED_LIKE",
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "AttentionInterface",
    "AutoConfig",
    "AutoHfQuantizer",
    "AutoModelForCausalLM",
    "AutoModelForImageTextToText",
    "AutoModelForSeq2SeqLM",
    "AutoQuantizationConfig",
    "AutoTokenizer",
    "Conv1D",
    "ConversionOps",
    "GenerationConfig",
    "HfQuantizer",
    "LoadStateDictConfig",
    "PreTrainedConfig",
    "PreTrainedModel",
    "WeightConverter",
    "WeightRenaming",
    "convert_and_load_state_dict_in_model",
    "disable_progress_bar",
    "dot_natural_key",
    "get_checkpoint_conversion_mapping",
    "get_keys_to_not_convert",
    "get_model_conversion_mapping",
    "no_init_weights",
    "rename_source_key",
    "render_jinja_template",
    "revert_weight_conversion",
    "sdpa_attention_forward",
    "set_tqdm_hook",
    "transformers_version",
]

# Type of a model -> the type whose renaming of checkpoints it shares. peft imports it, too.
CONVERTED_LIKE: dict[str, str] = _MODEL_TO_CONVERSION_PATTERN
