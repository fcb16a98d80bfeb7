"""One training, step by step: shortcuts proven on the first batch, then the loop.

Called by the worker process; pages and commands ask it for a checked spec, learning rates, prices
and merged deltas. It loads weights, writes to its run through `runs.RunWriter`, and caches outputs
of frozen blocks under `home()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.engine.adapter import write_adapter
    from qwen_ui.engine.delta import Delta, apply_delta, delta_file, read_delta
    from qwen_ui.engine.dialled import Dialled, Measured
    from qwen_ui.engine.exchange import BASE, Exchange
    from qwen_ui.engine.lora import WeightChanges
    from qwen_ui.engine.pass_speed import known_speed
    from qwen_ui.engine.prefix_choice import (
        PrefixChoice,
        choose_prefix,
        pass_sentence,
        run_need,
    )
    from qwen_ui.engine.rate_finder import search_steps
    from qwen_ui.engine.rate_search import RateSearch
    from qwen_ui.engine.rates import SuggestedRate, suggest_learning_rate
    from qwen_ui.engine.request import (
        check_spec,
        check_spec_within_limits,
        checked_spec,
    )
    from qwen_ui.engine.setup import Prepared, set_up
    from qwen_ui.engine.snippet import loadable_name, loading_snippet
    from qwen_ui.engine.step_price import as_worker, auto_dtype, step_of
    from qwen_ui.engine.stream.prefix_pass import PORTION_BYTES
    from qwen_ui.engine.stream.refusal import StreamError
    from qwen_ui.engine.strengths import (
        AS_TRAINED,
        HIGHEST,
        Strengths,
        parse_strength,
        parse_strengths,
    )
    from qwen_ui.engine.talk import Message, Sampling, Side, Talk, Written
    from qwen_ui.engine.token_losses import TokenLosses, exact_matches, token_accuracy
    from qwen_ui.engine.trainer import Trainer

__all__ = [
    "AS_TRAINED",
    "BASE",
    "HIGHEST",
    "PORTION_BYTES",
    "Delta",
    "Dialled",
    "Exchange",
    "Measured",
    "Message",
    "PrefixChoice",
    "Prepared",
    "RateSearch",
    "Sampling",
    "Side",
    "StreamError",
    "Strengths",
    "SuggestedRate",
    "Talk",
    "TokenLosses",
    "Trainer",
    "WeightChanges",
    "Written",
    "apply_delta",
    "as_worker",
    "auto_dtype",
    "check_spec",
    "check_spec_within_limits",
    "checked_spec",
    "choose_prefix",
    "delta_file",
    "exact_matches",
    "known_speed",
    "loadable_name",
    "loading_snippet",
    "parse_strength",
    "parse_strengths",
    "pass_sentence",
    "read_delta",
    "run_need",
    "search_steps",
    "set_up",
    "step_of",
    "suggest_learning_rate",
    "token_accuracy",
    "write_adapter",
]
__getattr__ = lazy_face(__name__, __file__)
