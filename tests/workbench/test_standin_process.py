"""The stand-in as a program: its options, its results, and its connection to Airflow."""

from __future__ import annotations

import pytest

from tests.workbench.standin_calls import DECK, sha256, start
from workbench.standin import StandIn, expected_result
from workbench.standin.__main__ import main
from workbench.standin.results import SMALLEST
from workbench.standin.settings import Settings


def test_results_follow_from_the_source_and_the_size() -> None:
    result = expected_result(sha256(DECK), 5000)
    assert len(result) == 5000
    assert result.startswith(b"%PDF-1.7\n")
    assert sha256(DECK).encode() in result
    assert result.endswith(b"%%EOF\n")
    assert result == expected_result(sha256(DECK).upper(), 5000) != expected_result(sha256(b"?"), 5000)
    assert len(expected_result(sha256(DECK), SMALLEST)) == SMALLEST
    with pytest.raises(ValueError, match="at least"):
        expected_result(sha256(DECK), SMALLEST - 1)


@pytest.mark.parametrize("wrong", [["--faults", "2"], ["--fault-kinds", "499"], ["--capacity", "0"], ["--steps", "-1"]])
def test_wrong_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 1
    assert capsys.readouterr().err.startswith("standin: ")
    with pytest.raises(ValueError, match="at least"):
        Settings(result_bytes=3)


def test_it_can_be_started_anew(standin: StandIn) -> None:
    start(standin)
    standin.process.kill()
    standin.start()
    standin.wait_until_healthy()
    assert standin.stats()["operations"]["created"] == 0
