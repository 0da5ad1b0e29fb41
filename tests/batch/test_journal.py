"""The journal: what write() has returned is durable, whoever else writes, and whatever fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_docconv.batch.record import Entry, Journal
from airflow_provider_docconv.exceptions import ConversionFailed, RecordDamaged
from airflow_provider_docconv.task_state import AirflowTaskState, FileTaskState, Progress, TaskState
from tests.support.patience import wait_until
from tests.support.tasks import Store

WORST = ConversionFailed(
    "the service could not convert the document", service_message="😀" * 300, operation_id="i" * 200
)


class Spy:
    """A task's state that counts, may be slow, and fails when told to."""

    def __init__(self, inner: TaskState) -> None:
        self.inner = inner
        self.sets: list[list[dict[str, Any]]] = []
        self.pause = 0.0
        self.before_set: Callable[[], object] = lambda: None
        self.fails: Callable[[str], bool] = lambda _: False

    def get(self, key: str) -> Any:
        return self.inner.get(key)

    def set(self, key: str, value: Any) -> None:
        time.sleep(self.pause)
        self.before_set()
        if self.fails("set"):
            raise OSError("the store does not answer")
        self.inner.set(key, value)
        self.sets.append(json.loads(json.dumps(value)))

    def delete(self, key: str) -> None:
        if self.fails("delete"):
            raise OSError("the store does not answer")
        self.inner.delete(key)


@pytest.fixture(params=["task state store", "files"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Spy:
    if request.param == "files":
        return Spy(FileTaskState(ObjectStoragePath(f"file://{tmp_path}/journal")))
    return Spy(AirflowTaskState(Store()))


def entry(number: int, **values: Any) -> Entry:
    return Entry(f"key-{number:06d}", "f" * 64, Progress.STARTED, "run", 2, operation_id=f"op-{number}", **values)


def large(number: int) -> Entry:
    return entry(number).failed(WORST)


def read(state: TaskState) -> list[Entry]:
    return list(Journal(state).read())


def test_entries_come_back_in_the_order_of_their_writing(state: Spy) -> None:
    journal = Journal(state)
    written = [journal.write(entry(number)) for number in range(300)]
    assert read(state) == written
    assert len({each.seq for each in written}) == 300


def test_a_later_entry_of_a_document_comes_later(state: Spy) -> None:
    journal = Journal(state)
    for number in (1, 2, 1, 3, 2):
        journal.write(entry(number, attempts=number))
    found = read(state)
    assert [each.key[-1] for each in found] == ["1", "3", "2"]
    assert [each.seq for each in found] == sorted(each.seq for each in found)


def test_a_journal_goes_on_behind_what_it_has_read(state: Spy) -> None:
    written = [Journal(state).write(entry(1))]
    for number in (2, 3):
        journal = Journal(state)
        assert list(journal.read()) == written
        written.append(journal.write(entry(number)))
    assert read(state) == written


def test_every_entry_is_durable_when_its_write_returns(state: Spy) -> None:
    journal = Journal(state)

    def write(writer: int) -> None:
        for number in range(40):
            written = journal.write(entry(100 * writer + number))
            assert written in read(state)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = read(state)
    assert len({each.key for each in found}) == 320
    assert [each.seq for each in found] == sorted(each.seq for each in found)


def test_who_comes_while_a_write_is_under_way_goes_into_the_next_one(state: Spy) -> None:
    journal, entered, go = Journal(state), threading.Event(), threading.Event()
    state.before_set = lambda: (entered.set(), go.wait(60))
    with ThreadPoolExecutor(16) as pool:
        writes = [pool.submit(journal.write, entry(0))]
        assert entered.wait(60)
        writes += [pool.submit(journal.write, entry(number)) for number in range(1, 16)]
        wait_until(lambda: journal._changes == 16)
        assert not any(write.done() for write in writes)
        go.set()
        written = [write.result(60) for write in writes]
    assert sorted(read(state), key=lambda each: each.key) == sorted(written, key=lambda each: each.key)
    assert len(state.sets) == 2


def test_segments_stay_small(state: Spy) -> None:
    """Airflow warns of values above 64 KiB."""
    state.pause = 0.002
    journal = Journal(state)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.write(large(number)), range(200)))
    assert max(len(json.dumps(segment)) for segment in state.sets) < 64 << 10
    assert len({each.key for each in read(state)}) == 200


def test_one_document_that_changes_for_ever_does_not_fill_the_journal(state: Spy) -> None:
    journal = Journal(state)
    for attempt in range(500):
        journal.write(entry(1, attempts=attempt))
    [found] = read(state)
    assert found.attempts == 499


def test_a_write_that_fails_is_seen_by_its_writer_and_loses_nothing(state: Spy) -> None:
    journal = Journal(state)
    journal.write(entry(1))
    state.fails = lambda _: True
    with pytest.raises(OSError, match="does not answer"):
        journal.write(entry(2))
    state.fails = lambda _: False
    journal.write(entry(3))
    assert [each.key[-1] for each in read(state)] == ["1", "2", "3"]


def test_each_writer_learns_whether_its_own_write_failed(state: Spy) -> None:
    journal, lock, turn = Journal(state), threading.Lock(), iter(range(10**6))
    state.pause = 0.001
    state.fails = lambda _: next(turn) % 3 == 0

    def write(number: int) -> Entry | None:
        try:
            written = journal.write(large(number))
        except OSError:
            return None
        with lock:
            assert written in read(state)
        return written

    with ThreadPoolExecutor(8) as pool:
        written = [each for each in pool.map(write, range(120)) if each]
    assert 0 < len(written) < 120
    state.fails = lambda _: False
    journal.write(entry(999))
    assert {each.key for each in read(state)} == {entry(number).key for number in (*range(120), 999)}


def test_numbers_increase_although_the_clock_goes_back(state: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    written = []
    for day in (0, -1, -2, 3, 2):
        journal = Journal(state)
        list(journal.read())
        monkeypatch.setattr(time, "time_ns", lambda day=day: now + day * 86400 * 10**9)
        written += [journal.write(entry(1)), journal.write(entry(2))]
    monkeypatch.undo()
    assert [each.seq for each in written] == sorted({each.seq for each in written})


def test_entries_from_elsewhere_are_earlier_ones(state: Spy) -> None:
    journal = Journal(state)
    journal.see(2**60)
    journal.see(5)
    assert journal.write(entry(1)).seq == 2**60 + 1


def test_a_cleared_journal_is_empty_and_goes_on(state: Spy) -> None:
    journal = Journal(state)
    for number in range(30):
        journal.write(large(number))
    journal.clear()
    assert read(state) == []
    written = journal.write(entry(1))
    assert read(state) == [written]


def test_a_second_try_clears_what_the_first_wrote(state: Spy) -> None:
    first = Journal(state)
    for number in range(30):
        first.write(large(number))
    second = Journal(state)
    assert len(list(second.read())) == 30
    second.write(entry(1))
    second.clear()
    assert read(state) == []


def interrupted(state: Spy) -> Iterator[Journal]:
    """Clear a journal of many segments, and interrupt that at every place."""
    for place in range(1000):
        state.fails = lambda _: False
        for number in range(10):
            state.delete(f"docconv_journal_{number:05d}")
        journal, left = Journal(state), iter(range(place))
        for number in range(15):
            journal.write(large(number))
        state.fails = lambda what, left=left: what == "delete" and next(left, None) is None
        try:
            journal.clear()
        except OSError:
            state.fails = lambda _: False
            yield journal
        else:
            assert place > 3, "the journal had too few segments for this test"
            return


def test_a_journal_whose_clearing_was_interrupted_can_be_read(state: Spy) -> None:
    lengths = []
    for _ in interrupted(state):
        found = read(state)
        assert [each.key for each in found] == [entry(number).key for number in range(len(found))]
        lengths.append(len(found))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 15
    assert lengths[-1] < 15


def test_a_journal_whose_clearing_was_interrupted_can_be_written(state: Spy) -> None:
    for journal in interrupted(state):
        written = journal.write(entry(77))
        assert written in read(state)


@pytest.mark.parametrize(
    "garbage",
    [
        *(5, True, "", "text", {}, {"key": "k", "fingerprint": "f"}, [5], ["text"], [[]], [None], [{}]),
        *([{"key": "k"}], [{"key": 1, "fingerprint": "f"}], [{"key": "k", "fingerprint": "f", "progress": "gone"}]),
        [{"key": "k", "fingerprint": "f", "seq": 10**30}],
    ],
    ids=str,
)
def test_garbage_in_a_segment_is_an_error_that_says_so(garbage: Any, state: Spy) -> None:
    journal = Journal(state)
    journal.write(entry(1))
    state.inner.set("docconv_journal_00000", garbage)
    with pytest.raises(RecordDamaged, match="can't be read"):
        read(state)


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"[{", b"\xff\xfe", b"[" * 10**5, b"[" + b"9" * 5000 + b"]"])
def test_a_file_that_is_no_json_is_an_error_that_says_so(garbage: bytes, tmp_path: Path) -> None:
    (tmp_path / "docconv_journal_00000.json").write_bytes(garbage)
    with pytest.raises(RecordDamaged, match="can't be read"):
        read(FileTaskState(ObjectStoragePath(f"file://{tmp_path}")))


def test_the_journal_holds_what_the_task_state_store_takes(state: Spy) -> None:
    journal = Journal(state)
    journal.write(large(1).failed(ConversionFailed("no", service_message="\ud800 \0 \u2028")))
    for segment in state.sets:
        assert json.loads(json.dumps(segment, allow_nan=False)) == segment


def test_a_note_waits_for_nobody_and_is_never_lost_by_those_who_write(state: Spy) -> None:
    journal = Journal(state)
    first = journal.note(entry(1))
    assert read(state) == [first]
    journal._busy = True  # as while another thread is writing
    second = journal.note(entry(2))
    assert read(state) == [first]
    journal._busy = False
    third = journal.write(entry(3))
    assert read(state) == [first, second, third]
