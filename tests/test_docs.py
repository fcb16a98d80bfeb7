"""The documents name what exists: paths, links, modules, commands, options, make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from qwen_ui.paths import ASSETS
from tests.helpers.commands import commands, group, parsed
from tests.helpers.documents import (
    PAGES,
    ROOT,
    arguments_of,
    block_commands,
    code_blocks,
    declared_options,
    exists,
    inline_code,
    inline_commands,
    links,
    paths_named,
    remarks,
    text_of,
)

WIDTH = 100
# What a person or a run writes, and names of other projects.
THEIRS = {"report.md", "plotly.js", "Node.js", "checkpoints/"}
ROOMS = "freeze|report|data|runs|engine|workers|compare|rank|ui|cli"
SOURCES = [
    file
    for folder in ("qwen_ui", "benchmarks", "scripts", "tests")
    for file in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / "app.py"]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_a_document_exists(page: str) -> None:
    named = {p for code in (*inline_code(page), *code_blocks(page)) for p in paths_named(code)}
    missing = {path for path in named - THEIRS if not exists(path)}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file(page: str) -> None:
    folder = (ROOT / page).parent
    assert [target for target in links(page) if not (folder / target).exists()] == []


def test_every_document_that_a_comment_cites_exists() -> None:
    cited = re.compile(r"\b(?:docs|assets)/[\w./-]+\.\w+|\b[A-Z]{3,}\.md")
    missing = {
        (file.relative_to(ROOT).as_posix(), path)
        for file in SOURCES
        for path in cited.findall(remarks(file))
        if not exists(path) and not re.search(r"\b[A-Z]+\.(?!md)", path)
    }
    assert missing == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_in_a_block_parses(page: str) -> None:
    for words in block_commands(page):
        arguments = arguments_of(words)
        if arguments is None:
            check_named(words)
        else:
            parsed(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_the_text_exists(page: str) -> None:
    for words in inline_commands(page):
        arguments = arguments_of(words)
        if arguments is None:
            check_named(words)
            continue
        name = next((word for word in arguments if word in commands()), None)
        assert name or all(word.isupper() or word.startswith("--") for word in arguments[:1]), words
        assert options_in(words) <= options_of(name), words


def check_named(words: list[str]) -> None:
    """A make target, or a Python module or file with the options that it declares, exists."""
    if words[0] == "make":
        asked = {word for word in words[1:] if "=" not in word}
        assert asked <= make_targets(), words
    elif words[:2] == ["python", "-m"]:
        file = ROOT / (words[2].replace(".", "/") + ".py")
        assert file.is_file(), words
        assert options_in(words) <= declared_options(file), words
    elif words[0] == "python":
        assert options_in(words) <= declared_options(ROOT / words[1]), words


def options_in(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")} - {"--help"}


def options_of(command: str | None) -> set[str]:
    """The dashboard's options, which may stand before every command, and those of a command."""
    params = [*group().params, *(commands()[command].params if command else ())]
    return {flag for p in params for flag in (*p.opts, *p.secondary_opts)}


def make_targets() -> set[str]:
    rules = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(rules)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_in_the_text_exists(page: str) -> None:
    known = {flag for name in commands() for flag in options_of(name)} | {"--help"}
    for file in (*ROOT.glob("benchmarks/*.py"), *ROOT.glob("scripts/*.py")):
        known |= declared_options(file)
    named = {code.split()[0] for code in inline_code(page) if code.startswith("--")}
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_module_in_a_document_exists(page: str) -> None:
    text = "\n".join((*inline_code(page), *code_blocks(page)))
    full = re.findall(r"\b(?:qwen_ui|benchmarks|scripts|tests)(?:\.[a-z_]\w*)+\b", text)
    short = [f"benchmarks.{name}" for name in re.findall(r"\bbench_\w+", text)]
    in_room = [f"qwen_ui.{name}" for name in inline_code(page) if is_room_name(name)]
    assert [name for name in (*full, *short, *in_room) if not is_name(name)] == []


def is_room_name(code: str) -> bool:
    return bool(re.fullmatch(rf"(?:{ROOMS})\.\w+", code)) and not code.endswith((".py", ".md"))


def is_name(dotted: str) -> bool:
    """Whether it is a module, or a name that a module defines or a face offers."""
    path = ROOT / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    home = path.parent / "__init__.py" if path.parent.is_dir() else path.parent.with_suffix(".py")
    return home.is_file() and re.search(rf"\b{path.name}\b", home.read_text()) is not None


def test_every_name_in_the_architecture_page_is_in_the_sources() -> None:
    scripts = sorted((ROOT / "qwen_ui").rglob("*.js"))
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (*SOURCES, *scripts))
    words = {code for code in inline_code("docs/ARCHITECTURE.md") if re.fullmatch(r"\w+", code)}
    assert {word for word in words if not re.search(rf"\b{word}\b", sources)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_wrapped(page: str) -> None:
    """Tables, quotations and what cannot be broken (an address) may be longer."""
    long = [
        line
        for line in text_of(page).splitlines()
        if len(line) > WIDTH and not line.startswith(("|", ">")) and " " in line[:WIDTH].strip()
    ]
    assert [line for line in long if "://" not in line and not line.startswith("![")] == []


def test_the_readme_s_library_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """On the nano twin's module: its parameter names are those of the model in the example."""
    (example,) = (block for block in code_blocks("README.md") if "import open_model" in block)
    config = AutoConfig.from_pretrained(ASSETS / "nano")
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    exec(compile(example, "README.md", "exec"), {"model": model})
    assert "8,192" in capsys.readouterr().out
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 12
    assert all(name.endswith(".bias") for name in trained)


def test_the_readme_names_every_command() -> None:
    lines = [line for line in "\n".join(code_blocks("README.md")).splitlines() if "qwen_ui" in line]
    assert {name for name in commands() if not re.search(rf"\b{name}\b", "\n".join(lines))} == set()


def test_the_documents_of_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    files = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert {Path(target).name for target in links("docs/decisions/README.md")} == files
