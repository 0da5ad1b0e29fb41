"""Cloud storages, kept as folders, and their API, which Slides and GroupDocs share."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.bodies import receive
from docconv_sandbox.errors import ApiError

MISSING_KEY = "AmazonS3 Storage exception: The specified key does not exist."
_DISC_SIZE = 1 << 40


class Storage:
    """
    One storage.

    :param name: its name.
    :param folder: where it is kept.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def locate(self, path: str) -> Path:
        """
        Give the place of a path, existing or not.

        :param path: the path as it came, already percent-decoded.
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
        # JSON can name half a character, which no file name has.
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
        """
        Move a file into the storage. It appears under its name all at once.

        :param source: the file, on the same file system.
        :param path: where it goes.
        :return: the path in its clean form.
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
        """Give a file a second name outside of the storage, under which its content of that time can be read."""
        source = self.file(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.hardlink_to(source)
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
        """
        Delete a folder.

        :param path: the folder.
        :param recursive: whether to delete what is in it, too.
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
    """
    The storages of one service.

    :param names: their names; the first is the default.
    :param folder: where they are kept.
    """

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        self._storages = {name: Storage(name, folder / name) for name in names}
        self._uploads = folder / f".uploads-{uuid.uuid4().hex}"

    def temporary_folder(self) -> Path:
        """Make a folder for an upload, on the file system of the storages."""
        folder = self._uploads / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def get(self, name: str | None = None) -> Storage:
        """
        Give a storage.

        :param name: its name; the default storage without one.
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


class StorageApi:
    """
    Files, folders and storages.

    :param name: what its calls are counted under.
    :param storages: the storages.
    :param max_upload: the largest file, in MiB.
    """

    def __init__(self, name: str, storages: Storages, max_upload: float) -> None:
        self.name = name
        self._storages = storages
        self._max_upload = max_upload

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """
        Give the routes of the whole API.

        :param prefix: the path up to ``/file`` and ``/folder``.
        """
        return [
            web.put(f"{prefix}/file/copy/{{path:.+}}", self.copy_file),
            web.put(f"{prefix}/file/move/{{path:.+}}", self.move_file),
            *self.file_routes(prefix),
            web.delete(f"{prefix}/file/{{path:.+}}", self.delete_file),
            web.get(f"{prefix}/exist/{{path:.*}}", self.exists),
            web.get(f"{prefix}/version/{{path:.+}}", self.versions),
            web.get(f"{prefix}/disc", self.disc_usage),
            web.put(f"{prefix}/folder/copy/{{path:.+}}", self.copy_folder),
            web.put(f"{prefix}/folder/move/{{path:.+}}", self.move_folder),
            web.get(f"{prefix}/folder", self.list_folder),
            web.get(f"{prefix}/folder/{{path:.*}}", self.list_folder),
            web.put(f"{prefix}/folder/{{path:.+}}", self.make_folder),
            web.delete(f"{prefix}/folder/{{path:.+}}", self.delete_folder),
            web.get(f"{prefix}/{{storage}}/exist", self.storage_exists),
        ]

    def file_routes(self, prefix: str) -> list[web.RouteDef]:
        """Give the routes that move documents; Slides has them a second time, for large files."""
        return [
            web.put(f"{prefix}/file/{{path:.*}}", self.upload),
            web.get(f"{prefix}/file/{{path:.+}}", self.download),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """Take in a file."""
        storage = self._storage(request)
        path = _path(request)
        storage.locate(path)
        folder = self._storages.temporary_folder()
        try:
            upload = await receive(request, folder, self._max_upload)
            if not upload.documents:
                # An empty file is a file, too.
                upload_path = folder / "empty"
                upload_path.touch()
                name = ""
            else:
                upload_path, name = upload.documents[0].path, upload.documents[0].name
            if not path or path.endswith("/"):
                path += PurePosixPath(name.replace("\\", "/")).name
            stored = storage.adopt(upload_path, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return web.json_response({"uploaded": [PurePosixPath(stored).name], "errors": []})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file."""
        file = self._storage(request).file(_path(request))
        return wire.result_response(file, file.name)

    async def delete_file(self, request: web.Request) -> web.Response:
        """Delete a file."""
        self._storage(request).delete_file(_path(request))
        return _done()

    async def copy_file(self, request: web.Request) -> web.Response:
        """Copy a file."""
        source, destination, target = self._two(request)
        source.copy_file(_path(request), destination, target)
        return _done()

    async def move_file(self, request: web.Request) -> web.Response:
        """Move a file."""
        source, destination, target = self._two(request)
        destination.adopt(source.file(_path(request)), target)
        return _done()

    async def exists(self, request: web.Request) -> web.Response:
        """Tell whether a path exists."""
        found, is_folder = self._storage(request).exists(_path(request))
        return web.json_response({"exists": found, "isFolder": is_folder})

    async def versions(self, request: web.Request) -> web.Response:
        """List the one version that the sandbox keeps of a file."""
        storage = self._storage(request)
        file = storage.file(_path(request))
        entry = next(entry for entry in storage.entries(_parent(storage, file)) if entry["name"] == file.name)
        return web.json_response({"value": [entry | {"versionId": "null", "isLatest": True}]})

    async def disc_usage(self, request: web.Request) -> web.Response:
        """Tell how much is stored."""
        return web.json_response({"usedSize": self._storage(request).used(), "totalSize": _DISC_SIZE})

    async def list_folder(self, request: web.Request) -> web.Response:
        """List a folder."""
        return web.json_response({"value": self._storage(request).entries(_path(request))})

    async def make_folder(self, request: web.Request) -> web.Response:
        """Make a folder."""
        self._storage(request).make_folder(_path(request))
        return _done()

    async def delete_folder(self, request: web.Request) -> web.Response:
        """Delete a folder."""
        recursive = wire.truth(wire.query(request).get("recursive", ""))
        self._storage(request).delete_folder(_path(request), recursive=recursive)
        return _done()

    async def copy_folder(self, request: web.Request) -> web.Response:
        """Copy a folder."""
        source, destination, target = self._two(request)
        source.copy_folder(_path(request), destination, target)
        return _done()

    async def move_folder(self, request: web.Request) -> web.Response:
        """Move a folder."""
        source, destination, target = self._two(request)
        source.move_folder(_path(request), destination, target)
        return _done()

    async def storage_exists(self, request: web.Request) -> web.Response:
        """Tell whether there is a storage of that name."""
        return web.json_response({"exists": request.match_info["storage"] in self._storages})

    def _storage(self, request: web.Request) -> Storage:
        return self._storages.get(wire.query(request).get("storagename"))

    def _two(self, request: web.Request) -> tuple[Storage, Storage, str]:
        query = wire.query(request)
        target = query.get("destpath")
        if not target:
            raise ApiError(400, "Missing the required parameter destPath.", "errorMissingParameter")
        source = self._storages.get(query.get("srcstoragename"))
        return source, self._storages.get(query.get("deststoragename") or source.name), target


def _path(request: web.Request) -> str:
    return request.match_info.get("path", "")


def _parent(storage: Storage, file: Path) -> str:
    return PurePosixPath(storage.path_of(file)).parent.as_posix()


def _done() -> web.Response:
    return web.json_response({"code": 200, "status": "OK"})
