"""Rooms are used through their faces: what each offers is pinned, and nothing reaches past."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from qwen_ui.lazy import names_under_type_checking

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "qwen_ui"
# What each room offers to the others; a name that is added here is one that we keep.
PUBLIC = {
    "markup": """
        SERIES_COLOURS Grid Series Table chart environment figures_table render table view
    """,
    "limited": """
        LIGHT Limits TaskServer WARM
    """,
    "model": """
        MAX_PATTERN
        Anatomy Block DEFAULT_MODEL Dataflow Difference FakeModel Fold Kind KindGroup Module NANO
        Parameter Part Role TRACED_TOKENS anchored_patterns bias_beside block_pattern
        check_pattern children_by_parent compare_models config_int config_text config_value
        dtype_bytes embedding_rows fake_model find_folds group_kinds head_size hub_id is_bias
        input_embedding
        key_value_heads build_on_meta is_hub_id language_config length_note match_names
        matched_groups most_positions needed_beside_tokens group_label
        long_pass once_per_anatomy open_model open_within_limits pattern_for preset_models
        refuse_length step_inputs trace_block trust_remote_code_of unreached
    """,
    "model.explain": """
        Explanation explain_module explain_shape shape_product
    """,
    "model.weights": """
        MAX_SPECTRUM_SIDE MEASURES Place Spectrum Statistics Stored StoredTensor StoredWeights
        WeightGrid
        Conversion WeightsCheck check_weights copy_companions folder_fingerprint load_model
        load_tokenizer measure_weights quantization_of quantized_form read_rows read_tensor
        read_weights refuse_misfit refuse_unreadable rehearse spectrum tensor_statistics
        PiecewiseModel is_dequantized refuse_untrainable rewrite with_plain_modules
        computes_bfloat16 training_dtype unread_weights weights_folder weights_of
        why_no_weights write_rows
    """,
    "freeze": """
        MAX_IMPORT_BYTES MAX_PLAN_BYTES TOP_BLOCKS TOP_LAYERS Cost FreezePlan Rule Selection
        StepSettings apply canonical_plan default_layers estimate_cost export_formats
        export_text format_layers full_cost import_plan moved_to_blocks parse_layers preset
        preset_plans resolve
    """,
    "freeze.cost": """
        MAX_CHUNKED_TOKENS MAX_TOKENS Cost Engine StepSettings estimate_cost full_cost
        optimizer_names price OVERHEAD_BYTES WORTHWHILE PassTime Speed Way choose_way pass_time
        streamed_parameters streamed_sentence
    """,
    "freeze.export": """
        export_formats export_text import_plan
    """,
    "report": """
        Check Report inspection_report
    """,
    "freeze.lint": """
        LINT_FORMATS Lint lint_price lint_price_text lint_record lint_summary lint_text
    """,
    "data": """
        DATA_SUFFIXES IGNORED Batch Example Examples Order Preview check_data check_within_limits
        Measure measure_data measure_within_limits mistakes_in mistakes_within_limits
        collate data_path has_ids_beyond load_examples load_kept_text load_split padding_id
        measured_part
        parse_columns preview_data preview_within_limits refuse_ids_beyond shared_note shipped_data
    """,
    "runs": """
        AXES FIGURES FORMER_SETTINGS LAUNCHED LOG_NAME MOST_POINTS OF_MEMORY OVER SAVING
        SETTING_PLACES STOP Axis Carry Event Figure HeldOut KeptText NullWriter OptimizationSettings
        RateSearch ResourceSettings RunFold RunSpec RunTotals RunWriter Schedule Status Tracker
        Writer rate_search_of annotate annotation_of best_run bootstrap_interval changed_rows
        copy_results
        create_run csv_of delete_run first_process flat_settings fold_from fold_run
        free_memory gain_note is_alive lines_of list_runs log_tail make_spec note_launch
        open_folders parse_spec queue_lock read_events read_held_out read_kept_text read_spec
        living_process reading reason_for recorded_settings recorded_placement recorded_plan
        recorded_launch
        RecordedPlan Launched recorded_status run_curves run_folder run_lock
        run_names run_row run_rows run_summary runs_csv setting_choices setting_differences
        setting_field setting_label standard_error status_of tells_apart termination shown_lines
        write_held_out write_kept_text write_placement write_status Placement Superseded Terminated
        PhaseName Phases Tell tell_nobody
        DELTA_NAME Lineage command_line flag_of lineage_of memory_kills note_resume note_retry
        train_command Prefix setting_help
    """,
    "engine": """
        AS_TRAINED BASE Delta Dialled Exchange HIGHEST Measured Message Prepared RateSearch
        Sampling Side Strengths SuggestedRate Talk TokenLosses Trainer Written exact_matches
        token_accuracy parse_strength parse_strengths WeightChanges StreamError
        PORTION_BYTES PrefixChoice choose_prefix
        known_speed pass_sentence run_need
        loadable_name loading_snippet read_delta write_adapter apply_delta as_worker auto_dtype
        check_spec
        check_spec_within_limits checked_spec delta_file search_steps set_up step_of
        suggest_learning_rate
    """,
    "verify": """
        COLUMNS OnProgress Problem Verification by_size change_cells headline
        verification_markdown verification_record verify verify_run
    """,
    "workers": """
        ExportState default_output export_states push start_export
        ADVICE Answer AskedSide CARDS Card CardFit Playground SlurmRequest
        Supervisor child_environment cores dispatch find_devices fits_on_cards has_slurm kill
        largest_batch look_at_jobs partitions preload queue_position queued_runs resume retry
        retry_at_found_rate start stop wait
        free_place prefix_notice start_process worker_pid write_for_cluster
        Housekeeper
    """,
    "compare": """
        Comparison Contender DialRequest DialState Row comparison_record
        comparisons_with dial_state headline keeps latest_comparison start_dial
        token_changes_of turn
        legend_of lora_reference make_comparison markdown_report notes_of parse_plans parse_rates
        read_comparison results row_records rows_of run_comparison samples_of search_records
        searches_of setup_of start_runs stop_runs table_of verdict_sentence
        write_comparison
        comparison_from comparison_members comparison_settings plan_comparison
        Limits Replay replay replay_spec Seal open_seal seal_comparison seal_of ship write_seal
    """,
    "rank": """
        METHODS Method Ranking agreement rank rank_all rank_all_in_subprocess rank_correlation
        rank_in_subprocess
    """,
    "library": """
        AnyPlan ComparedPlans Run RunList as_contender compare_plans find_comparison find_run
        freeze_record inspect_record list_runs rank_blocks train
    """,
    "ui.programs": """
        offer_functions
    """,
    "ui.page": """
        AUTH_VARIABLE CHAT Header Jobs KJV NONE OWN QUIET SERIES_COLOURS Serving Session Tick
        build_app
        Place Smoothing
        build_figure build_run_view check_choice data_files data_measure data_preview default_plan
        figure_value
        guarded
        is_known_data keep_fields kept_files kept_text_file launch_options mount_point
        mounted_by own_columns own_file paragraph plotly_script render script
        server_function serving_from shown_with_own stand_in_for title_of trained_model wire_keep
        forget_saved_plan save_plan_as_named saved_plan saved_plan_names
        BAR build_launch_state refused runs_html
        INTERNAL Permit PermitButton Permits build_permit_button data_named data_names
        open_to_visitors wire_permit_button
    """,
}
# `model.libraries` stands for transformers itself; `ui` prepares gradio before anything imports it.
OPEN_MODULES = {"qwen_ui.model.libraries", "qwen_ui.ui.page.gradio_start"}
MODULES = {
    ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


@pytest.mark.parametrize("room", PUBLIC)
def test_a_face_offers_what_is_pinned_and_each_name_resolves(room: str) -> None:
    face = import_module(f"qwen_ui.{room}")
    assert sorted(face.__all__) == sorted(PUBLIC[room].split())
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("room", PUBLIC)
def test_a_face_has_one_home_per_name_and_no_module_of_that_name(room: str) -> None:
    file = MODULES[f"qwen_ui.{room}"]
    homes = names_under_type_checking(file.read_text(encoding="utf-8"))
    assert set(homes) == set(PUBLIC[room].split())
    assert not {name for name in homes if f"qwen_ui.{room}.{name}" in MODULES}


@pytest.mark.parametrize("room", [*PUBLIC, "cli", "ui"])
def test_a_room_says_who_may_call_it(room: str) -> None:
    tree = ast.parse(MODULES[f"qwen_ui.{room}"].read_text(encoding="utf-8"))
    text = " ".join((ast.get_docstring(tree) or "").split())
    assert "Called by" in text or "Nothing else calls it" in text


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'qwen_ui\.model' has no attribute 'nothing'"):
        _ = import_module("qwen_ui.model").nothing


def test_importing_every_face_loads_no_slow_library() -> None:
    rooms = [f"qwen_ui.{room}" for room in PUBLIC if room != "ui.page"]
    slow = {"torch", "transformers", "gradio", "pydantic"}
    code = f"import sys, {', '.join(rooms)}; print(*{slow!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def files_outside(room: str) -> Iterator[Path]:
    """Files that a room is closed to: all but its own, and those of the room around it."""
    own = PACKAGE / ("ui/page" if room == "ui.page" else room.split(".")[0])
    for top in (PACKAGE, REPOSITORY / "benchmarks", REPOSITORY / "scripts"):
        yield from (file for file in sorted(top.rglob("*.py")) if not file.is_relative_to(own))
    yield REPOSITORY / "app.py"


def names_from_inside(file: Path, room: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import from inside this room, inner rooms apart."""
    inner = tuple(f"qwen_ui.{other}" for other in PUBLIC if other.startswith(f"{room}."))
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for alias in node.names:
            submodule = f"{node.module}.{alias.name}"
            module = submodule if submodule in MODULES else node.module
            inside = module.startswith(f"qwen_ui.{room}.") and not module.startswith(inner)
            if inside and module not in OPEN_MODULES:
                yield module, alias.name


@pytest.mark.parametrize("room", PUBLIC)
def test_what_a_face_offers_is_imported_from_the_face(room: str) -> None:
    offered = set(PUBLIC[room].split())
    for file in files_outside(room):
        past = [name for _, name in names_from_inside(file, room) if name in offered]
        assert not past, f"{file} imports {past} past qwen_ui.{room}"


@pytest.mark.parametrize("room", PUBLIC)
def test_the_package_reaches_into_no_room(room: str) -> None:
    """Benchmarks measure internals and may; a room that needs another's internals does not."""
    for file in files_outside(room):
        if file.is_relative_to(PACKAGE):
            past = [f"{module}.{name}" for module, name in names_from_inside(file, room)]
            assert not past, f"{file} reaches for {past}: offer it in qwen_ui.{room}, or do without"
