"""A night in chunks that loses a worker delivers every document, and hides no payment."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lost_worker import lose_worker
from workbench.cluster import CeleryAirflow
from workbench.standin import StandIn

COUNT, CHUNK, RESULT = 120, 30, 20_000


def test_a_lost_worker_costs_no_document_and_hides_no_payment(
    airflow: CeleryAirflow, buckets: Path, tmp_path: Path
) -> None:
    with StandIn(tmp_path / "standin.log", "--seconds", "2", "--result-bytes", str(RESULT)) as standin:
        standin.wait_until_healthy()
        standin.connect(airflow, "standin")
        loss = lose_worker(airflow, standin, buckets / "lost-worker", count=COUNT, chunk=CHUNK, result_bytes=RESULT)
    assert (loss.state, loss.errors) == ("success", [])
    assert loss.delivered == COUNT
    assert loss.hidden == frozenset()
    # The worker was lost while it had work, else nothing was shown.
    assert sorted(loss.tries) == list(range(COUNT // CHUNK))
    assert max(loss.tries.values()) > 1
