"""Where results go in these tests."""

from __future__ import annotations

from pathlib import Path


class Place:
    """A folder, here or in an object store, and what lies in it."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder

    def files(self) -> dict[str, bytes]:
        found = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}
