"""What lies in Airflow's database between worker and triggerer: always small, and what matters first."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, ServiceUnavailable
from airflow_provider_docconv.services.errors import one_line
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.triggers.batch import MAX_BYTES, BatchEvent, fit_into_row

ENOUGH = 64 << 10
ENDS = [state for state in OperationState if state.is_terminal]
WORDS = st.none() | st.text(max_size=300).map(one_line) | st.sampled_from('a é ☃ 😀 "'.split()).map(lambda c: c * 300)
IDS = st.sampled_from(
    ["{}", "3f2b8c1d-9a47-4e0b-8f5c-{:012d}", "ü{}" + "x" * 190, "日本" * 90 + "{}", "😀" * 180 + "{}"]
)


def operations(form: str, count: int, started: float = 1_764_000_000.123) -> list[tuple[str, float]]:
    return [(form.format(number), started + number) for number in range(count)]


def passed_on(
    ended: list[tuple[str, Operation, float]], polls: int = 1, error: DocConvError | None = None
) -> BatchEvent:
    """Return an event as it comes out of Airflow's database."""
    errors = {"docs": error} if error else {}
    text = json.dumps(BatchEvent.of(ended, {}, {"docs": polls}, errors, 9e9).payload())
    assert len(text) < ENOUGH
    return BatchEvent.read(json.loads(text))


@given(IDS, st.integers(0, 1000), st.sampled_from([0.0, 1_764_000_000.123, 4e9]))
def test_as_many_operations_as_fit_are_chosen_in_their_order(form: str, count: int, started: float) -> None:
    given_operations = operations(form, count, started)
    row = fit_into_row(("docs", *each) for each in given_operations)
    chosen = row.get("docs", {})
    assert len(json.dumps(row)) <= MAX_BYTES
    assert list(chosen) == [operation_id for operation_id, _ in given_operations[: len(chosen)]]
    for operation_id, start in given_operations[: len(chosen)]:
        assert chosen[operation_id] == pytest.approx(start, abs=0.051)
    if len(chosen) < count:
        operation_id, start = given_operations[len(chosen)]
        assert len(json.dumps({"docs": {**chosen, operation_id: start}})) > MAX_BYTES - 20


def test_a_window_of_usual_operations_is_watched_as_a_whole() -> None:
    given_operations = operations("3f2b8c1d-9a47-4e0b-8f5c-{:012d}", 800)
    row = fit_into_row((f"docs_{number % 3}", *each) for number, each in enumerate(given_operations))
    assert list(map(len, row.values())) == [267, 267, 266]


@given(
    IDS,
    st.integers(0, 1000),
    st.lists(st.tuples(st.sampled_from(ENDS), WORDS, WORDS, WORDS), min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.none() | WORDS.map(lambda said: AuthenticationFailed("the login was refused", service_message=said)),
)
@example("{}", 1000, [(OperationState.FAILED, "😀" * 300, "😀" * 300, "😀" * 300)], 5, None)
@example("3f2b8c1d-9a47-4e0b-8f5c-{:012d}", 1000, [(OperationState.SUCCEEDED, None, None, None)], 5, None)
def test_an_event_is_small_and_loses_no_success(
    form: str,
    count: int,
    kinds: list[tuple[OperationState, str | None, str | None, str | None]],
    polls: int,
    error: DocConvError | None,
) -> None:
    # A trigger watches what fitted into its row.
    ended = []
    row = fit_into_row(("docs", *each) for each in operations(form, count))
    for number, operation_id in enumerate(row.get("docs", {})):
        state, word, said, step_description = kinds[number % len(kinds)]
        ended.append(
            (
                "docs",
                Operation(operation_id, state, word or "", said, number, count, step_description),
                1.8e9 + number / 7,
            )
        )
    again = passed_on(ended, polls, error)
    good = {each.id: round(at, 1) for _, each, at in ended if each.state is OperationState.SUCCEEDED}
    assert again.succeeded == ({"docs": good} if good else {})
    assert again.polls == {"docs": polls}
    assert str(again.stopped_by("docs")) == str(error)
    assert type(again.stopped_by("docs")) is type(error)


def test_an_event_holds_successes_and_what_stopped_the_wait_but_no_words_about_documents() -> None:
    ended = [
        ("docs", Operation("op-1", OperationState.SUCCEEDED, ""), 1.5),
        ("docs", Operation("op-2", OperationState.FAILED, "Failed", "Wrong password: hunter2.", 3, 15, "Slide 3"), 2.5),
        ("docs", Operation("op-3", OperationState.CANCELED, "Canceled"), 3.5),
        ("docs", Operation("op-4", OperationState.NOT_FOUND, ""), 4.5),
    ]
    error = ServiceUnavailable("X does not answer", service_message="Busy.", operation_id="op-5", remedy="wait")
    again = passed_on(ended, 17, error)
    assert (again.succeeded, again.polls, again.deadline) == ({"docs": {"op-1": 1.5}}, {"docs": 17}, 9e9)
    assert (type(again.stopped_by("docs")), str(again.stopped_by("docs"))) == (ServiceUnavailable, str(error))
    assert "hunter2" not in json.dumps(again.payload())


def test_an_event_of_nothing_is_one() -> None:
    assert (passed_on([]).succeeded, passed_on([]).stopped_by("docs")) == ({}, None)


def test_an_event_names_the_operations_about_which_the_worker_has_to_ask() -> None:
    ended = [
        ("docs", Operation("op-1", OperationState.SUCCEEDED, ""), 1.0),
        ("docs", Operation("op-2", OperationState.FAILED, ""), 1.0),
        ("texts", Operation("op-3", OperationState.SUCCEEDED, ""), 1.0),
        ("texts", Operation("op-4", OperationState.NOT_FOUND, ""), 1.0),
    ]
    # Of a connection at which a poll has failed, it is not known which one.
    event = BatchEvent.of(ended, {"texts": {"op-3": 0.0, "op-4": 0.0, "op-5": 0.0}}, {}, {}, 9e9)
    assert event.others == {"docs": ["op-2"], "texts": ["op-4", "op-5"]}


@pytest.mark.parametrize("change", [{"polls": None}, {"polls": 17}, {"polls": {"docs": "17"}}, {"succeeded": []}])
def test_an_event_of_another_trigger_is_refused(change: dict[str, Any]) -> None:
    payload = BatchEvent.of([], {}, {"docs": 1}, {}, 9e9).payload()
    assert BatchEvent.read(payload)
    with pytest.raises(msgspec.ValidationError):
        BatchEvent.read(payload | change)
