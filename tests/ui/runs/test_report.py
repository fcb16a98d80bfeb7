"""Runs as one HTML file."""

from __future__ import annotations

import json

from qwen_ui.paths import runs_folder
from qwen_ui.runs import RunWriter, annotate, run_rows
from qwen_ui.ui.runs.report import report
from tests.helpers.run_events import finished


def test_a_report_holds_its_library_and_escapes_what_is_shown() -> None:
    folder = finished("bitfit", 3.0)
    annotate(folder.name, name="<script>alert(1)</script>")
    with RunWriter(folder) as run:
        run.event("sample", step=0, prompt="</script><b>", text="<i>")
        run.status("completed")
    text = report([folder.name], run_rows(runs_folder()))
    assert "alert(1)</script>" not in text
    assert "&lt;i&gt;" in text
    assert "Plotly" in text
    assert "http://127" not in text
    data = text.split("const RUNS = ")[1].split(";\n")[0]
    assert json.loads(data)[0]["lines"]["eval"] == [[0, 2], [6.0, 3.0]]
