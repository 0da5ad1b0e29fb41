"""What a try does about a document: for all that can be known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_docconv.batch.record import (
    ConversionRequest,
    Decision,
    DocumentState,
    Entry,
    RecordedError,
    Run,
    decide,
)
from airflow_provider_docconv.exceptions import ConversionFailed

RUN = Run("this run", 2)
REQUEST = ConversionRequest("k", "s3://b/a.pptx", "s3://b/a.pdf", "pdf", "spec", "the same", versioned=True)
CONDITIONS = "the service, its storage, the options"
RECORDED = [state for state in DocumentState if state not in (DocumentState.SKIPPED, DocumentState.FAILED)]

TEXTS = st.text(st.characters(exclude_categories=()), min_size=1, max_size=20)
COUNTS = st.integers(0, 2**53)
TIMES = st.none() | st.floats(0, 1e10)
ENTRIES = st.builds(
    Entry,
    key=TEXTS,
    fingerprint=TEXTS,
    state=st.sampled_from(RECORDED),
    run=st.text(max_size=20),
    max_tries=COUNTS,
    seq=COUNTS,
    operation_id=TEXTS,
    started=TIMES,
    ended=TIMES,
    waited=TIMES,
    attempts=COUNTS,
    lost_replies=COUNTS,
    reported=st.booleans(),
    source_sha256=st.none() | TEXTS,
    results=st.lists(st.fixed_dictionaries({"uri": TEXTS, "size": COUNTS, "sha256": TEXTS}), max_size=3).map(tuple),
    conditions=st.just("") | TEXTS,
    error=st.none() | TEXTS.map(lambda said: RecordedError.of(ConversionFailed("no", service_message=said))),
)


def situations() -> Iterator[tuple[Entry, ConversionRequest, bool, Decision]]:
    """Give everything that can be known of a document, with what is done about it."""
    runs, tries, reasons = ("this run", "last night's"), (2, 5), (CONDITIONS, "others", "")
    for state, mark, run, max_tries, conditions, versioned, full_refresh in product(
        RECORDED, ("the same", "another"), runs, tries, reasons, (True, False), (True, False)
    ):
        entry = Entry("k", mark, state, run, max_tries, operation_id="op-1", conditions=conditions)
        request = replace(REQUEST, versioned=versioned)
        yield entry, request, full_refresh, decided(entry, request, full_refresh=full_refresh)


def decided(entry: Entry | None, request: ConversionRequest = REQUEST, *, full_refresh: bool = False) -> Decision:
    return decide(request, entry, RUN, conditions=CONDITIONS, full_refresh=full_refresh)


def test_there_is_a_decision_on_everything() -> None:
    assert {decision for *_, decision in situations()} == set(Decision)


@pytest.mark.parametrize(
    ("state", "mark", "run", "full_refresh", "decision"),
    [
        # The same document, in this run and in another one.
        ("waiting", "the same", "this run", False, Decision.START),
        ("sent", "the same", "this run", False, Decision.REPLY_LOST),
        ("sent", "the same", "last night's", False, Decision.REPLY_LOST),
        ("started", "the same", "last night's", False, Decision.RESUME),
        ("delivered", "the same", "last night's", False, Decision.SKIP),
        ("rejected", "the same", "last night's", False, Decision.REJECT),
        # A document that has changed.
        ("started", "another", "this run", False, Decision.START),
        ("delivered", "another", "last night's", False, Decision.START),
        ("rejected", "another", "this run", False, Decision.START),
        # Everything anew: what earlier runs have done, but not what this one has.
        ("sent", "the same", "last night's", True, Decision.START),
        ("sent", "the same", "this run", True, Decision.REPLY_LOST),
        ("started", "the same", "last night's", True, Decision.START),
        ("started", "the same", "this run", True, Decision.RESUME),
        ("delivered", "the same", "this run", True, Decision.SKIP),
    ],
)
def test_what_a_try_does(state: str, mark: str, run: str, full_refresh: bool, decision: Decision) -> None:
    conditions = CONDITIONS if state == "rejected" else ""
    entry = Entry("k", mark, DocumentState(state), run, RUN.max_tries, operation_id="op-1", conditions=conditions)
    assert decided(entry, full_refresh=full_refresh) is decision


@pytest.mark.parametrize("full_refresh", [True, False])
@pytest.mark.parametrize("versioned", [True, False])
def test_an_unknown_document_is_started(versioned: bool, full_refresh: bool) -> None:
    assert decided(None, replace(REQUEST, versioned=versioned), full_refresh=full_refresh) is Decision.START


def test_a_changed_document_is_started() -> None:
    for entry, _, _, decision in situations():
        assert decision is Decision.START or entry.fingerprint == REQUEST.fingerprint


def test_what_is_at_the_service_is_never_started_twice_by_one_run() -> None:
    for entry, _, _, decision in situations():
        at_the_service = entry.state in (DocumentState.SENT, DocumentState.STARTED)
        if at_the_service and entry.run == RUN.id and entry.fingerprint == REQUEST.fingerprint:
            assert decision in (Decision.RESUME, Decision.REPLY_LOST)


def test_what_this_run_has_delivered_is_never_converted_again() -> None:
    for entry, _, _, decision in situations():
        delivered = entry.state is DocumentState.DELIVERED and entry.run == RUN.id
        if delivered and entry.fingerprint == REQUEST.fingerprint:
            assert decision is Decision.SKIP


def test_what_another_run_has_delivered_is_converted_again_where_the_store_tells_no_versions() -> None:
    for entry, request, _, decision in situations():
        if entry.state is DocumentState.DELIVERED and entry.run != RUN.id and not request.versioned:
            assert decision is Decision.START


def test_a_full_refresh_takes_nothing_over_from_another_run() -> None:
    for entry, _, full_refresh, decision in situations():
        if full_refresh and entry.run != RUN.id:
            assert decision is Decision.START


@pytest.mark.parametrize(
    ("conditions", "run", "max_tries", "full_refresh", "decision"),
    [
        (CONDITIONS, "this run", 2, False, Decision.REJECT),
        (CONDITIONS, "last night's", 2, False, Decision.REJECT),
        (CONDITIONS, "last night's", 5, False, Decision.REJECT),
        (CONDITIONS, "this run", 2, True, Decision.REJECT),
        # A person has cleared the task, or wants everything anew.
        (CONDITIONS, "this run", 5, False, Decision.START),
        (CONDITIONS, "last night's", 2, True, Decision.START),
        # What the refusal depended on has changed, as a password that was wrong.
        ("others", "this run", 2, False, Decision.START),
        ("others", "last night's", 2, False, Decision.START),
        # It does not last: it may be over by now.
        ("", "this run", 2, False, Decision.START),
        ("", "last night's", 2, False, Decision.START),
    ],
)
def test_a_refusal_lasts_only_as_long_as_its_reasons(
    conditions: str, run: str, max_tries: int, full_refresh: bool, decision: Decision
) -> None:
    entry = Entry("k", "the same", DocumentState.REJECTED, run, max_tries, conditions=conditions)
    assert decided(entry, full_refresh=full_refresh) is decision


@given(ENTRIES)
@example(Entry("k", "f", waited=0.0))
@example(Entry("k", "f"))
def test_an_entry_comes_back_as_it_was_written(entry: Entry) -> None:
    text = json.dumps(msgspec.to_builtins(entry), allow_nan=False)
    assert msgspec.convert(json.loads(text), Entry) == entry


@pytest.mark.parametrize("state", [DocumentState.SKIPPED, DocumentState.FAILED])
def test_what_a_document_is_within_a_run_is_not_recorded(state: DocumentState) -> None:
    with pytest.raises(ValueError, match="is not recorded"):
        Entry("k", "f", state)


def test_an_operation_that_was_started_has_an_id() -> None:
    with pytest.raises(ValueError, match="has an id"):
        Entry("k", "f", DocumentState.STARTED)


@pytest.mark.parametrize(
    ("state", "run", "failed", "seen"),
    [
        ("delivered", "this run", False, "delivered"),
        ("delivered", "last night's", False, "skipped"),
        ("rejected", "this run", True, "rejected"),
        ("rejected", "last night's", True, "rejected"),
        ("waiting", "this run", True, "failed"),
        ("sent", "this run", True, "failed"),
        ("started", "this run", True, "failed"),
        ("waiting", "this run", False, "waiting"),
        ("sent", "this run", False, "sent"),
        ("started", "last night's", False, "started"),
    ],
)
def test_a_document_is_in_one_state_within_a_run(state: str, run: str, failed: bool, seen: str) -> None:
    entry = Entry("k", "f", DocumentState(state), run, operation_id="op-1")
    found: Any = (entry.failed(ConversionFailed("no")) if failed else entry).state_in(RUN)
    assert found == seen
    assert found.is_final is (seen not in ("waiting", "sent", "started"))
