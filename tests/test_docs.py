"""The documents name what exists: paths, links, modules, commands, options, make targets."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from tests.helpers.commands import commands, group, parsed
from tests.helpers.documents import (
    PAGES,
    ROOT,
    anchors,
    arguments_of,
    block_commands,
    code_blocks,
    declared_options,
    exists,
    inline_code,
    inline_commands,
    languages,
    links,
    paths_named,
    remarks,
    targets,
    text_of,
)

WIDTH = 100
# What a person or a run writes, and names of other projects.
THEIRS = {
    "report.md",
    "plotly.js",
    "Node.js",
    "checkpoints/",
    "dist/",
    "timm",
    "exports/",
    "convert_hf_to_gguf.py",
}
THEIRS |= {"hparams/finetuning_args.py", "model/adapter.py"}  # LLaMA-Factory's
THEIRS |= {"utils/freeze.py", "commands/estimate.py"}  # Axolotl's, accelerate's
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
    elif words[0] == "pip":
        check_install(words[2:])
    elif words[0] == "docker":
        given = {word.partition("=")[0] for word in words if re.match(r"[A-Z]+=", word)}
        assert given <= set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.M))
    elif words[0] == "python":
        assert options_in(words) <= declared_options(ROOT / words[1]), words


def check_install(words: list[str]) -> None:
    """What pip is told to install: a file of requirements, this project with its extras, a pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (ROOT / "requirements.txt").read_text()
    for word in words:
        extras = re.fullmatch(r"(?:\.|qwen-ui)(?:\[([\w,-]+)\])?", word)
        if extras:
            asked = set((extras[1] or "").split(",")) - {""}
            assert asked <= set(project["optional-dependencies"]), word
        elif "==" in word:
            assert word.split("+")[0] in pins, word
        elif not word.startswith("-") and word not in THEIRS:
            optional = {
                line for lines in project["optional-dependencies"].values() for line in lines
            }
            named = {re.split("[<>=]", line)[0] for line in optional}
            tools = re.findall(r"^([\w-]+)==", (ROOT / "requirements-dev.txt").read_text(), re.M)
            name = re.split("[<>=]", word)[0]
            assert name in {*named, *tools} or (ROOT / word).is_file(), word


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


@pytest.mark.parametrize("page", ["docs/ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_name_in_the_architecture_page_is_in_the_sources(page: str) -> None:
    scripts = sorted((ROOT / "qwen_ui").rglob("*.js"))
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (*SOURCES, *scripts))
    words = {code for code in inline_code(page) if re.fullmatch(r"\w+", code)}
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


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_tested(page: str) -> None:
    assert languages(page) <= {"", "python", "json"}


@pytest.mark.parametrize("page", [page for page in PAGES if code_blocks(page, "python")])
def test_every_python_example_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In order. `model` is the nano twin's module: it has the parameter names of the 1.5B."""
    config = AutoConfig.from_pretrained(ASSETS / "nano")
    names = {"model": AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)}
    for example in code_blocks(page, "python"):
        exec(compile(example, page, "exec"), names)
    if page == "README.md":
        assert "8,192" in capsys.readouterr().out
        trained = [name for name, p in names["model"].named_parameters() if p.requires_grad]
        assert len(trained) == 12
        assert all(name.endswith(".bias") for name in trained)


def test_every_json_example_can_be_read_and_a_plan_resolves() -> None:
    plans = 0
    for page in PAGES:
        for example in code_blocks(page, "json"):
            if "rules" in json.loads(example):
                plan = FreezePlan.from_json(example)
                assert resolve(plan, open_model("nano")).names, page
                plans += 1
    assert plans


@pytest.mark.parametrize("page", PAGES)
def test_every_fragment_of_a_link_is_a_heading(page: str) -> None:
    folder = (ROOT / page).parent
    for file, fragment in targets(page):
        if fragment:
            assert fragment in anchors(folder / file if file else ROOT / page), (file, fragment)


def test_every_guide_is_reached_from_the_readme() -> None:
    reached, to_read = set(), {"README.md"}
    while to_read:
        page = to_read.pop()
        reached.add(page)
        folder = (ROOT / page).parent
        found = [(folder / file).resolve().relative_to(ROOT).as_posix() for file in links(page)]
        to_read |= {file for file in found if file in PAGES} - reached
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set()


def test_every_variable_of_the_environment_is_documented_and_read() -> None:
    """Ours by their name; those of libraries are read by them, and are named here."""
    read = {name for file in SOURCES for name in OURS.findall(file.read_text("utf-8"))}
    told = {name for page in PAGES for name in OURS.findall(text_of(page))}
    assert told == read & told
    assert {name for name in read if defined_in_package(name)} <= told


OURS = re.compile(r"\bQWEN_UI_[A-Z]+(?:_[A-Z]+)*\b")


def defined_in_package(name: str) -> bool:
    return any(name in f.read_text("utf-8") for f in SOURCES if (ROOT / "qwen_ui") in f.parents)


def test_the_readme_names_every_command() -> None:
    lines = [line for line in "\n".join(code_blocks("README.md")).splitlines() if "qwen-ui" in line]
    assert {name for name in commands() if not re.search(rf"\b{name}\b", "\n".join(lines))} == set()


def test_the_documents_of_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    files = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert {Path(target).name for target in links("docs/decisions/README.md")} == files
