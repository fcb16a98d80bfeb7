"""Where a model's weights are on this machine. Imports neither torch nor transformers."""

from __future__ import annotations

from pathlib import Path

from qwen_ui.files import parse_json_file
from qwen_ui.model.names import preset_file


def preset_weights(name: str) -> Path | None:
    """The folder of a preset's weights: with its configuration, or in the hub's cache."""
    file = preset_file(name)
    if file is None:
        return None
    hub_id = parse_json_file(file).get("_hub_id")
    return weights_in(file.parent) or (cached_snapshot(hub_id) if hub_id else None)


def cached_snapshot(hub_id: str) -> Path | None:
    """The folder of a hub model that was downloaded before, weights included."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  slow; `--help` imports us

    found = try_to_load_from_cache(hub_id, "config.json")
    return weights_in(Path(found).parent) if isinstance(found, str) else None


def weights_in(folder: Path) -> Path | None:
    """The folder itself, where it holds safetensors files of a model (an adapter is none)."""
    return folder if model_files(folder) else None


def model_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, sorted, those of adapters and deltas left out."""
    names = ("adapter_", "delta.")
    return [f for f in sorted(folder.glob("*.safetensors")) if not f.name.startswith(names)]
