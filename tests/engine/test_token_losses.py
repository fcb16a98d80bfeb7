"""Losses of single tokens against plain logits; exact matches against greedy decoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from qwen_ui.compare.token_changes import token_changes
from qwen_ui.engine import exact_matches, token_accuracy
from qwen_ui.engine.sample import continuation
from qwen_ui.engine.token_losses import token_losses
from qwen_ui.freeze import preset
from tests.helpers.recorded_run import record_run


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    rows = [{"prompt": f"{n}:", "completion": "aa"} for n in range(40)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_they_are_those_of_plain_logits_and_exact_is_what_greedy_writes(
    tiny: Path, answers: Path, tmp_path: Path
) -> None:
    _, prepared = record_run(
        tiny, answers, preset("full"), tmp_path / "run", steps=60, learning_rate=1e-2
    )
    loop, tokenizer = prepared.loop, prepared.data.tokenizer
    found = token_losses(loop.over_evaluation, 3)
    examples = prepared.data.evaluation.items
    exact = 0
    for example, one in zip(examples, found, strict=True):
        with torch.no_grad():
            logits = prepared.model(torch.tensor([example.tokens])).logits[0].double()
        places = [i for i, carries in enumerate(example.loss_mask) if carries]
        losses = [-float(logits[i - 1].log_softmax(0)[example.tokens[i]]) for i in places]
        assert one.losses == pytest.approx(losses, rel=1e-4, abs=1e-5)
        prompt = tokenizer.decode(example.tokens[: places[0]])
        wanted = tokenizer.decode(example.tokens[places[0] :], skip_special_tokens=True)
        exact += continuation(loop.trainee, tokenizer, prompt, len(places)) == wanted
    assert exact_matches(found) == exact > 0
    assert 0 < token_accuracy(found) <= 1
    assert sum(one.total for one in found) == pytest.approx(sum(loop.evaluate().sums), rel=1e-6)
    record = token_changes(examples, found, found, lambda token: str(tokenizer.decode([token])))
    assert record["answers"] == len(examples)
    first = record["samples"][0]["pieces"]
    assert first[0][1:] == [None, None]
    assert all(before == after for _, before, after in first)
