"""
Airflow on PostgreSQL, with a LocalExecutor of any size or with Celery and workers that can be killed.

.. code-block:: python

    with Postgres(tmp_path / "postgres", migrated()) as postgres:
        with LocalAirflow(tmp_path / "airflow", dags_folder, postgres, parallelism=16) as airflow:
            airflow.run("nightly_conversion").wait()

    with Postgres(tmp_path / "postgres", migrated()) as postgres, Redis(tmp_path / "redis") as redis:
        with CeleryAirflow(tmp_path / "airflow", dags_folder, postgres, redis, workers=2, concurrency=4) as airflow:
            run = airflow.run("nightly_conversion")
            airflow.workers[0].kill()
            run.wait()
            airflow.restart_workers()
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dev.airflow import Airflow, migrate
from dev.environment import CACHE, VENV
from dev.postgres import Postgres, programs
from dev.processes import Process, Processes, wait_until
from dev.redis import Redis

# Seconds after which a worker that no longer speaks counts as lost. The default is five minutes; much less than this,
# and a busy machine loses workers that are well.
LOST_AFTER = 20


class LocalAirflow(Airflow):
    """
    An Airflow with PostgreSQL and a LocalExecutor.

    :param home: its folder.
    :param dags_folder: the Dags it runs.
    :param postgres: its database, running and migrated.
    :param parallelism: how many tasks run at once.
    :param environment: variables for all its components, ``AIRFLOW__…`` included.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        postgres: Postgres,
        parallelism: int = 16,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, dags_folder, environment)
        self.postgres = postgres
        self.parallelism = parallelism

    def _make_database(self) -> None:
        """Leave the database as it is: somebody else has made it."""

    def _settings(self) -> dict[str, dict[str, Any]]:
        settings = super()._settings()
        settings["core"] |= {"parallelism": self.parallelism, "max_active_tasks_per_dag": self.parallelism}
        settings["database"] = {"sql_alchemy_conn": self.postgres.url}
        return settings


class CeleryAirflow(LocalAirflow):
    """
    An Airflow with PostgreSQL, Redis and Celery's workers, whose end is noticed soon.

    :param home: its folder.
    :param dags_folder: the Dags it runs.
    :param postgres: its database, running and migrated.
    :param redis: its broker, running.
    :param workers: how many workers.
    :param concurrency: how many tasks each of them runs at once.
    :param environment: variables for all its components, ``AIRFLOW__…`` included.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        postgres: Postgres,
        redis: Redis,
        workers: int = 2,
        concurrency: int = 4,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, dags_folder, postgres, workers * concurrency, environment)
        self.redis = redis
        self.concurrency = concurrency
        self.workers = [self._worker(f"worker-{number}") for number in range(workers)]
        # Apart from the other processes, without which no run goes on.
        self.crew = Processes()

    def __exit__(self, *error: object) -> None:
        self.crew.__exit__(*error)
        super().__exit__(*error)

    def start(self) -> None:
        """Start every component and worker, all at once, without waiting for them."""
        super().start()
        for worker in self.workers:
            self.crew.start(worker)

    def wait_until_healthy(self, timeout: float = 180) -> None:
        """Wait until the API server answers, every component has reported to it and every worker takes tasks."""
        super().wait_until_healthy(timeout)
        wait_until(self._manned, "Starting Celery's workers", timeout, self.workers)

    def restart_workers(self) -> None:
        """Start the workers anew that have ended, without waiting for them."""
        for worker in self.workers:
            if not worker.alive:
                self.crew.start(worker)

    def _manned(self) -> bool:
        return all("ready." in worker.log.read_text(errors="replace") for worker in self.workers)

    def _worker(self, name: str) -> Process:
        # Workers that greet and watch each other would wait for those that have been killed.
        alone = ["--skip-serve-logs", "--without-gossip", "--without-mingle"]
        command = [str(VENV / "bin" / "airflow"), "celery", "worker", "--celery-hostname", name, *alone]
        return Process(f"Airflow's {name}", command, self.home / "logs" / f"{name}.log", self.environment)

    def _settings(self) -> dict[str, dict[str, Any]]:
        settings = super()._settings()
        settings["core"]["executor"] = "CeleryExecutor"
        settings["scheduler"] |= {
            "task_instance_heartbeat_timeout": LOST_AFTER,
            "task_instance_heartbeat_timeout_detection_interval": 2,
        }
        settings["celery"] = {
            "broker_url": self.redis.url,
            "result_backend": f"db+{self.postgres.url}",
            "worker_concurrency": self.concurrency,
        }
        # What a lost worker had taken but not begun comes back after this time, and is looked for this often. A task
        # that runs longer is offered again, too; Airflow knows that it is running and declines.
        settings["celery_broker_transport_options"] = {
            "visibility_timeout": LOST_AFTER,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": LOST_AFTER,
        }
        return settings


def migrated() -> Path:
    """Return the folder of a PostgreSQL with Airflow's tables, to start others with; making one takes a while."""
    folder = CACHE / f"postgres-{programs().version}-airflow-{version('apache-airflow-core')}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            with Postgres(Path(work) / "postgres") as postgres:
                migrate(work, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgres.url)
            if not folder.exists():  # else somebody was quicker
                postgres.folder.rename(folder)
    return folder
