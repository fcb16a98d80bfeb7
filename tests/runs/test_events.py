"""The event log: whole records only, whatever happens to the writer."""

from __future__ import annotations

import json
import math
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import read_events
from qwen_ui.runs.events import FILE_NAME, EventLog, encode, log_size

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)  # `orjson` reads larger ones as floats
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def steps(folder: Path) -> list[int]:
    return [event["step"] for event in read_events(folder)[0]]


def write(folder: Path, first: int, last: int) -> None:
    log = EventLog(folder)
    for step in range(first, last + 1):
        log.append("step", step=step, text="äöü \n line")
    log.close()


def test_a_reader_goes_on_from_its_offset(tmp_path: Path) -> None:
    assert read_events(tmp_path) == ([], 0)
    write(tmp_path, 1, 3)
    events, offset = read_events(tmp_path)
    assert [event["step"] for event in events] == [1, 2, 3]
    assert offset == log_size(tmp_path)
    write(tmp_path, 4, 5)
    events, offset = read_events(tmp_path, offset)
    assert [event["step"] for event in events] == [4, 5]
    assert read_events(tmp_path, offset) == ([], offset)


def test_a_cut_at_any_byte_leaves_a_log_that_reads_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path, 1, 4)
    whole = (tmp_path / FILE_NAME).read_bytes()
    for cut in range(len(whole) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n")
        assert steps(folder) == list(range(1, complete + 1))
        write(folder, 9, 9)
        # A record that lacks its newline alone is complete, and is kept.
        kept = complete + (1 if cut < len(whole) and whole[cut : cut + 1] == b"\n" else 0)
        assert steps(folder) == [*range(1, kept + 1), 9]


def test_an_offset_from_before_a_torn_line_is_still_good(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"event": "step", "st')
    events, offset = read_events(tmp_path)
    assert len(events) == 2
    write(tmp_path, 3, 3)
    assert [event["step"] for event in read_events(tmp_path, offset)[0]] == [3]


def test_a_full_disk_cuts_no_record_in_two(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk: the same short write, then an error."""
    log = EventLog(tmp_path)
    log.append("step", step=1)
    size = log_size(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        with pytest.raises(OSError, match=r"File too large|No space"):
            log.append("step", step=2)
        with pytest.raises(OSError, match=r"File too large|No space"):
            log.append("step", step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert log_size(tmp_path) == size
    log.append("step", step=2)
    log.close()
    assert steps(tmp_path) == [1, 2]


def test_what_is_not_finite_becomes_null() -> None:
    assert json.loads(encode({"a": math.nan, "b": [math.inf, 1.0]})) == {"a": None, "b": [None, 1]}


@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=4))
def test_events_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = EventLog(folder)
    for record in records:
        log.append("thing", fields=record)
    log.close()
    found = [event["fields"] for event in read_events(folder)[0]]
    assert found == json.loads(json.dumps(records))


def test_a_line_that_is_no_event_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'[1]\nnonsense\n{"no": 1}\n{"event": "step", "step": 7}\n')
    assert steps(tmp_path) == [7]
