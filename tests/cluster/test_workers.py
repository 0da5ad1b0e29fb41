"""A lost worker costs time, not results."""

from __future__ import annotations

from pathlib import Path

from dev.cluster import CeleryAirflow
from dev.processes import wait_until


def test_the_tasks_of_a_killed_worker_end_on_the_other(airflow: CeleryAirflow, tmp_path: Path) -> None:
    lost, left = airflow.workers
    run = airflow.run("many_tasks", {"folder": str(tmp_path)})

    def took(worker: int) -> set[str]:
        return {file.name for file in tmp_path.glob("*-*") if file.read_text() == str(worker)}

    wait_until(lambda: len(took(lost.pid)) == len(took(left.pid)) == 2, "Both workers' first tasks", 120, run.watch)
    interrupted = {name.partition("-")[0] for name in took(lost.pid)}
    lost.kill()
    (tmp_path / "go").touch()

    assert run.wait() == "success"
    assert {task.id for task in run.tasks()} == {"wait_for_go"}
    assert {run.xcom("wait_for_go", map_index=number) for number in range(6)} == {left.pid}
    assert {str(task.map_index) for task in run.tasks() if task.try_number > 1} == interrupted
