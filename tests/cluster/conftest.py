"""A real Airflow on PostgreSQL and Redis, with two workers of Celery and an S3 server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import CeleryAirflow, migrated
from dev.debian import NotInstalled
from dev.postgres import Postgres
from dev.redis import Redis
from dev.stores import S3

DAG_FILES = Path(__file__).parent / "dag_files"
BUCKETS = ("lost-worker",)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="session")
def cluster(home: Path) -> Iterator[CeleryAirflow]:
    dags = shutil.copytree(DAG_FILES, home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    try:
        postgres, redis = Postgres(home / "postgres", migrated()), Redis(home / "redis")
    except NotInstalled as error:
        pytest.skip(str(error))  # It says what is not installed, and how it would be.
    with postgres, redis, CeleryAirflow(home / "airflow", dags, postgres, redis, workers=2, concurrency=2) as airflow:
        yield airflow


@pytest.fixture
def airflow(cluster: CeleryAirflow) -> CeleryAirflow:
    """Give the cluster with all its workers, whatever the test before has done to them."""
    cluster.restart_workers()
    return cluster


@pytest.fixture(scope="session")
def buckets(home: Path, cluster: CeleryAirflow) -> Iterator[Path]:
    """Serve a folder whose sub-folders are buckets of Airflow's connection ``aws_default``."""
    with S3(home / "s3", *BUCKETS) as s3:
        cluster.connect("aws_default", **s3.connection)
        yield s3.data
