"""Several plans, one verdict: the same model, data, seeds and steps.

Called by the Compare tab and the commands. It starts runs through `workers` and writes one file per
comparison, next to its runs, and into a run's folder its seal and what a dial measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.compare.comparison import (
        Comparison,
        comparison_from,
        comparison_settings,
        latest_comparison,
        make_comparison,
        plan_comparison,
        read_comparison,
        write_comparison,
    )
    from qwen_ui.compare.contenders import Contender, lora_reference, parse_plans, parse_rates
    from qwen_ui.compare.dial_process import DialState, dial_state, start_dial, token_changes_of
    from qwen_ui.compare.dial_record import DialRequest
    from qwen_ui.compare.dialling import turn
    from qwen_ui.compare.membership import comparison_members, comparisons_with
    from qwen_ui.compare.replaying import Replay, replay, replay_spec
    from qwen_ui.compare.report import (
        legend_of,
        markdown_report,
        samples_of,
        setup_of,
        table_of,
    )
    from qwen_ui.compare.rows import Row, keeps, row_records, rows_of
    from qwen_ui.compare.run_results import notes_of, results, searches_of
    from qwen_ui.compare.running import run_comparison, start_runs, stop_runs
    from qwen_ui.compare.seal import Seal, write_seal
    from qwen_ui.compare.sealing import open_seal, seal_comparison, seal_of
    from qwen_ui.compare.shipping import Limits, ship
    from qwen_ui.compare.verdict import (
        comparison_record,
        headline,
        search_records,
        verdict_sentence,
    )

__all__ = [
    "Comparison",
    "Contender",
    "DialRequest",
    "DialState",
    "Limits",
    "Replay",
    "Row",
    "Seal",
    "comparison_from",
    "comparison_members",
    "comparison_record",
    "comparison_settings",
    "comparisons_with",
    "dial_state",
    "headline",
    "keeps",
    "latest_comparison",
    "legend_of",
    "lora_reference",
    "make_comparison",
    "markdown_report",
    "notes_of",
    "open_seal",
    "parse_plans",
    "parse_rates",
    "plan_comparison",
    "read_comparison",
    "replay",
    "replay_spec",
    "results",
    "row_records",
    "rows_of",
    "run_comparison",
    "samples_of",
    "seal_comparison",
    "seal_of",
    "search_records",
    "searches_of",
    "setup_of",
    "ship",
    "start_dial",
    "start_runs",
    "stop_runs",
    "table_of",
    "token_changes_of",
    "turn",
    "verdict_sentence",
    "write_comparison",
    "write_seal",
]
__getattr__ = lazy_face(__name__, __file__)
