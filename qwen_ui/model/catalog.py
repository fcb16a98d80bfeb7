"""The name of a model, as a person gives it -> its configuration.

A preset name is looked up in `assets/configs` (or `assets/nano`), a path is a folder or a
`config.json`, and everything else of the form `owner/name` is a hub id, read through
`huggingface_hub`'s cache. No weights are fetched here, and code that comes with a model is run only
where `remote_code` allows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from qwen_ui.errors import ModelError
from qwen_ui.files import parse_json_file
from qwen_ui.model.config_bounds import (
    MAX_CONFIG_BYTES,
    refuse_beyond_bounds,
    without_choices_of_code,
)
from qwen_ui.model.hub import hub_answers, is_offline
from qwen_ui.model.libraries import (
    CONFIG_MAPPING,
    AutoConfig,
    PreTrainedConfig,
    transformers_version,
)
from qwen_ui.model.mistaken import (
    ADAPTER,
    adapter_beside_weights,
    adapter_sentence,
    gguf_sentence,
    not_what_it_seems,
    why_no_configuration,
)
from qwen_ui.model.names import (
    DEFAULT_MODEL,
    is_hub_id,
    named_model,
    near_names,
    preset_file,
    preset_for_hub_id,
    preset_models,
)
from qwen_ui.model.remote_code import VARIABLE, is_trusted
from qwen_ui.model.weights.location import cached_snapshot, preset_weights, weights_in
from qwen_ui.paths import named_path


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that was found: its configuration, and its weights where they are on this machine.

    Attributes:
        name: as the person named it.
        configuration: transformers' object.
        weights_folder: a folder with safetensors files, or None.
    """

    name: str
    configuration: PreTrainedConfig
    weights_folder: Path | None


def find_model(name: str) -> ModelSource:
    """The model that a person named.

    Raises:
        ModelError: there is no such model, or its configuration cannot be read.
    """
    name = named_model(name)
    if not name:
        raise ModelError(f"No model was named. Try '{DEFAULT_MODEL}' or 'nano'.")
    file = preset_file(name)
    if file is not None:
        return ModelSource(name, read_configuration(file), preset_weights(name))
    named = named_path(name)
    path = None if named is None else _opened_by(named)
    if path is not None and path.is_file():
        return ModelSource(name, read_configuration(path), weights_in(path.parent))
    if path is not None:
        return _from_folder(name, path)
    if is_hub_id(name):
        return _from_hub(name)
    near = near_names(name)
    if near:
        raise ModelError(
            f"There is no model '{name[:100]}'. Did you mean {' or '.join(near)}? A folder that "
            "holds a config.json, or a hub id, opens as well."
        )
    raise ModelError(
        f"There is no model '{name[:100]}'. Give a preset ({', '.join(preset_models())}), "
        "a folder with a config.json, a config.json file, or a hub id such as "
        "Qwen/Qwen2.5-1.5B-Instruct."
    )


def _opened_by(path: Path) -> Path:
    """The folder or configuration that a path means: weights do not say their architecture.

    Raises:
        ModelError: it is a file that cannot be opened as a model.
    """
    if path.is_file() and path.suffix == ".gguf":
        raise ModelError(gguf_sentence(path))
    beside = (".safetensors", ".safetensors.index.json", ADAPTER, ".bin", ".pth", ".pt")
    return path.parent if path.is_file() and path.name.endswith(beside) else path


def _from_folder(name: str, folder: Path) -> ModelSource:
    if not (folder / "config.json").is_file():
        raise ModelError(why_no_configuration(folder))
    weights = weights_in(folder)
    if (folder / ADAPTER).is_file():
        raise ModelError(adapter_beside_weights(folder) if weights else adapter_sentence(folder))
    return ModelSource(name, read_configuration(folder / "config.json"), weights)


def read_configuration(path: Path, *, origin: str | None = None) -> PreTrainedConfig:
    """A `config.json` as transformers' configuration.

    Args:
        origin: the hub id that it came from; its folder where none is given. Code that a trusted
            configuration names is looked for there.

    Raises:
        ModelError: too large, no JSON, no model type, or a type that transformers does not know.
    """
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelError(f"'{path}' is larger than 4 MiB, which is too large for a configuration.")
    if said := not_what_it_seems(path):
        raise ModelError(said)
    try:
        values = parse_json_file(path)
    except (ValueError, OSError) as error:
        raise ModelError(
            f"'{path}' cannot be read as JSON ({error}). Export the configuration again."
        ) from error
    if _needs_its_own_code(values):
        refuse_beyond_bounds(values, str(path))
        return _with_its_own_code(origin or str(path.parent), str(values["model_type"]))
    return configuration_from_dict(values, where=str(path))


def _needs_its_own_code(values: Any) -> bool:
    if not isinstance(values, dict) or not isinstance(values.get("auto_map"), dict):
        return False
    return isinstance(values.get("model_type"), str) and values["model_type"] not in CONFIG_MAPPING


def _with_its_own_code(origin: str, model_type: str) -> PreTrainedConfig:
    if not is_trusted(origin):
        raise ModelError(
            f"The model type '{model_type[:100]}' of '{origin}' is defined by code that comes with "
            "it, and that code is not run. Read it, and if you trust it, start with "
            f"`--trust-remote-code {origin}`, or set {VARIABLE}={origin}."
        )
    try:
        return AutoConfig.from_pretrained(origin, trust_remote_code=True)
    except Exception as error:
        # Code from elsewhere may raise anything; it is this model that cannot be opened.
        said = " ".join(str(error).split())[:240].rstrip(".")
        raise ModelError(
            f"The code of '{origin}' gives no configuration: {type(error).__name__}: {said}."
        ) from error


def configuration_from_dict(values: Any, *, where: str) -> PreTrainedConfig:
    """The configuration with these values; `where` names their origin in messages."""
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ModelError(
            f"'{where}' names no model_type, so the architecture is unknown. "
            'Add for instance "model_type": "qwen2".'
        )
    refuse_beyond_bounds(values, where)
    values = {key: value for key, value in values.items() if not key.startswith("_")}
    values = without_choices_of_code(values)
    model_type = values.pop("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ModelError(
            f"The configuration in '{where}' cannot be used: transformers {transformers_version} "
            f"does not know the model type '{model_type[:100]}'."
        )
    try:
        return AutoConfig.for_model(model_type, **_with_special_floats(values))
    except Exception as error:
        # transformers validates each field in its own way; the sentence says which it refused.
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(f"The configuration in '{where}' cannot be used: {said}.") from error


def _with_special_floats(value: Any) -> Any:
    """Infinity and NaN, which transformers writes as `{"__float__": "Infinity"}`, as numbers."""
    if isinstance(value, dict):
        if set(value) == {"__float__"} and value["__float__"] in ("Infinity", "-Infinity", "NaN"):
            return float(value["__float__"])
        return {key: _with_special_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_special_floats(inner) for inner in value]
    return value


def _from_hub(name: str) -> ModelSource:
    preset = preset_for_hub_id(name)
    weights = cached_snapshot(name)
    if weights is None and preset is not None:
        file = preset_file(preset)
        assert file is not None
        return ModelSource(name, read_configuration(file), None)
    if weights is not None and (weights / "config.json").is_file():
        return ModelSource(
            name, read_configuration(weights / "config.json", origin=name), weights_in(weights)
        )
    return ModelSource(name, read_configuration(_download_configuration(name), origin=name), None)


def _not_cached(hub_id: str) -> ModelError:
    why = "HF_HUB_OFFLINE is set" if is_offline() else "the hub cannot be reached"
    return ModelError(
        f"'{hub_id}' is not in the local cache and {why}. Connect to the network, or name a "
        f"preset ({', '.join(preset_models())}) or a local folder."
    )


def _download_configuration(hub_id: str) -> Path:
    if not is_offline() and not hub_answers():
        raise _not_cached(hub_id)
    try:
        return Path(hf_hub_download(hub_id, "config.json"))
    except GatedRepoError as error:
        raise ModelError(
            f"'{hub_id}' is gated: accept its terms on the hub and set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The hub has no model '{hub_id}' (or it is private: set HF_TOKEN)."
        ) from error
    except LocalEntryNotFoundError as error:
        raise _not_cached(hub_id) from error
    except EntryNotFoundError as error:
        raise ModelError(f"The hub repository '{hub_id}' has no config.json.") from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"The configuration of '{hub_id}' cannot be fetched: {error}. Check the network."
        ) from error
