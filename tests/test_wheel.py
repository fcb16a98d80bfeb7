"""What is published: the wheel and the sdist, their metadata, and an installed dashboard."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from qwen_ui import __version__
from qwen_ui.runs.spec_groups import Tracker
from scripts.raise_pins import newest_versions, raise_pins
from scripts.wheel_readme import registry_text
from tests.browser.conftest import free_port
from tests.helpers.waiting import until

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RANGES = {str(canonicalize_name(r.name)): r for r in map(Requirement, PROJECT["dependencies"])}
EXTRAS = {
    canonicalize_name(Requirement(line).name)
    for lines in PROJECT["optional-dependencies"].values()
    for line in lines
}
# Modules whose package bears another name.
NAMES = {"pynvml": "nvidia-ml-py", "yaml": "pyyaml", "markdown_it": "markdown-it-py"}


def pins(file: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def imported_packages() -> set[str]:
    """Packages that any file of `qwen_ui` imports, or asks for by name."""
    found: set[str] = set()
    for file in (ROOT / "qwen_ui").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
            elif isinstance(node, ast.Call) and isinstance(node.args[:1], list):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in {"import_module", "find_spec", "version"} and node.args:
                    given = node.args[0]
                    found |= {str(given.value)} if isinstance(given, ast.Constant) else set()
    tops = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"qwen_ui"}
    return {canonicalize_name(NAMES.get(top, top)) for top in tops}


def test_every_import_is_a_dependency_or_an_extra_and_every_dependency_is_imported() -> None:
    assert imported_packages() - EXTRAS == set(RANGES)
    assert imported_packages() | set(Tracker.__args__) >= EXTRAS  # type: ignore[attr-defined]


def test_every_pin_lies_in_its_range() -> None:
    pinned = pins("requirements.txt")
    assert set(pinned) == set(RANGES)
    for name, version in pinned.items():
        assert RANGES[name].specifier.contains(version), name
        assert len(RANGES[name].specifier) == 2, f"{name}: a lower and an upper bound"


def test_the_tests_run_on_the_pins() -> None:
    for name, version in pins("requirements.txt").items():
        assert importlib.metadata.version(name).split("+")[0] == version, name


def test_extras_are_what_the_messages_ask_for() -> None:
    """A person who is told to install a package finds an extra of that name's package."""
    asked = set()
    for file in (ROOT / "qwen_ui").rglob("*.py"):
        text = " ".join(file.read_text(encoding="utf-8").replace('"\n', "").split())
        asked |= set(re.findall(r"pip install ([a-z][\w-]+)", text))
    assert asked - EXTRAS - set(RANGES) == {"qwen-ui"} & asked


def test_pins_are_raised() -> None:
    text = "# about\ntorch==2.0.0\nNVIDIA_ml.py==1\n-r other.txt\n"
    raised = raise_pins(text, {"torch": "2.1.0+cpu", "nvidia-ml-py": "2"})
    assert raised == "# about\ntorch==2.1.0\nNVIDIA_ml.py==2\n-r other.txt\n"


@pytest.mark.slow
def test_pip_says_which_versions_are_newest(tmp_path: Path) -> None:
    """Of a package that needs no other, so that little is asked of the registry."""
    asked = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--dest",
        str(tmp_path),
    ]
    if subprocess.run([*asked, "platformdirs==4.5.0"], capture_output=True).returncode:
        pytest.skip("no package registry is reached")
    found = newest_versions(["platformdirs>=4.5,<4.6"])
    assert found["platformdirs"].startswith("4.5.")


def test_a_registry_is_shown_no_link_that_leads_nowhere() -> None:
    text = registry_text((ROOT / "README.md").read_text(encoding="utf-8"))
    assert text.startswith("# Qwen UI\n")
    assert not re.search(r"\]\((?!https?://)", text)


@dataclass(frozen=True)
class Built:
    wheel: zipfile.ZipFile
    wheel_path: Path
    sdist: Path

    @property
    def files(self) -> set[str]:
        return {name for name in self.wheel.namelist() if ".dist-info/" not in name}


def build(source: Path, target: Path, *kinds: str) -> None:
    what = [part for kind in kinds for part in ("-t", kind)]
    command = [sys.executable, "-m", "hatchling", "build", *what, "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    target = tmp_path_factory.mktemp("dist")
    build(ROOT, target, "sdist", "wheel")
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return Built(zipfile.ZipFile(wheel), wheel, sdist)


def in_git(*folders: str) -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_its_assets_and_its_guides(built: Built) -> None:
    assets = {f"qwen_ui/{name}" for name in in_git("assets", "docs")}
    assert built.files == in_git("qwen_ui") | assets
    kinds = {Path(name).suffix for name in built.files}
    assert {".py", ".js", ".css", ".html", ".svg", ".typed", ".safetensors", ".jinja"} <= kinds
    for name in built.files:
        in_tree = ROOT / (name.removeprefix("qwen_ui/") if name in assets else name)
        assert built.wheel.read(name) == in_tree.read_bytes(), name


def test_the_wheel_s_metadata(built: Built) -> None:
    (name,) = (n for n in built.wheel.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = message_from_string(built.wheel.read(name).decode())
    assert metadata["Version"] == __version__
    needed = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert {canonicalize_name(r.name) for r in needed if not r.marker} == set(RANGES)
    assert set(metadata.get_all("License-File", [])) == set(PROJECT["license-files"])
    entry = built.wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "qwen-ui = qwen_ui.__main__:main" in entry


def test_the_sdist_makes_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    build(next(tmp_path.iterdir()), tmp_path / "again", "wheel")
    (again,) = (tmp_path / "again").glob("*.whl")
    assert again.read_bytes() == built.wheel_path.read_bytes()


@dataclass(frozen=True)
class Installed:
    """The wheel, installed in a folder of its own; what it needs is this Python's.

    Attributes:
        folder: an empty one, that commands run in.
        environment: for a process that is to find the installation, and keep its files aside.
    """

    program: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    site, empty = folder / "site", folder / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    where = ["--target", str(site), "--no-compile", str(built.wheel_path)]
    subprocess.run([*command, *where], check=True, timeout=120)
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "PYTHONSAFEPATH": "1",
        "QWEN_UI_HOME": str(folder / "home"),
    }
    return Installed(site / "bin" / "qwen-ui", empty, environment)


@pytest.mark.slow
def test_the_installed_command_works_in_an_empty_folder(installed: Installed) -> None:
    assert installed.run("--version") == f"qwen-ui {__version__}\n"
    assert "8,192" in installed.run("freeze", "--preset", "bitfit")
    where = [sys.executable, "-c", "import qwen_ui.paths as p; print(p.ASSETS)"]
    found = subprocess.run(
        where, cwd=installed.folder, env=installed.environment, capture_output=True, text=True
    )
    assert Path(found.stdout.strip()) == installed.program.parents[1] / "qwen_ui" / "assets"
    assert list(installed.folder.iterdir()) == []


@pytest.mark.slow
def test_the_installed_command_trains_on_shipped_data(installed: Installed) -> None:
    """The worker, and the process that checks data within limits, find the installation too."""
    short = ["--steps", "2", "--batch-size", "2", "--sequence-length", "32"]
    said = installed.run("train", "nano", "--preset", "bitfit", "--data", "kjv-train", *short)
    assert "completed, 2 of 2 steps" in said
    assert "completed" in installed.run("runs")


@pytest.fixture
def served(installed: Installed, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(installed.program), "--port", str(port)],
            cwd=installed.folder,
            env=installed.environment,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            return False
        return True

    try:
        until(answers, 120)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_the_installed_dashboard_serves_its_guides_and_their_pictures(served: str) -> None:
    page = urllib.request.urlopen(f"{served}guides/inspect.md", timeout=10).read().decode()
    picture = urllib.request.urlopen(f"{served}guides/images/inspect.png", timeout=10)
    assert 'src="images/inspect.png"' in page
    assert picture.headers["content-type"] == "image/png"


@pytest.mark.slow
def test_the_installed_dashboard_serves_its_first_page(served: str) -> None:
    page = urllib.request.urlopen(served, timeout=10).read().decode()
    modules = set(re.findall(r'"\./(modules/[\w./-]+)"', page))
    assert modules
    (base,) = {name.split("/")[1] for name in modules}
    script = urllib.request.urlopen(f"{served}modules/{base}/page/api.js", timeout=10)
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.read() == (ROOT / "qwen_ui/ui/page/static/api.js").read_bytes()


def test_importing_the_package_and_the_command_line_is_light() -> None:
    """What takes seconds to import is asked for by the commands that need it, not by `--help`."""
    code = "import sys, {}; print(*{{name.partition('.')[0] for name in sys.modules}})"

    def imported(module: str) -> set[str]:
        command = [sys.executable, "-c", code.format(module)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return set(done.stdout.split()) - set(sys.stdlib_module_names)

    of_site = {
        "_distutils_hack",
        "distutils",
    }  # what site-packages' .pth files import by themselves
    assert {name for name in imported("qwen_ui") - of_site if name[0] != "_"} == {"qwen_ui"}
    heavy = {"torch", "transformers", "gradio", "plotly", "numpy", "pandas", "accelerate", "jinja2"}
    assert not imported("qwen_ui.cli.main") & heavy
