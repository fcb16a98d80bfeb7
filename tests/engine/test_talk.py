"""Sides that write at the same time write what each would write alone, from the same chances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from qwen_ui.engine import BASE, Exchange, Message, Sampling, Side, Talk, Written
from qwen_ui.engine.exchange import Values
from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.model import open_model
from qwen_ui.model.weights import load_model, load_tokenizer

PROMPT: tuple[Message, ...] = ({"role": "user", "content": "the cat sat"},)


@pytest.fixture(scope="module")
def talk(tiny: Path) -> Talk:
    anatomy = open_model(str(tiny))
    model = load_model(tiny, anatomy, torch.float32).eval()
    return Talk(model, anatomy, load_tokenizer(tiny), Exchange(model))


@pytest.fixture(scope="module")
def other(talk: Talk) -> Values:
    """All of the model's weights but a few, changed."""
    generator = torch.Generator().manual_seed(1)
    values = {}
    for name, parameter in talk.model.named_parameters():
        if "layers" in name:
            talk.exchange._kept[name] = parameter.detach().clone()
            noise = 2.0 * torch.randn(parameter.shape, generator=generator)
            values[name] = parameter.detach() + noise
    return values


def written(talk: Talk, *sides: Values, **sampling: Any) -> list[Written]:
    asked = [Side(values, PROMPT) for values in sides]
    # Logits of a model that was never trained are small.
    settings = {"chat": False, "tokens": 24, "temperature": 0.05, **sampling}
    return talk.write(asked, Sampling(**settings), lambda side, text: None)


def test_side_by_side_each_writes_what_it_writes_alone(
    talk: Talk, other: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A turn a token: the most that sides can get into each other's way.
    monkeypatch.setattr("qwen_ui.engine.talk.TURN_SECONDS", 0.0)
    monkeypatch.setattr("qwen_ui.engine.talk.EXCHANGE_SHARE", 0)
    alone = [written(talk, values)[0].text for values in (BASE, other)]
    both = [side.text for side in written(talk, BASE, other)]
    assert both == alone
    assert both[0] != both[1]
    same = written(talk, other, other, BASE, seed=5)
    assert same[0].text == same[1].text
    assert same[0].text != both[1]


def test_without_temperature_it_is_the_model_s_own_greedy_text(talk: Talk) -> None:
    ids = talk.encoded(PROMPT, chat=False)
    talk.exchange.put(BASE)
    generate: Any = talk.model.generate
    greedy = generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
    expected = talk.tokenizer.decode(greedy[0, ids.shape[1] :], skip_special_tokens=True)
    found = written(talk, BASE, temperature=0.0)[0]
    assert found.text == expected
    assert found.tokens == greedy.shape[1] - ids.shape[1]


def test_draws_follow_the_model_s_own_distribution(talk: Talk) -> None:
    """Next tokens of many seeds against the softmax, by chi-squared over the likeliest ones."""
    ids = talk.encoded(PROMPT, chat=False)
    talk.exchange.put(BASE)
    temperature, draws = 0.7, 400
    with torch.no_grad():
        chances = (talk.model(ids).logits[0, -1] / temperature).softmax(-1)
    from qwen_ui.engine.talk import _Voice  # noqa: PLC0415
    from qwen_ui.engine.turns import Turns  # noqa: PLC0415

    counts = torch.zeros_like(chances)
    with torch.no_grad():
        scores = talk.model(ids).logits[:, -1]
    for seed in range(draws):
        sampling = Sampling(temperature=temperature, seed=seed)
        voice = _Voice(
            talk, 0, BASE, sampling, Turns(1), lambda *_: None, lambda: False, 0.0
        )  # fmt: skip
        counts[voice._drawn(ids, scores).argmax()] += 1
    # Ten groups of about equal chance; 9 degrees of freedom, 99.9 % below 27.9.
    order = chances.argsort(descending=True)
    group = (chances[order].cumsum(0) * 10).clamp_max(9.999).long()
    expected = torch.zeros(10).index_add(0, group, chances[order]) * draws
    found = torch.zeros(10).index_add(0, group, counts[order])
    assert float(((found - expected).square() / expected.clamp_min(1e-9)).sum()) < 27.9


def test_texts_grow_and_a_stop_ends_every_side(talk: Talk, other: Values) -> None:
    told: list[tuple[int, int]] = []
    sides = [Side(BASE, PROMPT), Side(other, PROMPT)]
    asked = iter(range(10_000))
    found = talk.write(
        sides,
        Sampling(chat=False, tokens=100, temperature=1.0),
        lambda side, text: told.append((side, text.tokens)),
        lambda: next(asked) > 10,
    )
    assert [side.ended for side in found] == ["stopped", "stopped"]
    assert all(side.tokens < 100 for side in found)
    assert {side for side, _ in told} == {0, 1}


def test_a_side_that_fails_holds_up_no_other(talk: Talk, other: Values) -> None:
    broken = {"no.such.weight": torch.ones(2)}
    texts: dict[int, str] = {}
    with pytest.raises(KeyError):
        talk.write(
            [Side(broken, PROMPT), Side(BASE, PROMPT)],
            Sampling(chat=False, tokens=8),
            lambda side, text: texts.update({side: text.ended}),
        )
    assert texts == {1: "length"}
    talk.exchange._present = BASE  # as it was before the broken one


def test_a_conversation_goes_through_the_template(talk: Talk) -> None:
    history: tuple[Message, ...] = (
        *PROMPT,
        {"role": "assistant", "content": "on the mat"},
        {"role": "user", "content": "and then?"},
    )
    text = talk.tokenizer.decode(talk.encoded(history, chat=True)[0])
    assert text.count("<|im_start|>user") == 2
    assert text.endswith("<|im_start|>assistant\n")
    assert talk.has_template
    assert talk.encoded(history, chat=False).shape == (1, len("and then?"))


def test_what_cannot_be_written_after_is_said(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="nothing to continue"):
        talk.encoded(({"role": "user", "content": ""},), chat=False)
    monkeypatch.setattr(talk.tokenizer, "chat_template", "{{ raise_exception('no') }}")
    with pytest.raises(ModelError, match="chat template"):
        talk.encoded(PROMPT, chat=True)


def test_the_time_ends_it(talk: Talk) -> None:
    found = written(talk, BASE, tokens=100, seconds=0.0)
    assert found[0].ended == "time"
    assert found[0].tokens == 1
