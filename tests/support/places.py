"""Places for documents and results: a folder, or a bucket of a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dev.stores import S3


def write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Place:
    """
    A folder, here or in an object store, and what lies in it.

    :param uri: the address that Airflow uses
    :param folder: the same place on this machine's disk
    :param write: writes a file into it
    """

    def __init__(self, uri: str, folder: Path, write: Callable[[Path, bytes], object] = write_local) -> None:
        self.uri = uri
        self.folder = folder
        self._write = write

    def put(self, *names: str, content: bytes = b"PK") -> None:
        for name in names:
            self._write(self.folder / name, content)

    def files(self) -> dict[str, bytes]:
        found = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}


class Bucket:
    """A bucket of a real S3 server, written to as any other program does."""

    def __init__(self, server: S3, name: str) -> None:
        self.name = name
        self.folder = server.data / name
        self.connection = json.dumps(server.connection)
        self._client: Any = server.client()

    def write(self, path: Path, content: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=str(path.relative_to(self.folder)), Body=content)
