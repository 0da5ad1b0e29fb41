"""Few polls, little time lost: computed over all durations, so the same everywhere."""

from __future__ import annotations

from benchmarks.polling import compare


def test_polls_are_few_and_little_time_is_lost() -> None:
    fixed, doubling, plain, progress = compare()
    assert plain.polls <= 20
    assert progress.polls <= 12
    assert plain.excess <= 1
    assert progress.excess <= 1
    # What others do costs more of the one or of the other.
    assert fixed.polls > 2 * plain.polls
    assert doubling.excess > 2 * plain.excess
