from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.stores import S3

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

    def __init__(self, server: S3) -> None:
        self.folder = server.data / BUCKET
        self.connection = json.dumps(server.connection)
        self._client: Any = server.client()

    def write(self, path: Path, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=str(path.relative_to(self.folder)), Body=content)


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with S3(tmp_path_factory.mktemp("s3"), BUCKET) as server:
        yield Bucket(server)


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "file":
        (tmp_path / "place").mkdir()
        return Place(f"file://{tmp_path}/place", tmp_path / "place", write_local)
    bucket: Bucket = request.getfixturevalue("bucket")
    # Airflow keeps the store of a connection as long as the process lives: no other test may use this one.
    monkeypatch.setenv("AIRFLOW_CONN_BATCH_STORE", bucket.connection)
    return Place(f"s3://batch_store@{BUCKET}/{tmp_path.name}", bucket.folder / tmp_path.name, bucket.write)


def write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
