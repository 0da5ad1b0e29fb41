"""A real Airflow on PostgreSQL and Redis, with two workers of Celery and an S3 server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.airflow.objectstore import object_store
from workbench.cluster import CeleryAirflow, migrated
from workbench.debian import NotInstalled
from workbench.environment import VENV
from workbench.postgres import Postgres
from workbench.redis import Redis

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
        pytest.skip(str(error))
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
    folder = home / "buckets"
    # The server does not see buckets that are made after its first look.
    for bucket in BUCKETS:
        (folder / bucket).mkdir(parents=True)
    with object_store(folder, str(VENV / "bin" / "rclone")) as connection:
        fields = json.loads(connection)
        cluster.connect("aws_default", fields.pop("conn_type"), **fields | {"extra": json.dumps(fields["extra"])})
        yield folder
