"""Polls of one process that are due at nearly the same time are due at the same instant. Pure arithmetic."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.polling import GRID, Pace, Wait

NOW = 1_800_000_000.0
# What a float can tell apart in our century.
EXACT = 1e-5


def wait(interval: float, deadline: float = float("inf")) -> Wait:
    return Wait("op-1", "X", deadline=deadline, pace=Pace(interval, interval), started=NOW)


@given(now=st.floats(NOW, NOW + 1e6), interval=st.floats(0.01, 3600))
def test_no_poll_is_early_or_late_by_more_than_the_grid(now: float, interval: float) -> None:
    assert 0.95 * interval - EXACT <= wait(interval).until_next(now) <= interval + GRID + EXACT


def test_a_thousand_waits_are_due_at_a_few_instants() -> None:
    instants = {round(now + wait(5).until_next(now), 4) for now in (NOW + 5 * each / 1000 for each in range(1000))}
    assert len(instants) <= 5 / GRID + 1


@given(now=st.floats(NOW, NOW + 1e6), left=st.floats(-10, 10), interval=st.floats(0, 3600))
def test_no_poll_is_in_the_past_or_after_the_deadline(now: float, left: float, interval: float) -> None:
    seconds = wait(interval, now + left).until_next(now)
    assert 0 <= seconds <= max(0.0, left + EXACT)


def test_each_process_has_instants_of_its_own() -> None:
    program = "from airflow_provider_docconv import polling; print(polling._PHASE)"
    shown = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(3)}
    assert len(shown) == 3
