"""Imports run one way: model <- freeze <- train <- ui, and cli beside ui."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "qwen_ui"
MAY_IMPORT = {
    "model": {"model"},
    "freeze": {"freeze", "model"},
    "train": {"train", "freeze", "model"},
    "ui": {"ui", "train", "freeze", "model", "records"},
}
COMMON = {"errors", "paths", "__version__"}


def imported(file: Path) -> set[str]:
    """Full names of all modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file} imports relatively"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_before_it(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for file in files:
        rooms = {name.split(".")[1] for name in imported(file) if name.startswith("qwen_ui.")}
        assert rooms <= MAY_IMPORT[room] | COMMON, file


def test_only_the_pages_import_gradio_and_only_figures_imports_plotly() -> None:
    for file in sorted(PACKAGE.rglob("*.py")):
        tops = {name.split(".")[0] for name in imported(file)}
        if file.parent.name != "ui":
            assert "gradio" not in tops, file
        if file.name != "figures.py":
            assert "plotly" not in tops, file


def test_no_tab_imports_another_tab() -> None:
    for file in sorted((PACKAGE / "ui").glob("*_tab.py")):
        assert not {n for n in imported(file) if n.endswith("_tab") and file.stem not in n}, file


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("qwen_ui.model.opening", "gradio plotly"),
        ("qwen_ui.freeze.selection", "gradio plotly"),
        ("qwen_ui.freeze.presets", "torch transformers gradio"),
        ("qwen_ui.ui.app", "torch transformers plotly"),
        ("qwen_ui.cli", "torch transformers gradio"),
    ],
)
def test_importing_a_module_leaves_these_out(module: str, absent: str) -> None:
    code = f"import sys, {module}; print(*(n for n in {absent.split()!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_one_module_imports_transformers() -> None:
    """Asked while another thread imports it, it has no names; see `libraries`."""
    importers = {
        file.name
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "transformers" for name in imported(file))
    }
    assert importers == {"libraries.py"}


IMPORTING_AT_ONCE = """
import sys, threading, time
failed = []
def first():
    import qwen_ui.freeze.cost
def second():
    while "transformers" not in sys.modules:
        time.sleep(1e-4)
    try:
        import qwen_ui.model.catalog
    except ImportError as error:
        failed.append(str(error))
threads = [threading.Thread(target=target) for target in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*failed)
"""


@pytest.mark.slow
def test_a_thread_may_import_while_another_does() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING_AT_ONCE], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_importing_the_page_writes_no_stubs_into_gradio() -> None:
    code = (
        "import qwen_ui.ui.app, gradio, gradio.component_meta as meta;"
        "assert meta.create_or_modify_pyi.__name__ == '<lambda>';"
        "print(callable(gradio.Textbox().change))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]
