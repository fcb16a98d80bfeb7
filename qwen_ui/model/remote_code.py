"""Of which models the code that comes with them may be run: none but those named at start.

The names belong to the process (`--trust-remote-code MODEL`, or the variable in its environment),
so that no request and no file can add one. They are asked for only for model types that
transformers does not know itself; for all others the installed class is used and a file's
`auto_map` is ignored.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qwen_ui.paths import named_path

if TYPE_CHECKING:
    from qwen_ui.model.libraries import PreTrainedConfig

VARIABLE = "QWEN_UI_TRUST_REMOTE_CODE"
# transformers imports code that comes with a model as modules of this package.
_PACKAGE = "transformers_modules."


def trust_remote_code_of(*models: str) -> None:
    """Trust these models (hub ids or folders) in this process and in those that it starts."""
    known = os.environ.get(VARIABLE, "").split(",")
    os.environ[VARIABLE] = ",".join(dict.fromkeys(name for name in (*known, *models) if name))


def is_trusted(model: str) -> bool:
    """Whether the code that comes with this model, a hub id or a folder, may be run."""
    trusted = os.environ.get(VARIABLE, "").split(",")
    return any(name and _same(name, model) for name in trusted)


def came_with_its_code(configuration: PreTrainedConfig) -> bool:
    """Whether a configuration was made by code that came with its model, so was trusted before."""
    return type(configuration).__module__.startswith(_PACKAGE)


def _same(name: str, model: str) -> bool:
    if name == model:
        return True
    one, other = named_path(name), named_path(model)
    return one is not None and other is not None and one.samefile(other)
