from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stores import S3
from tests.support.places import Bucket, Place

BUCKET = "documents"


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with S3(tmp_path_factory.mktemp("s3"), BUCKET) as server:
        yield Bucket(server, BUCKET)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.servers)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "file":
        (tmp_path / "place").mkdir()
        return Place(f"file://{tmp_path}/place", tmp_path / "place")
    bucket: Bucket = request.getfixturevalue("bucket")
    # Airflow keeps the store of a connection as long as the process lives: no other test may use this one.
    monkeypatch.setenv("AIRFLOW_CONN_BATCH_STORE", bucket.connection)
    return Place(f"s3://batch_store@{BUCKET}/{tmp_path.name}", bucket.folder / tmp_path.name, bucket.write)
