"""What a try does about a document: for all that can be known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.record import ConversionRequest, Decision, Entry, Progress, Run, decide_on
from airflow_provider_docconv.exceptions import ConversionFailed

RUN = Run("this run", 2)
ERRORS: tuple[dict[str, Any] | None, ...] = (
    {"type": "ConversionFailed"},
    {"type": "DocumentRejected"},
    {"type": "SourceNotFound"},
    {"type": "ConversionCanceled"},
    {"type": "unheard of"},
    {},
    None,
)
WANTED = ConversionRequest("s3://b/a.pptx", "s3://b/a.pdf", "pdf", 0, "the same", versioned=True)

TEXTS = st.text(min_size=1, max_size=20)
COUNTS = st.integers(0, 2**53)
TIMES = st.none() | st.floats(0, 1e10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.builds(
    Entry,
    key=TEXTS,
    fingerprint=TEXTS,
    progress=st.sampled_from(Progress),
    run=st.text(max_size=20),
    max_tries=COUNTS,
    seq=COUNTS,
    operation_id=TEXTS,
    started=TIMES,
    ended=TIMES,
    waited=TIMES,
    attempts=COUNTS,
    lost_replies=COUNTS,
    results=st.lists(st.fixed_dictionaries({"uri": st.text(), "size": COUNTS, "sha256": st.text()}), max_size=3),
    error=st.none()
    | st.text().map(lambda said: dict(Entry("k", "f").failed(ConversionFailed("no", service_message=said)).error)),
)


def situations() -> Iterator[tuple[Entry, ConversionRequest, bool]]:
    """Give everything that can be known of a document, with whether everything shall be done again."""
    runs, tries = ("this run", "last night's"), (2, 5)
    for progress, mark, run, max_tries, error, versioned, full_refresh in product(
        Progress, ("the same", "another"), runs, tries, ERRORS, (True, False), (True, False)
    ):
        entry = Entry("k", mark, progress, run, max_tries, operation_id="op-1", error=error)
        yield entry, replace(WANTED, versioned=versioned), full_refresh


def decisions() -> Iterator[tuple[Entry, ConversionRequest, bool, Decision]]:
    for entry, wanted, full_refresh in situations():
        yield entry, wanted, full_refresh, decide_on(wanted, entry, RUN, full_refresh=full_refresh)


def test_there_is_a_decision_on_everything() -> None:
    found = {decision for *_, decision in decisions()}
    assert found == set(Decision)


@pytest.mark.parametrize(
    ("progress", "mark", "run", "full_refresh", "decision"),
    [
        # The same document, in this run and in another one.
        ("waiting", "the same", "this run", False, Decision.START),
        ("sent", "the same", "this run", False, Decision.REPLY_LOST),
        ("sent", "the same", "last night's", False, Decision.REPLY_LOST),
        ("started", "the same", "last night's", False, Decision.REATTACH),
        ("delivered", "the same", "last night's", False, Decision.SKIP),
        ("rejected", "the same", "last night's", False, Decision.REJECT),
        # A document that has changed.
        ("started", "another", "this run", False, Decision.START),
        ("delivered", "another", "last night's", False, Decision.START),
        # Everything anew: what earlier runs have done, but not what this one has.
        ("sent", "the same", "last night's", True, Decision.START),
        ("sent", "the same", "this run", True, Decision.REPLY_LOST),
        ("started", "the same", "last night's", True, Decision.START),
        ("started", "the same", "this run", True, Decision.REATTACH),
        ("delivered", "the same", "this run", True, Decision.SKIP),
    ],
)
def test_what_a_try_does(progress: str, mark: str, run: str, full_refresh: bool, decision: Decision) -> None:
    error = {"type": "DocumentRejected"} if progress == "rejected" else None
    entry = Entry("k", mark, Progress(progress), run, RUN.max_tries, operation_id="op-1", error=error)
    assert decide_on(WANTED, entry, RUN, full_refresh=full_refresh) is decision


@pytest.mark.parametrize("full_refresh", [True, False])
def test_an_unknown_document_is_started(full_refresh: bool) -> None:
    for versioned in (True, False):
        wanted = replace(WANTED, versioned=versioned)
        assert decide_on(wanted, None, RUN, full_refresh=full_refresh) is Decision.START


def test_a_changed_document_is_started() -> None:
    for entry, _, _, decision in decisions():
        if entry.fingerprint != WANTED.fingerprint:
            assert decision is Decision.START


def test_what_never_began_is_started() -> None:
    for entry, _, _, decision in decisions():
        if entry.progress is Progress.WAITING:
            assert decision is Decision.START


def test_what_is_at_the_service_is_never_started_twice_by_one_run() -> None:
    for entry, _, _, decision in decisions():
        at_the_service = entry.progress in (Progress.SENT, Progress.STARTED)
        if at_the_service and entry.run == RUN.id and entry.fingerprint == WANTED.fingerprint:
            assert decision in (Decision.REATTACH, Decision.REPLY_LOST)


def test_what_this_run_delivered_is_never_converted_again() -> None:
    for entry, _, _, decision in decisions():
        if entry.progress is Progress.DELIVERED and entry.run == RUN.id and entry.fingerprint == WANTED.fingerprint:
            assert decision is Decision.SKIP


def test_what_another_run_delivered_is_converted_again_where_the_store_tells_no_versions() -> None:
    for entry, wanted, _, decision in decisions():
        if entry.progress is Progress.DELIVERED and entry.run != RUN.id and not wanted.versioned:
            assert decision is Decision.START


def test_a_full_refresh_takes_nothing_over_from_another_run() -> None:
    for entry, _, full_refresh, decision in decisions():
        if full_refresh and entry.run != RUN.id:
            assert decision is Decision.START


@pytest.mark.parametrize(
    ("error", "run", "max_tries", "full_refresh", "decision"),
    [
        ("ConversionFailed", "this run", 2, False, Decision.REJECT),
        ("DocumentRejected", "last night's", 2, False, Decision.REJECT),
        ("DocumentRejected", "last night's", 5, False, Decision.REJECT),
        ("DocumentRejected", "this run", 2, True, Decision.REJECT),
        # A person has cleared the task, or wants everything anew.
        ("DocumentRejected", "this run", 5, False, Decision.START),
        ("DocumentRejected", "last night's", 2, True, Decision.START),
        # Errors that may be over by now.
        ("SourceNotFound", "last night's", 2, False, Decision.START),
        ("ConversionCanceled", "this run", 2, False, Decision.START),
        ("unheard of", "this run", 2, False, Decision.START),
    ],
)
def test_a_rejection_holds_if_the_service_spoke_and_nobody_has_cleared_the_task(
    error: str, run: str, max_tries: int, full_refresh: bool, decision: Decision
) -> None:
    entry = Entry("k", "the same", Progress.REJECTED, run, max_tries, error={"type": error})
    assert decide_on(WANTED, entry, RUN, full_refresh=full_refresh) is decision


@given(ENTRIES)
@example(Entry("k", "f", waited=0.0))
def test_an_entry_comes_back_as_it_was_written_down(entry: Entry) -> None:
    assert Entry.from_json(json.loads(json.dumps(entry.to_json()))) == entry


@given(JSON | st.dictionaries(st.sampled_from(Entry.__slots__), JSON))
def test_anything_else_is_an_entry_or_an_error(values: Any) -> None:
    try:
        entry = Entry.from_json(values)
    except ValueError:
        return
    assert isinstance(entry, Entry)
    assert isinstance(entry.state, str)


@given(ENTRIES, st.sampled_from(Entry.__slots__), JSON)
def test_one_odd_value_in_an_entry_is_an_entry_or_an_error(entry: Entry, name: str, value: Any) -> None:
    try:
        found = Entry.from_json({**entry.to_json(), name: value})
    except ValueError:
        return
    assert isinstance(found, Entry)


@pytest.mark.parametrize(
    "odd",
    [
        {"key": 1},
        {"fingerprint": None},
        {"progress": "gone"},
        {"progress": ["waiting"]},
        {"progress": "started", "operation_id": None},
        {"operation_id": 7},
        {"run": 7},
        {"seq": "1"},
        {"seq": 1.5},
        {"seq": 2**63},
        {"seq": -(2**63) - 1},
        {"attempts": None},
        {"lost_replies": []},
        {"started": "yesterday"},
        {"ended": {}},
        {"waited": float("inf")},
        {"started": 10**400},
        {"results": {}},
        {"results": ["s3://b/a.pdf"]},
        {"results": [{"uri": "s3://b/a.pdf"}]},
        {"error": "no"},
        {"error": {}},
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_what_would_break_the_batch_later_is_refused_when_it_is_read(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Entry.from_json({**Entry("k", "f", results=[{"uri": "u", "size": 1, "sha256": "x"}]).to_json(), **odd})


def test_conversions_to_one_address_have_one_key() -> None:
    assert WANTED.key == replace(WANTED, source="s3://b/other.pptx").key
    assert WANTED.key != replace(WANTED, destination="s3://b/other.pdf").key
    nowhere = replace(WANTED, destination="", source="file:///a\ud800.pptx")
    assert nowhere.key != replace(nowhere, source="file:///b.pptx").key


@pytest.mark.parametrize(
    ("progress", "failed", "state"),
    [
        ("delivered", False, "delivered"),
        ("rejected", True, "rejected"),
        ("waiting", True, "failed"),
        ("sent", True, "failed"),
        ("started", True, "failed"),
        ("waiting", False, "unfinished"),
        ("started", False, "unfinished"),
    ],
)
def test_an_entry_says_what_the_report_calls_it(progress: str, failed: bool, state: str) -> None:
    entry = Entry("k", "f", Progress(progress), operation_id="op-1")
    assert (entry.failed(ConversionFailed("no")) if failed else entry).state == state
