"""What the page's dictionaries lack: `python -m scripts.page_texts`.

It reads every text that the page can show out of the sources, looks each up as the page does, and
tells which are in no dictionary, and which entries nothing can show. It needs Node.js and the
tools of development (`make install-dev`). Exit code 1 where a text is missing or an entry dead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.texts import python_texts, template_texts
from scripts.texts.dead import corpus, dead_entries
from scripts.texts.found import Found, is_text

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "qwen_ui"
HERE = ROOT / "scripts/texts"
DICTIONARIES = PACKAGE / "ui/page/static"
# What these say is read in a terminal, in a notebook or in a file, which stay English.
NOT_ON_THE_PAGE = (
    *("cli/", "library/", "report/", "markup/", "limited/", "ui/programs/", "ui/dashboard.py"),
    *("ui/page/serving.py", "__main__.py", "lazy.py", "model/families.py"),
    # Seals, replays and shipping are the command line's.
    *("compare/seal", "compare/replaying.py", "compare/shipping.py", "workers/model_card.py"),
    # Texts for other programs, and files that are downloaded.
    *("ui/compare/report.py", "ui/runs/report.py", "engine/snippet.py"),
    *("freeze/export/scripts.py", "freeze/export/formats.py"),
    "freeze/export/adapter_texts.py",
)
# What is called the same in every language, and what the page hands on without showing it.
_NAMES = frozenset(
    {
        *("Apple", "Arrow", "English", "Flax", "Menlo", "Parquet", "Roboto", "Wi", "Wqkv"),
        *("Dependency", "Priority", "Resources", "housekeeper", "supervisor"),
        *("middle left", "middle right", "And it came to pass In the beginning"),
        *("context? + question", "context? + query", "tools? + functions?"),
        "{dtype} of {dtype2} {mixed_precision}",  # a part of a cache's key
        "history? + instruction + input? + context?",
        "system? + system_prompt? + system_message?",
    }
)
_NOT_MODULES = frozenset({"__init__.py", "notebook.py"})


def page_texts() -> list[Found]:
    """Every text of the page once, with the first place where it stands."""
    first: dict[str, Found] = {}
    for found in (*_python(), *_templates(), *_scripts()):
        if found.text not in _NAMES:
            first.setdefault(found.text, found)
    return list(first.values())


def _python() -> Iterator[Found]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(NOT_ON_THE_PAGE) and path.name not in _NOT_MODULES:
            yield from python_texts.texts_of(path, name)


def _templates() -> Iterator[Found]:
    for path in sorted(PACKAGE.glob("ui/*/templates/*")):
        if path.name != "report.html":  # a file that is downloaded
            yield from template_texts.texts_of(path, path.relative_to(PACKAGE).as_posix())


def _scripts() -> Iterator[Found]:
    ours = [one for one in PACKAGE.glob("ui/*/static/*.js") if not one.name.endswith(".min.js")]
    paths = sorted(path.relative_to(ROOT).as_posix() for path in ours)
    for line in _node("script_texts.js", *paths).splitlines():
        found = json.loads(line)
        if is_text(found["text"], shown=found["shown"]):
            yield Found(found["text"], found["place"])


def dead(unused: Sequence[str], texts: Sequence[Found]) -> list[str]:
    """Of the entries that no source asks for by itself, those that nothing can ever show."""
    modules = sorted(PACKAGE.rglob("*.py"))
    scripts = [one for one in PACKAGE.glob("ui/*/static/*.js") if not one.name.endswith(".min.js")]
    shown = [*scripts, *PACKAGE.rglob("templates/*"), *(ROOT / "assets").rglob("*.json")]
    sources = corpus((one.text for one in texts), modules, filter(Path.is_file, shown))
    return dead_entries(unused, sources)


def checked(dictionary: Path, texts: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """What a dictionary lacks of the texts, and its entries that none of them asks for."""
    lines = "\n".join(json.dumps({"text": one.text, "place": one.place}) for one in texts)
    answer = json.loads(_node("check.js", str(dictionary), given=lines))
    return [Found(**one) for one in answer["missing"]], answer["unused"]


def _node(script: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        ["node", str(HERE / script), *arguments],
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is missing of each dictionary, and how many entries nothing asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--unused", action="store_true", help="List entries nothing asks for.")
    parser.add_argument("--all", action="store_true", help="List every text that was found.")
    options = parser.parse_args(arguments)
    texts = page_texts()
    if options.all:
        for one in texts:
            print(f"{one.place}\t{one.text}")
    lacking = 0
    for dictionary in sorted(DICTIONARIES.glob("*.json")):
        missing, unused = checked(dictionary, texts)
        idle = dead(unused, texts)
        lacking += len(missing) + len(idle)
        for one in missing:
            print(f"{dictionary.stem} lacks\t{one.place}\t{one.text}")
        for text in idle:
            print(f"{dictionary.stem} has what nothing can show\t{text}")
        for text in unused if options.unused else ():
            print(f"{dictionary.stem} alone has\t{text}")
        print(
            f"{dictionary.stem}: {len(texts):,} texts, {len(missing):,} missing, "
            f"{len(unused):,} entries that no source asks for by itself, {len(idle):,} dead",
            file=sys.stderr,
        )
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
