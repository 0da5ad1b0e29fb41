"""Cloud storages, kept as folders. A path from outside never leaves its folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docconv_sandbox.errors import ApiError

MISSING_KEY = "AmazonS3 Storage exception: The specified key does not exist."


class Storage:
    """One storage.

    :param name: its name
    :param folder: where it is kept
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def locate(self, path: str) -> Path:
        """Give the place of a path, existing or not.

        :param path: the path as it came, already percent-decoded
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
        # JSON can name half a character, which is no name of a file.
        is_text = path == path.encode("utf-8", "replace").decode()
        if ".." in parts or "\0" in path or not is_text:
            raise ApiError(400, f"Invalid value for path: {path!r}.", "errorInvalidPath")
        return self._folder.joinpath(*parts)

    def file(self, path: str) -> Path:
        """Give the place of a file that exists."""
        found = self.locate(path)
        if not _is_file(found):
            raise ApiError(404, MISSING_KEY, "errorNotFound")
        return found

    def adopt(self, source: Path, path: str) -> str:
        """Move a file into the storage. It appears under its name all at once.

        :param source: the file, on the same file system
        :param path: where it goes
        :return: the path in its clean form
        """
        place = self.locate(path)
        try:
            if place == self._folder or place.is_dir():
                raise ApiError(400, f"{path!r} is a folder.", "errorInvalidPath")
            place.parent.mkdir(parents=True, exist_ok=True)
            source.replace(place)
        except OSError as error:
            raise ApiError(400, f"Invalid value for path: {error.strerror}.", "errorInvalidPath") from error
        return self.path_of(place)

    def path_of(self, place: Path) -> str:
        """Give a place's path in the storage."""
        return place.relative_to(self._folder).as_posix()

    def link(self, path: str, place: Path) -> Path:
        """Give a file a second name outside of the storage: whoever reads it there reads what it was at that time."""
        place.hardlink_to(self.file(path))
        return place

    def copy_file(self, path: str, other: Storage, target: str) -> None:
        """Copy a file into this storage or another one."""
        # Files are replaced as a whole and never written to, so a second name is as good as a copy.
        copy = self.link(path, self._folder.parent / f".copy-{uuid.uuid4().hex}")
        try:
            other.adopt(copy, target)
        finally:
            copy.unlink(missing_ok=True)

    def copy_folder(self, path: str, other: Storage, target: str) -> None:
        """Copy a folder and everything in it."""
        source = self.folder(path)
        for file in sorted(entry for entry in source.rglob("*") if entry.is_file()):
            self.copy_file(self.path_of(file), other, f"{target}/{file.relative_to(source).as_posix()}")

    def move_folder(self, path: str, other: Storage, target: str) -> None:
        """Move a folder and everything in it."""
        if other.locate(target).is_relative_to(self.folder(path)):
            raise ApiError(400, f"A folder cannot be moved into itself: {target!r}.", "errorInvalidPath")
        self.copy_folder(path, other, target)
        self.delete_folder(path, recursive=True)

    def delete_file(self, path: str) -> None:
        """Delete a file. One that is not there is no error, as with the vendors."""
        place = self.locate(path)
        if _is_file(place):
            place.unlink()

    def folder(self, path: str) -> Path:
        """Give the place of a folder that exists."""
        place = self.locate(path)
        if not _is_folder(place):
            raise ApiError(404, MISSING_KEY, "errorNotFound")
        return place

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents."""
        try:
            self.locate(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ApiError(400, f"Invalid value for path: {error.strerror}.", "errorInvalidPath") from error

    def delete_folder(self, path: str, *, recursive: bool) -> None:
        """Delete a folder.

        :param path: the folder
        :param recursive: whether to delete what is in it, too
        """
        place = self.locate(path)
        if not _is_folder(place):
            return
        if not recursive and any(place.iterdir()):
            raise ApiError(409, f"Folder '{path}' is not empty.", "errorFolderNotEmpty")
        if place == self._folder:
            for entry in place.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        else:
            shutil.rmtree(place)

    def entries(self, path: str) -> list[dict[str, Any]]:
        """List a folder. One that is not there is empty, as in an object store."""
        place = self.locate(path)
        if not _is_folder(place):
            return []
        return [self._describe(entry) for entry in sorted(place.iterdir())]

    def used(self) -> int:
        """Count the bytes in it."""
        return sum(entry.stat().st_size for entry in self._folder.rglob("*") if entry.is_file())

    def exists(self, path: str) -> tuple[bool, bool]:
        """Tell whether a path exists, and whether it is a folder."""
        place = self.locate(path)
        folder = _is_folder(place)
        return folder or _is_file(place), folder

    def _describe(self, entry: Path) -> dict[str, Any]:
        is_folder = entry.is_dir()
        modified = datetime.fromtimestamp(entry.stat().st_mtime, UTC)
        return {
            "name": entry.name,
            "isFolder": is_folder,
            "modifiedDate": "0001-01-01T00:00:00" if is_folder else modified.isoformat(timespec="seconds"),
            "size": 0 if is_folder else entry.stat().st_size,
            "path": f"/{self.path_of(entry)}",
        }


class Storages:
    """The storages of one service.

    :param names: their names; the first is the default
    :param folder: where they are kept
    """

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        self._storages = {name: Storage(name, folder / name) for name in names}

    def get(self, name: str | None = None) -> Storage:
        """Give a storage.

        :param name: its name; the default storage without one
        """
        if not name:
            return next(iter(self._storages.values()))
        if name not in self._storages:
            raise ApiError(
                404,
                f"The storage {name} was not found or is not associated with the application.",
                "errorStorageNotFound",
            )
        return self._storages[name]

    def __contains__(self, name: str) -> bool:
        return name in self._storages


def _is_file(place: Path) -> bool:
    # A name the file system cannot hold (too long, say) is simply not there.
    return os.path.isfile(place)


def _is_folder(place: Path) -> bool:
    return os.path.isdir(place)
