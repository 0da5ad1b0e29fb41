"""A night in chunks that loses a worker delivers every document, and hides no payment."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lost_worker import lose_worker
from dev.cluster import CeleryAirflow
from dev.sandbox import Sandbox

COUNT, CHUNK, RESULT = 120, 30, 20_000


def test_a_lost_worker_costs_no_document_and_hides_no_payment(
    airflow: CeleryAirflow, buckets: Path, tmp_path: Path
) -> None:
    with Sandbox(tmp_path / "sandbox.log", "--engine", "echo", "--seconds", "2", "--result-bytes", str(RESULT)) as echo:
        echo.wait_until_healthy()
        echo.connect(airflow, "echo")
        loss = lose_worker(airflow, echo, buckets / "lost-worker", count=COUNT, chunk=CHUNK, result_bytes=RESULT)
    assert (loss.state, loss.errors) == ("success", [])
    assert loss.delivered == COUNT
    assert loss.hidden == frozenset()
    # The worker was lost while it had work, else nothing was shown.
    assert sorted(loss.tries) == list(range(COUNT // CHUNK))
    assert max(loss.tries.values()) > 1
