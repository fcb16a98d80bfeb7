"""10,000 generated inputs over every boundary: an answer or a sentence, in bounds, nothing else.

Inputs are made from good ones by a generator with a fixed seed. Each is given to the function that
the page calls with what a person or a file gives. Time is this process's processor time for one
input, memory the growth of this process: other processes have limits of their own.
"""

from __future__ import annotations

import gc
import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from qwen_ui.data import check_within_limits, parse_columns, preview_within_limits
from qwen_ui.errors import UserError
from qwen_ui.freeze import FreezePlan, import_plan, parse_layers, preset, resolve
from qwen_ui.limited import Limits
from qwen_ui.model import match_names, open_model, open_within_limits
from qwen_ui.model.weights import check_weights, read_weights
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec, parse_spec
from tests.helpers.mutations import as_text, mutated_bytes, mutated_text, mutated_value
from tests.helpers.tiny_models import save_model
from tests.ui.page.test_contract import MISTAKES, found_functions, kind_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
SECONDS, MEMORY = 1.0, 200 * 1024**2
NANO = open_model("nano")
NAMES = tuple(NANO.by_name)
CONFIGURATION = {
    "model_type": "qwen2",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "layer_types": ["full_attention", "full_attention"],
    "tie_word_embeddings": True,
}
FAMILIES = ("qwen2", "llama", "gemma3_text", "mixtral", "gpt2", "t5", "qwen2_5_vl", "mamba")
EXPRESSIONS = ("last:4", "0-3,7,-1", "every:2", "all", "first:2,!0", "~5", "3-1")
PATTERNS = (r"layers\.2[4-7]\..*\.bias", "^(q|k)_proj", r"(\w+)\.\1", "(?i)NORM$", "[a-z]{2,5}")
COLUMNS = ("prompt=question,completion=answer", "user=q,assistant=a,system=s", "text=body")
SETTINGS: dict[str, Any] = {"model": "nano", "data": "x.jsonl", "steps": 5}
SAMPLES = (
    {"text": "In the beginning"},
    {"prompt": "why?", "completion": "because"},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    {"instruction": "do", "input": "", "output": "done"},
)


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(seconds=5.0, memory=2 * 1024**3, patience=60.0)
    for module in ("model.opening.OPENING", "data.within_limits.READING"):
        monkeypatch.setattr(f"qwen_ui.{module}", limits)


def attack(
    count: int, seed: int, made: Callable[[Random], Any], call: Callable[[Any], Any]
) -> None:
    """Give so many inputs to a function; tell every one that it did not take well."""
    random = Random(seed)
    gc.collect()
    memory = psutil.Process().memory_info().rss
    wrong: list[str] = []
    for number in range(count):
        given = made(random)
        began = time.process_time()
        try:
            call(given)
        except UserError as error:
            if len(str(error)) > 4000:
                wrong.append(f"{number}: a sentence of {len(str(error)):,} characters")
        except Exception as error:
            wrong.append(f"{number}: {type(error).__name__}: {str(error)[-300:]} {given!r:.300}")
        taken = time.process_time() - began
        if taken > SECONDS:
            wrong.append(f"{number}: {taken:.1f} s: {given!r:.300}")
        grown = psutil.Process().memory_info().rss - memory
        if grown > MEMORY:
            wrong.append(f"{number}: {grown >> 20} MiB more: {given!r:.300}")
            memory += grown
    assert not wrong, "\n".join([f"{len(wrong)} of {count}", *wrong[:20]])


def test_plans() -> None:
    good = [preset(name, "last:4").to_dict() for name in ("attention", "bitfit", "norms")]
    good += [{"schema": 1, "rules": [{"regex": r"layers\.1\."}, {"train": False, "layers": "0"}]}]
    attack(
        2500,
        1,
        lambda random: (
            as_text(mutated_value(random, random.choice(good)))
            if random.random() < 0.7
            else mutated_text(random, as_text(random.choice(good)))
        ),
        lambda text: resolve(FreezePlan.from_json(text), NANO),
    )


def test_imports() -> None:
    names = "\n".join(f"- {name}" for name in NAMES[:20])
    good = ["\n".join(NAMES[:30]), f"unfrozen_parameters:\n{names}\n", as_text(list(NAMES[:9]))]
    attack(
        1000,
        2,
        lambda random: mutated_text(random, random.choice(good)),
        lambda text: import_plan(text, NANO),
    )


def test_expressions() -> None:
    attack(
        1500,
        3,
        lambda random: mutated_text(random, random.choice(EXPRESSIONS)),
        lambda text: parse_layers(text, 28),
    )


def test_patterns() -> None:
    attack(
        500,
        4,
        lambda random: mutated_text(random, random.choice(PATTERNS)),
        lambda text: match_names([text], NAMES),
    )


def test_columns() -> None:
    attack(500, 5, lambda random: mutated_text(random, random.choice(COLUMNS)), parse_columns)


def test_settings_of_runs() -> None:
    good = make_spec(plan=preset("attention").to_dict(), **SETTINGS).to_dict()

    def made(random: Random) -> dict[str, Any]:
        found = mutated_value(random, good)
        return found if isinstance(found, dict) else {"data": found}

    attack(1000, 6, made, parse_spec)


def test_configurations(tmp_path: Path) -> None:
    def made(random: Random) -> str | bytes:
        values = CONFIGURATION | {"model_type": random.choice(FAMILIES)}
        if random.random() < 0.85:
            return as_text(mutated_value(random, values))
        return mutated_bytes(random, as_text(values).encode())

    def opened(given: str | bytes) -> None:
        data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
        (tmp_path / "config.json").write_bytes(data)
        open_within_limits(str(tmp_path))

    attack(500, 7, made, opened)


def test_headers(tmp_path: Path) -> None:
    folder = save_model(tmp_path, "qwen2")
    anatomy, file = open_model(str(folder)), folder / "model.safetensors"
    whole = file.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    entries, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]

    def made(random: Random) -> bytes:
        if random.random() < 0.7:
            raw = as_text(mutated_value(random, entries)).encode()
        else:
            raw = mutated_bytes(random, whole[8 : 8 + length])
        claimed = len(raw) if random.random() < 0.9 else random.choice([0, 1, 2**40, 2**64 - 1])
        return struct.pack("<Q", claimed) + raw + data

    def read(given: bytes) -> None:
        file.write_bytes(given)
        check_weights(anatomy, read_weights(folder))

    attack(1500, 8, made, read)


def test_data(tmp_path: Path) -> None:
    table = "prompt,completion\nwhy?,because\nhow?,so\n"

    def made(random: Random) -> tuple[str, bytes]:
        lines = [mutated_value(random, sample) for sample in random.choices(SAMPLES, k=3)]
        ending = random.choice(["jsonl", "json", "csv", "txt", "parquet", "arrow", "jsonl.gz"])
        if ending == "csv":
            text = mutated_text(random, table)
        elif ending == "json":
            text = as_text(random.choice([lines, {"data": lines}, lines[0]]))
        else:
            text = "\n".join(as_text(line) for line in lines)
        data = text.encode("utf-8", "surrogatepass")
        return ending, mutated_bytes(random, data) if random.random() < 0.3 else data

    def read(given: tuple[str, bytes]) -> None:
        ending, data = given
        file = tmp_path / f"a.{ending}"
        file.write_bytes(data)
        check_within_limits(str(file))
        preview_within_limits(str(file), ASSETS / "nano", 64)

    attack(500, 9, made, read)


def test_server_functions() -> None:
    functions = found_functions()
    names = [(c, n) for c, of_component in MISTAKES.items() for n in of_component]

    def made(random: Random) -> tuple[str, str, Any]:
        component, name = random.choice(names)
        # None of these names a run or a plan that could be started or thrown away.
        return component, name, mutated_value(random, MISTAKES[component][name][0])

    def asked(given: tuple[str, str, Any]) -> None:
        component, name, value = given
        answer = functions[component][name](value)
        assert kind_of(answer) != "InternalError", answer

    attack(1000, 10, made, asked)
