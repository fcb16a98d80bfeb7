"""What of others is handed on, and under which licence: `make notices` writes the page.

`python -m scripts.third_party` prints THIRD_PARTY_NOTICES.md. Files are listed here by hand, and
`tests/test_notices.py` finds one that nobody listed; licenses of packages are asked of the packages
that are installed.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

from qwen_ui.ui.page import plotly_script

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Source:
    """Shipped files that others made, or that were made from what others made.

    Attributes:
        files: a pattern below the repository.
        origin: whose they are.
        license: under which they are handed on.
    """

    files: str
    origin: str
    license: str


QWEN = "Qwen2.5-{}-Instruct by the Qwen team, Alibaba Cloud (huggingface.co/Qwen)"
SOURCES = (
    *(
        Source(f"assets/configs/qwen2.5-{size.lower()}-instruct.json", QWEN.format(size), terms)
        for size, terms in {
            "0.5B": "Apache-2.0",
            "1.5B": "Apache-2.0",
            "3B": "Qwen Research License; the configuration alone, no weights",
            "7B": "Apache-2.0",
            "14B": "Apache-2.0",
            "32B": "Apache-2.0",
            "72B": "Qwen License; the configuration alone, no weights",
        }.items()
    ),
    Source("assets/anatomies/*.json", "this project, from the configurations", "Apache-2.0"),
    Source(
        "assets/nano/chat_template.jinja", QWEN.format("1.5B") + ": its chat template", "Apache-2.0"
    ),
    Source(
        "assets/nano/*",
        "this project, trained on Jane Austen's novels (public domain)",
        "Apache-2.0",
    ),
    Source(
        "assets/data/kjv-*",
        "the King James Bible, text of Debian's bible-kjv-text",
        "public domain",
    ),
    Source("assets/data/austen-keep.txt", "Jane Austen's novels", "public domain"),
    Source("assets/data/general-chat.jsonl", "this project", "Apache-2.0"),
    Source("assets/data/README.md", "this project", "Apache-2.0"),
    Source("qwen_ui/ui/page/static/plotly.min.js", "plotly.js, a build of its parts", "MIT"),
)


def main() -> None:
    print(notices(), end="")


def notices() -> str:
    """The page."""
    files = "\n".join(f"| `{one.files}` | {one.origin} | {one.license} |" for one in SOURCES)
    packages = "\n".join(
        f"| [{name}](https://pypi.org/project/{name}/) | {license_of(metadata(name))} |"
        for name in dependencies()
    )
    return f"""# Third-party notices

Written by `make notices`. This project is under the Apache License 2.0 (`LICENSE`).

## Files in this repository and in the package

Scripts, styles, templates and pictures are the project's own, but for the library that draws
charts; the page uses the fonts of the system and loads nothing from outside. Where several lines
fit a file, the first counts.

| files | from | license |
|---|---|---|
{files}

## plotly.js

`make plotly` builds plotly.js {plotly_js_version()} with the traces that the page draws. Reports of
runs carry it within themselves. Its license, which stands in the file as well:

```
{plotly_license()}
```

## Packages that it needs

They are installed beside it and are in its container image, as is what they need in turn; each
brings its license in its `.dist-info` folder.

| package | license, as it says |
|---|---|
{packages}
"""


def dependencies() -> list[str]:
    """The run-time packages of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[<>=]", line)[0] for line in project["dependencies"]]


def license_of(package: PackageMetadata) -> str:
    """The license that a package declares, in whichever of the three ways it does."""
    told = package.json
    expression = told.get("license_expression")
    if expression:
        return str(expression)
    classified = [
        str(line).rpartition(" :: ")[2]
        for line in told.get("classifier", [])
        if line.startswith("License ::")
    ]
    return ", ".join(classified) or str(told.get("license", ""))


def plotly_js_version() -> str:
    """The version that the script's own heading tells."""
    with plotly_script().open(encoding="utf-8") as script:
        heading = script.read(500)
    found = re.search(r"plotly\.js v([\d.]+)", heading)
    assert found, heading
    return found[1]


def plotly_license() -> str:
    """The license text in the script's own heading."""
    with plotly_script().open(encoding="utf-8") as script:
        heading = script.read(4000)
    return heading.partition("*/")[0].partition("\n\n")[2].strip()


if __name__ == "__main__":
    main()
