"""Runs of the benchmarks' Dags, and how long they took by Airflow's own clock."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.documents import Documents
from dev.airflow import Airflow
from dev.run import Run

_TIMEOUT = 3600


def run_dag(airflow: Airflow, dag_id: str, documents: Documents, results: Path, **conf: Any) -> float:
    """
    Convert documents with a Dag, and return the seconds from the start of its run to the end.

    :param airflow: the Airflow
    :param dag_id: the Dag
    :param documents: the documents
    :param results: the folder of the results
    :param conf: more of the Dag's params
    """
    where = {"source": f"{documents.folder.as_uri()}/", "destination": f"{results.as_uri()}/"}
    run = airflow.run(dag_id, where | conf)
    if run.wait(_TIMEOUT) != "success":
        failed = [task for task in run.tasks() if task.state == "failed"]
        raise RuntimeError(f"The run of {dag_id} failed: {'; '.join(map(run.error, failed[:3]))}")
    return duration(run)


def duration(run: Run) -> float:
    """Return the seconds from the start of a run, which has ended, to its end."""
    told = run.rest.get(run.path)
    begin, end = (datetime.fromisoformat(told[key]) for key in ("start_date", "end_date"))
    return (end - begin).total_seconds()
