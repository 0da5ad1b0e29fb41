"""What lies in Airflow's database between worker and triggerer: always small, and what matters first."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.events import MOST, Watched, fitting
from airflow_provider_docconv.batch.record import DocumentState, Entry
from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, ServiceUnavailable
from airflow_provider_docconv.services.errors import quote_words
from airflow_provider_docconv.services.operations import Operation, OperationState

ENOUGH = 64 << 10
ENDS = [state for state in OperationState if state.is_terminal]
WORDS = (
    st.none() | st.text(max_size=300).map(quote_words) | st.sampled_from('a é ☃ 😀 "'.split()).map(lambda c: c * 300)
)
IDS = st.sampled_from(
    ["{}", "3f2b8c1d-9a47-4e0b-8f5c-{:012d}", "ü{}" + "x" * 190, "日本" * 90 + "{}", "😀" * 180 + "{}"]
)


def entries(form: str, count: int, started: float = 1_764_000_000.123) -> list[Entry]:
    return [
        Entry(f"k{number}", "f", DocumentState.STARTED, operation_id=form.format(number), started=started + number)
        for number in range(count)
    ]


@given(IDS, st.integers(0, 1000), st.sampled_from([0.0, 1_764_000_000.123, 4e9]))
def test_as_many_operations_as_fit_are_chosen_in_their_order(form: str, count: int, started: float) -> None:
    given_entries = entries(form, count, started)
    chosen = fitting(iter(given_entries))
    assert len(json.dumps(chosen)) <= MOST
    assert list(chosen) == [entry.operation_id for entry in given_entries[: len(chosen)]]
    for entry in given_entries[: len(chosen)]:
        assert chosen[str(entry.operation_id)] == pytest.approx(entry.started, abs=0.051)
    if len(chosen) < count:
        following = given_entries[len(chosen)]
        assert len(json.dumps({**chosen, str(following.operation_id): following.started})) > MOST - 20


def test_an_operation_whose_start_is_unknown_is_watched() -> None:
    assert fitting([Entry("k", "f", DocumentState.STARTED, operation_id="op-1")]) == {"op-1": 0.0}


def test_a_window_of_usual_operations_is_watched_as_a_whole() -> None:
    assert len(fitting(entries("3f2b8c1d-9a47-4e0b-8f5c-{:012d}", 800))) == 800


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
    for number, operation_id in enumerate(fitting(entries(form, count))):
        state, word, said, step_description = kinds[number % len(kinds)]
        ended.append(
            (Operation(operation_id, state, word or "", said, number, count, step_description), 1.8e9 + number / 7)
        )
    text = json.dumps(Watched(ended, polls, error).serialize())
    assert len(text) < ENOUGH
    again = Watched.deserialize(json.loads(text))
    states = {operation.id: (operation.state, round(at, 1)) for operation, at in ended}
    assert {each.id: (each.state, at) for each, at in again.ended}.items() <= states.items()
    good = {operation.id for operation, _ in ended if operation.state is OperationState.SUCCEEDED}
    assert {each.id for each, _ in again.ended if each.state is OperationState.SUCCEEDED} == good
    assert again.polls == polls
    assert str(again.error) == str(error)
    assert type(again.error) is type(error)


def test_an_event_of_a_few_comes_back_as_it_was() -> None:
    ended = [
        (Operation("op-1", OperationState.SUCCEEDED, ""), 1.5),
        (Operation("op-2", OperationState.FAILED, "Failed", "No memory.", 3, 15, "Slide 3"), 2.5),
        (Operation("op-3", OperationState.CANCELED, "Canceled"), 3.5),
        (Operation("op-4", OperationState.NOT_FOUND, ""), 4.5),
    ]
    error = ServiceUnavailable("X does not answer", service_message="Busy.", operation_id="op-5", remedy="wait")
    again = Watched.deserialize(json.loads(json.dumps(Watched(ended, 17, error).serialize())))
    assert (again.ended, again.polls) == (ended, 17)
    assert (type(again.error), str(again.error)) == (ServiceUnavailable, str(error))


def test_failures_are_told_as_long_as_there_is_room() -> None:
    ended = [(Operation(f"op-{number}", OperationState.FAILED, "Failed", "no"), 1.0) for number in range(200)]
    assert len(Watched.deserialize(Watched(ended, 1).serialize()).ended) == 200
    wordy = [(Operation(f"op-{number}", OperationState.FAILED, "Failed", "😀" * 300), 1.0) for number in range(200)]
    told = Watched.deserialize(Watched(wordy, 1).serialize()).ended
    assert 0 < len(told) < 200


def test_an_event_of_nothing_is_one() -> None:
    assert Watched.deserialize(Watched([], 0).serialize()) == Watched([], 0)
