"""The test mode that users have for their own Dags."""

from __future__ import annotations

import pytest

from airflow_provider_docconv.testing import LONGEST, delay, no_delays, set_testing


def test_a_delay_is_as_long_as_it_takes() -> None:
    assert delay(30) == 30


def test_in_test_mode_it_is_next_to_nothing_and_written_down() -> None:
    with no_delays() as delays:
        assert [delay(30), delay(0), delay(LONGEST / 2)] == [LONGEST, 0, LONGEST / 2]
    assert delays == [30, LONGEST / 2]
    assert delay(30) == 30


def test_the_mode_ends_with_an_exception_too() -> None:
    with pytest.raises(ValueError, match="of the test"), no_delays():
        raise ValueError("of the test")
    assert delay(30) == 30


def test_the_mode_inside_another_one_leaves_that_as_it_was() -> None:
    with no_delays() as outer:
        with no_delays() as inner:
            delay(1)
        delay(2)
    assert (outer, inner) == ([2], [1])


def test_the_mode_of_a_whole_process() -> None:
    set_testing()
    try:
        assert delay(30) == LONGEST
    finally:
        set_testing(False)
    assert delay(30) == 30
