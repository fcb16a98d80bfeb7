"""A run's delta, adapters or merged model on the Hugging Face hub, by `huggingface_hub`.

The token is the user's own, from the environment or `hf auth login`, and is not kept here. What is
pushed is put together in a folder under the home first, which stays until it has arrived: a push
that was cut off is begun again and sends what is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of whichever library it speaks by
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from qwen_ui.engine import apply_delta, delta_file, write_adapter
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.model import open_model
from qwen_ui.paths import home
from qwen_ui.runs import read_spec, run_folder
from qwen_ui.workers.model_card import model_card

Tell = Callable[[str], None]
NO_TOKEN = (
    "No token of the Hugging Face hub was found. Log in with `hf auth login`, or set HF_TOKEN "
    "before the dashboard is started."
)
AGAIN = "Push again: what has arrived is kept, and only the rest is sent."


def check_repo(repo: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        SettingsError: it is none.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise SettingsError(f"'{repo}' is not a repository's name. Give OWNER/NAME.") from error


def staged(run: str, repo: str, *, merged: bool, tell: Tell) -> Path:
    """The folder with all that is pushed of this run; made where it is not there yet.

    Raises:
        UserError: the run left no delta, or its base cannot be read.
    """
    folder = run_folder(run)
    spec, delta = read_spec(folder), delta_file(run)
    if not delta.is_file():
        raise RunError(f"The run '{run}' left no trained tensors, so there is nothing to push.")
    target = home() / "push" / f"{run}-{'merged' if merged else 'delta'}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.new")
        shutil.rmtree(part, ignore_errors=True)
        tell("Putting the files together.")
        if merged:
            apply_delta(delta, spec.model.source, part)
        elif spec.model.lora_rank:
            write_adapter(delta, part)
        else:
            part.mkdir()
            shutil.copyfile(delta, part / delta.name)
        for name in ("plan.json", "spec.json"):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)
        part.rename(target)
    anatomy = open_model(spec.model.source)
    card = model_card(folder, anatomy, repo, merged=merged)
    (target / "README.md").write_text(card, encoding="utf-8")
    return target


def push(run: str, repo: str, *, merged: bool, public: bool, tell: Tell = lambda _: None) -> str:
    """Push a run; the address of what is there now.

    Args:
        repo: `owner/name`; made where it is not there, private unless `public`.
        merged: the whole model; else the delta, or the adapters of a LoRA run.
        tell: is told what is being done.

    Raises:
        UserError: no token, no access, no network, or nothing to push.
    """
    check_repo(repo)
    if get_token() is None:
        raise SettingsError(NO_TOKEN)
    folder = staged(run, repo, merged=merged, tell=tell)
    count = sum(1 for file in folder.rglob("*") if file.is_file())
    api = HfApi()
    try:
        tell(f"Making {repo}.")
        url = api.create_repo(repo, private=not public, exist_ok=True)
        tell(f"Sending {count} files.")
        api.upload_folder(
            repo_id=url.repo_id, folder_path=folder, commit_message=f"{run}, by Qwen UI"
        )
    except OfflineModeIsEnabled as error:
        raise SettingsError("HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it.") from error
    except HfHubHTTPError as error:
        raise SettingsError(_refused(repo, error)) from error
    except (HTTPError, OSError, RuntimeError) as error:
        # huggingface_hub wraps what cuts an upload off into a RuntimeError.
        raise SettingsError(f"The push of {repo} was cut off ({error}). {AGAIN}") from error
    shutil.rmtree(folder)
    return str(url)


def _refused(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code if error.response is not None else None
    if status in (401, 403):
        return (
            f"The hub does not let this token write to {repo}. Log in with one that may "
            "(`hf auth login`), or name a repository of yours."
        )
    return (
        f"The hub refused the push of {repo} ({status}: {error.server_message or error}). {AGAIN}"
    )
