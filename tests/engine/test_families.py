"""The shortcuts in other families: proven, or not taken; a leak is never packed."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_ui.model.families import model_types
from tests.helpers.family_proofs import MOST_ELEMENTS, prove_family
from tests.helpers.tiny_families import tiny_configuration

# transformers says of some families that they run without their fast kernels.
# Type: blocks kept of two, what is said where none are, whether samples can be packed.
KNOWN = {
    "bamba": (2, "", False),
    "bloom": (2, "", False),
    "deepseek_v4": (0, "blocks hand on 2 x 24 x 4 x 32 values", False),
    "falcon_h1": (2, "", False),
    "gemma3n_text": (0, "blocks hand on 4 x 2 x 24 x 32 values", True),
    "gemma4_text": (0, "KeyError: 'sliding_attention'", True),
    "gpt2": (2, "", True),
    "hrm_text": (0, "block 0 runs 6 times", True),
    "mpt": (2, "", False),
    "openai-gpt": (2, "", False),
    "phimoe": (0, "change at random from step to step", True),
    "qwen3_next": (2, "", False),
    "recurrent_gemma": (2, "", False),
    "rwkv": (2, "", False),
    "xlm": (0, "take more from them than their output", False),
}
# Its router is shaken at random while it trains, in both loops otherwise.
SHAKEN = ("phimoe",)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", KNOWN)
def test_a_family_is_proven_or_refused(family: str, dtype: torch.dtype) -> None:
    found = prove_family(family, dtype)
    kept, said, packs = KNOWN[family]
    assert found.prefix == kept
    assert said in " ".join(found.notes)
    assert (found.packing == "") == packs
    if family not in SHAKEN:
        assert found.loss < (1e-5 if dtype == torch.float32 else 1e-3)


def test_a_cap_on_the_logits_is_noticed_where_it_does_nothing_yet() -> None:
    """tanh(x / 30) * 30 is x to five digits while the logits of a random model are small."""
    found = prove_family("gemma2")
    assert "changes its logits after the head" in " ".join(found.notes)
    assert found.loss < 1e-6


@pytest.mark.long
@pytest.mark.parametrize("family", model_types())
def test_every_family_equals_a_plain_loop_and_packs_only_where_nothing_leaks(family: str) -> None:
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(tiny_configuration(family))
    except Exception as error:  # its sizes depend on each other in ways that are not written down
        pytest.skip(f"no tiny configuration: {type(error).__name__}")
    if model.num_parameters() > MOST_ELEMENTS or family in ("longcat_flash", "xmod"):
        pytest.skip("no tiny configuration that runs")
    found = prove_family(family)
    if family not in SHAKEN:
        assert found.loss < 1e-5
    if not found.packing:
        assert math.isfinite(found.moved)
        assert found.moved < 1e-6
        assert found.alone < 1e-5
