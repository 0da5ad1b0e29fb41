"""A Dag that tells which worker runs which of its tasks."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow.sdk import DAG, Param, get_current_context, task

with DAG("many_tasks", schedule=None, params={"folder": Param(type="string")}):

    @task(retries=2, retry_delay=1)
    def wait_for_go(number: int) -> int:
        """Write down the session of the worker that runs this, and wait for the file ``go``."""
        folder = Path(get_current_context()["params"]["folder"])
        worker = os.getsid(0)
        (folder / f"{number}-{get_current_context()['ti'].try_number}").write_text(str(worker))
        while not (folder / "go").exists():
            time.sleep(0.2)
        return worker

    wait_for_go.expand(number=list(range(6)))
