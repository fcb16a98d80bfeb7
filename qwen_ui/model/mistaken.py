"""What people take for a model's folder or file and is none, told by names and first bytes.

Each is one sentence that says what it is and what to open or do instead. Imports neither torch nor
transformers.
"""

from __future__ import annotations

from pathlib import Path

from qwen_ui.files import parse_json

FIRST_BYTES = 512
ADAPTER = "adapter_config.json"
# Bodies that servers send in place of a file, in lower case.
_ANSWERS = (b"entry not found", b"not found", b"404", b"repository not found", b"access to model")
# Weights of other libraries, by the ends of their names.
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_OTHERS = {".gguf": "llama.cpp", ".h5": "TensorFlow", ".msgpack": "Flax", ".onnx": "ONNX"}


def not_what_it_seems(file: Path) -> str:
    """A sentence on what lies in a file's place, by its first bytes; "" where it may be itself."""
    with file.open("rb") as stream:
        first = stream.read(FIRST_BYTES)
    text = first.lstrip().lower()
    if first.startswith(b"version https://git-lfs"):
        return (
            f"'{file}' is a Git LFS pointer, a few lines that stand for the file. Run `git lfs "
            "pull` in its folder, or download it with `hf download`."
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return f"'{file}' is a web page (HTML), saved in the file's place. Download it again."
    if text.startswith(_ANSWERS) and file.stat().st_size < FIRST_BYTES:
        said = " ".join(first.decode(errors="replace").split())[:60]
        return f"'{file}' holds a server's answer ('{said}'), not the file. Download it again."
    if first.startswith(b"GGUF"):
        return gguf_sentence(file)
    if file.suffix == ".safetensors" and first.startswith((b"PK\x03\x04", b"\x80\x02\x8a\x0a")):
        return f"'{file}' is a pickled PyTorch file by another name. {_conversion(file.parent)}"
    return ""


def gguf_sentence(file: Path) -> str:
    """What to say of a GGUF file."""
    return (
        f"'{file}' is a GGUF file: weights for llama.cpp, usually quantized, which cannot be "
        "trained. Open the model that it was made from, in safetensors."
    )


def adapter_sentence(folder: Path) -> str:
    """What to say of a folder that holds an adapter, with the base that it names."""
    try:
        values = parse_json((folder / ADAPTER).read_bytes())
    except (ValueError, OSError):
        values = {}
    base = values.get("base_model_name_or_path") if isinstance(values, dict) else None
    kind = str(values.get("peft_type") or "") if isinstance(values, dict) else ""
    what = "a LoRA adapter" if kind.upper() == "LORA" else "an adapter"
    if not isinstance(base, str) or not base:
        return f"'{folder}' is {what}, not a whole model: open the base that it was trained on."
    return (
        f"'{folder}' is {what} of {base}, not a whole model: open the base {base}, or merge the "
        "adapter into it first (`merge_and_unload` of peft) and open the result."
    )


def adapter_beside_weights(folder: Path) -> str:
    """What to say of whole weights with an adapter in the same folder."""
    return (
        f"'{folder}' holds an adapter ({ADAPTER}) beside whole weights, and transformers would put "
        "it on them. Move the adapter's files to a folder of their own, or merge them."
    )


def why_no_configuration(folder: Path) -> str:
    """Why a folder without a config.json cannot be opened."""
    if (folder / ADAPTER).is_file():
        return adapter_sentence(folder)
    gguf = sorted(folder.glob("*.gguf"))
    if gguf:
        return gguf_sentence(gguf[0])
    if (folder / "params.json").is_file():
        return (
            f"The folder '{folder}' holds a model in its maker's own format (params.json), without "
            "a config.json. Take the release for transformers, or convert it."
        )
    inside = sorted(path.parent.name for path in folder.glob("*/config.json"))
    if inside:
        return (
            f"The folder '{folder}' has no config.json, but its folder '{inside[-1]}' has: open "
            f"'{folder / inside[-1]}'."
        )
    return f"The folder '{folder}' has no config.json. Give the folder that a model was saved to."


def other_weights(folder: Path) -> str:
    """A sentence on weights in a folder that are not safetensors; "" where there are none."""
    pickled = sorted(
        f for f in folder.glob("*") if f.suffix in _PICKLED and f.name != "training_args.bin"
    )
    if pickled:
        return (
            f"The weights in '{folder}' are pickled ({pickled[0].name}), and only safetensors are "
            f"read, because a pickle can run code. {_conversion(folder)}"
        )
    for suffix, library in _OTHERS.items():
        found = sorted(folder.glob(f"*{suffix}"))
        if found:
            return (
                f"The weights in '{folder}' are for {library} ({found[0].name}). Take the "
                "release in safetensors."
            )
    return ""


def _conversion(folder: Path) -> str:
    return (
        'If you trust it, convert it once: python -c "from transformers import '
        f"AutoModelForCausalLM as A; A.from_pretrained('{folder}', dtype='auto')"
        f".save_pretrained('{folder}')\"."
    )
