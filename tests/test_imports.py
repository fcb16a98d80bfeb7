"""Imports run one way, from the model to the pages, and no files import each other in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "qwen_ui"
# Each room, and those before it that it may see; `qwen_ui/*.py` may be seen by all.
LIMITED = {"limited"}
MODEL = LIMITED | {"model"}
FREEZE = MODEL | {"freeze"}
DATA = MODEL | {"data"}
RUNS = {"runs"}
ENGINE = FREEZE | DATA | RUNS | {"engine"}
WORKERS = ENGINE | {"workers"}
COMPARE, RANK = WORKERS | {"compare"}, WORKERS | {"rank"}
VERIFY = ENGINE | {"verify"}
ALL = COMPARE | RANK | VERIFY | {"report"}
MAY_IMPORT = {
    "limited": LIMITED,
    "model": MODEL,
    "freeze": FREEZE,
    "report": FREEZE | {"report"},
    "data": DATA,
    "runs": RUNS,
    "engine": ENGINE,
    "workers": WORKERS,
    "compare": COMPARE,
    "rank": RANK,
    "verify": VERIFY,
    "library": ALL | {"library"},
    "ui": ALL | {"library", "ui"},
    "cli": ALL | {"library", "cli"},
}
COMMON = {"errors", "files", "formats", "gpus", "lazy", "markup", "paths", "visits", "__version__"}
TABS = ("inspect", "freeze", "train", "runs", "compare")


def module_name(file: Path) -> str:
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path, *, typing: bool = True) -> set[str]:
    """Full names of all modules that a file imports, inside functions too.

    Args:
        typing: whether imports under `if TYPE_CHECKING` count.
    """
    names: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in guarded:
            continue
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
        if "ui" not in file.relative_to(PACKAGE).parts:
            assert "gradio" not in tops, file
        if file.name != "figures.py":
            assert "plotly" not in tops, file


@pytest.mark.parametrize("tab", TABS)
def test_no_tab_imports_another_tab(tab: str) -> None:
    others = {f"qwen_ui.ui.{other}" for other in TABS if other != tab}
    for file in sorted((PACKAGE / "ui" / tab).rglob("*.py")):
        met = {n for n in imported(file) if ".".join(n.split(".")[:3]) in others}
        assert not met, file


def test_the_shell_imports_no_tab() -> None:
    tabs = {f"qwen_ui.ui.{tab}" for tab in TABS}
    for file in sorted((PACKAGE / "ui" / "page").rglob("*.py")):
        assert not {n for n in imported(file) if ".".join(n.split(".")[:3]) in tabs}, file


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions count; those for types alone do not."""
    modules = {module_name(file): file for file in PACKAGE.rglob("*.py")}
    graph = {
        name: {other for other in imported(file, typing=False) if other in modules} - {name}
        for name, file in modules.items()
        if file.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("qwen_ui.model.opening", "gradio plotly"),
        ("qwen_ui.freeze.selection", "gradio plotly"),
        ("qwen_ui.freeze.presets", "torch transformers gradio"),
        ("qwen_ui.ui.page.app", "torch transformers plotly"),
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


BOTH = """
threads = [threading.Thread(target=target) for target in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*failed)
"""


def said_by_both(code: str) -> str:
    """What two threads of a fresh Python, `first` and `second`, failed with."""
    done = subprocess.run(
        [sys.executable, "-c", code + BOTH], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


IMPORTING_AT_ONCE = """
import sys, threading, time
failed = []
def first():
    import qwen_ui.freeze.cost.estimate
def second():
    while "transformers" not in sys.modules and threads[0].is_alive():
        time.sleep(1e-4)
    try:
        import qwen_ui.model.catalog
    except ImportError as error:
        failed.append(str(error))
"""


@pytest.mark.slow
def test_a_thread_may_import_while_another_does() -> None:
    assert said_by_both(IMPORTING_AT_ONCE) == ""


SOURCE_WHILE_TORCH_COMES = """
import sys, threading, time
from qwen_ui.model import open_model
from qwen_ui.ui.inspect.detail import source_text
anatomy = open_model("nano")
assert "torch" not in sys.modules
failed = []
def second():
    while "torch" not in sys.modules:
        time.sleep(1e-4)
    try:
        assert "class Linear" in source_text(anatomy, "model.layers.0.self_attn.q_proj")
    except Exception as error:
        failed.append(str(error))
def first():
    try:
        import torch
        torch.backends
    except Exception as error:
        failed.append(str(error))
"""


@pytest.mark.slow
def test_a_class_s_source_may_be_asked_for_while_torch_is_imported() -> None:
    assert said_by_both(SOURCE_WHILE_TORCH_COMES) == ""


def test_importing_the_page_writes_no_stubs_into_gradio() -> None:
    code = (
        "import qwen_ui.ui.page.app, gradio, gradio.component_meta as meta;"
        "assert meta.create_or_modify_pyi.__name__ == '<lambda>';"
        "print(callable(gradio.Textbox().change))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_no_part_of_torch_is_asked_for_before_torch() -> None:
    """Python makes a part's lock first. Two threads, one at torch and one at a part of it, wait for
    each other then; Python lets them go on with what is half made, and torch stays so for good.
    """
    early = []
    for file in sorted(PACKAGE.rglob("*.py")):
        asked: list[tuple[int, str]] = []
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                asked.extend((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                asked.append((node.lineno, node.module))
        of_torch = [name for _, name in sorted(asked) if name.partition(".")[0] == "torch"]
        if of_torch and of_torch[0] != "torch":
            early.append(file.name)
    assert early == []
