"""A file in an object store that appears whole when it is committed, or not at all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# fsspec's default blocks hold 50 MiB and more; measured: these cost 34 MiB and are as fast.
BLOCK = 8 << 20
# The stores in which an object that is sent in one request appears when all of it has come.
_WHOLE_BY_REQUEST = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})


class ObjectFile:
    """
    An object that is being written.

    What fits into one block goes in one request; a multipart upload would take three.

    :param path: where it will lie
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self._held = bytearray()
        self._upload = None if path.protocol in _WHOLE_BY_REQUEST else self._open()

    def write(self, data: bytes) -> int:
        """Take the next piece, and return its length."""
        if self._upload is None:
            self._held += data
            if len(self._held) > BLOCK:
                self._upload = self._open()
                self._upload.write(self._held)
                self._held = bytearray()
        else:
            self._upload.write(data)
        return len(data)

    def commit(self) -> None:
        """Let the object appear."""
        if self._upload is None:
            self._path.fs.pipe_file(self._path.path, bytes(self._held))
        else:
            self._upload.close()
            self._upload.commit()

    def discard(self) -> None:
        """Let nothing appear."""
        if self._upload is not None:
            with suppress(Exception):  # What went wrong before is what matters.
                self._upload.discard()
            # Else adlfs, which can't discard, would commit what is there when the file is garbage.
            with suppress(AttributeError):
                self._upload.closed = True

    def _open(self) -> Any:
        # Not the file of the path's own open(), which can't be marked as closed.
        return self._path.fs.open(self._path.path, "wb", block_size=BLOCK, autocommit=False)
