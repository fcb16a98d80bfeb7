"""What a plan says of itself is said whole in every language of the page: names alone stay."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, preset, preset_plans, resolve
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS, small_model

ROOT = Path(__file__).resolve().parents[3]
DICTIONARIES = sorted((ROOT / "qwen_ui/ui/page/static").glob("*.json"))
RANGES = ("all", "last:1", "last:4", "first:2", "0", "1,3", "0-1,4", "every:2")
MIXTURES = 150
WORD = re.compile(r"[A-Za-z][A-Za-z_]*")
# Terms that are the same in every language.
TERMS = frozenset({"MLP", "LoRA", "BitFit"})
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


def anatomies() -> list[Anatomy]:
    """Small models of several families, and large ones of which only the shapes are there."""
    large = ("qwen2.5-1.5b-instruct", "nano")
    return [*(small_model(name)[1] for name in CONFIGURATIONS), *map(open_model, large)]


def plans(anatomy: Anatomy, chance: random.Random) -> list[FreezePlan]:
    """Presets on ranges; kinds mixed with blocks, single names, and what is left out of them."""
    made = [preset(name, layers) for name in preset_plans() for layers in RANGES]
    kinds = [kind.kind for kind in anatomy.kinds if kind.blocks]
    names = [parameter.name for parameter in anatomy.parameters]
    every = range(anatomy.block_count)
    for _ in range(MIXTURES):
        rules = [
            {
                "layers": ",".join(map(str, sorted(chance.sample(every, chance.randint(1, 3))))),
                "kinds": chance.sample(kinds, chance.randint(1, min(len(kinds), 9))),
                "train": chance.random() < 0.8,
            }
            for _ in range(chance.randint(1, 3))
        ]
        if chance.random() < 0.4:
            rules.append({"names": chance.sample(names, chance.randint(1, 3))})
        if chance.random() < 0.2:
            rules.insert(0, {})
        made.append(FreezePlan.from_dict({"schema": 1, "rules": rules}))
    return made


def summaries() -> dict[str, set[str]]:
    """Every summary once, with the words that are names in its model."""
    chance = random.Random(0)
    found: dict[str, set[str]] = {}
    for anatomy in anatomies():
        names = {word for name in anatomy.by_name for word in WORD.findall(name)}
        names |= {name.removesuffix("_proj") for name in names}
        for plan in plans(anatomy, chance):
            try:
                found.setdefault(resolve(plan, anatomy).summary, set()).update(names)
            except PlanError:
                continue  # nothing of it is in this model
    return found


def said(texts: list[str], dictionary: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        ["node", "tests/js/translate.js", str(dictionary)],
        cwd=ROOT,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, object]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("file", DICTIONARIES, ids=lambda file: file.stem)
def test_no_english_word_is_left_in_what_a_plan_says(file: Path) -> None:
    found = summaries()
    assert len(found) > 800
    texts = list(found)
    wrong = []
    for text, answer in zip(texts, said(texts, file), strict=True):
        left = set(WORD.findall(str(answer["text"]))) - found[text] - TERMS
        if left or not answer["whole"] or ", " in str(answer["text"]):
            wrong.append((text, answer["text"], sorted(left)))
    assert not wrong, f"{len(wrong)} of {len(texts)}, for instance {wrong[:3]}"


def test_a_summary_reads_as_a_sentence_in_chinese() -> None:
    rules = [
        {"layers": "3,5", "kinds": ["self_attn.v_proj.weight", "mlp.down_proj.weight"]},
        {"layers": "0-2", "kinds": ["self_attn.*_proj.bias"]},
        {"names": ["model.norm.weight"]},
    ]
    anatomy = open_model("qwen2.5-1.5b-instruct")
    summary = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), anatomy).summary
    assert "q, k and v biases of blocks 0-2; v weight + down projection of blocks 3, 5;" in summary
    (answer,) = said([summary], DICTIONARIES[0])
    assert str(answer["text"]).endswith(
        "：第 0-2 层的 q、k 和 v 偏置；第 3、5 层的 v 权重 + down 投影；model.norm.weight。"
    )
