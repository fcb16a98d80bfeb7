"""A permit launches what a person allowed, once, for a while."""

from __future__ import annotations

import threading

import pytest

from qwen_ui.errors import SettingsError
from qwen_ui.ui.page.permits import LIFETIME_SECONDS, MOST_PERMITS, Permits

SETTINGS = {"model": "nano", "steps": 3, "data": {"source": "kjv-train.txt"}}


def test_a_token_works_once() -> None:
    permits = Permits()
    token = permits.give("training", SETTINGS)
    assert permits.look_at(token).settings == SETTINGS  # looking does not use it up
    # The order of the settings is no part of them.
    again = dict(reversed(SETTINGS.items()))
    assert permits.use(token, "training", again).settings == SETTINGS
    for ask in (permits.look_at, lambda used: permits.use(used, "training", SETTINGS)):
        with pytest.raises(SettingsError, match="This token is used; each works once"):
            ask(token)


def test_of_many_who_use_a_token_at_once_one_may() -> None:
    permits = Permits()
    token = permits.give("training", SETTINGS)
    begin, done = threading.Barrier(8), []

    def use() -> None:
        begin.wait()
        try:
            permits.use(token, "training", SETTINGS)
            done.append("launched")
        except SettingsError:
            done.append("refused")

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["launched"] + ["refused"] * 7


@pytest.mark.parametrize("change", [{"steps": 4}, {"more": 1}, {"data": {"source": "other"}}])
def test_other_settings_are_refused_and_do_not_use_it_up(change: dict[str, object]) -> None:
    permits = Permits()
    token = permits.give("training", SETTINGS)
    with pytest.raises(SettingsError, match="not the settings that the token permits"):
        permits.use(token, "training", SETTINGS | change)
    with pytest.raises(SettingsError, match="permits a training, not a comparison"):
        permits.use(token, "comparison", SETTINGS)
    assert permits.use(token, "training", SETTINGS)


def test_altered_and_foreign_tokens_are_refused() -> None:
    permits = Permits()
    token = permits.give("training", SETTINGS)
    foreign = Permits().give("training", SETTINGS)
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (foreign, altered, token[:-1], token + "x", "", "\ud800", token.upper()):
        with pytest.raises(SettingsError, match="not made by this dashboard"):
            permits.use(wrong, "training", SETTINGS)
    assert permits.use(token, "training", SETTINGS)


def test_a_token_expires() -> None:
    now = [0.0]
    permits = Permits(lambda: now[0])
    token = permits.give("training", SETTINGS)
    now[0] = LIFETIME_SECONDS - 1
    assert permits.look_at(token)
    now[0] = LIFETIME_SECONDS
    for _ in range(2):
        with pytest.raises(SettingsError, match="This token is expired"):
            permits.use(token, "training", SETTINGS)


def test_permits_are_bounded_in_number() -> None:
    permits = Permits()
    tokens = [permits.give("training", SETTINGS) for _ in range(MOST_PERMITS + 1)]
    with pytest.raises(SettingsError, match="replaced by newer ones"):
        permits.look_at(tokens[0])
    assert permits.look_at(tokens[1])


def test_tokens_are_not_kept() -> None:
    permits = Permits()
    token = permits.give("training", SETTINGS)
    assert token not in repr(vars(permits))
