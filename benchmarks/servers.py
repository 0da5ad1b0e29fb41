"""What the benchmarks run against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster import CeleryAirflow, LocalAirflow, migrated
from dev.environment import ROOT
from dev.postgres import Postgres
from dev.redis import Redis
from dev.sandbox import Sandbox

#: The length of each document and of each result, in bytes.
SIZE = 20_000
_OWN_DAGS = ROOT / "benchmarks" / "dag_files"
_CLUSTER_DAGS = ROOT / "tests" / "cluster" / "dag_files"


@contextmanager
def local_airflow(home: Path) -> Iterator[LocalAirflow]:
    """
    Run Airflow on PostgreSQL with a LocalExecutor of 16 places.

    :param home: a folder for it
    """
    with (
        Postgres(home / "postgres", migrated()) as postgres,
        LocalAirflow(home / "airflow", _OWN_DAGS, postgres, parallelism=16) as airflow,
    ):
        yield airflow


@contextmanager
def celery_airflow(home: Path) -> Iterator[CeleryAirflow]:
    """
    Run Airflow on PostgreSQL and Redis with two workers of Celery, of two places each.

    :param home: a folder for it
    """
    with (
        Postgres(home / "postgres", migrated()) as postgres,
        Redis(home / "redis") as redis,
        CeleryAirflow(home / "airflow", _CLUSTER_DAGS, postgres, redis, workers=2, concurrency=2) as airflow,
    ):
        yield airflow


@contextmanager
def echoing(home: Path, seconds: float) -> Iterator[Sandbox]:
    """
    Run a service of unlimited capacity.

    :param home: a folder for its log
    :param seconds: how long an operation takes
    """
    with Sandbox(
        home / "sandbox.log", "--engine", "echo", "--seconds", str(seconds), "--result-bytes", str(SIZE)
    ) as echo:
        echo.wait_until_healthy()
        yield echo
