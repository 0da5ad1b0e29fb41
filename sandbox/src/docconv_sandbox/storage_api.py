"""The storage API, which Slides and GroupDocs share."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.errors import ApiError
from docconv_sandbox.operations import Operations
from docconv_sandbox.settings import Settings
from docconv_sandbox.storage import Storage, Storages
from docconv_sandbox.uploads import receive

_DISC_SIZE = 1 << 40


class StorageApi:
    """Files, folders and storages.

    :param name: what its calls are counted under
    :param storages: the storages
    :param operations: lends the temporary folders
    :param settings: the sandbox's settings
    """

    def __init__(self, name: str, storages: Storages, operations: Operations, settings: Settings) -> None:
        self.name = name
        self._storages = storages
        self._operations = operations
        self._settings = settings

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Give the routes of the whole API.

        :param prefix: the path up to ``/file`` and ``/folder``
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
        operation = self._operations.create(self.name, "Upload", path, "")
        try:
            upload = await receive(request, operation.folder, self._settings.max_upload)
            if not upload.documents:
                # An empty file is a file, too.
                upload_path = operation.folder / "empty"
                upload_path.touch()
                name = ""
            else:
                upload_path, name = upload.documents[0].path, upload.documents[0].name
            if not path or path.endswith("/"):
                path += PurePosixPath(name.replace("\\", "/")).name
            stored = storage.adopt(upload_path, path)
        finally:
            shutil.rmtree(operation.folder, ignore_errors=True)
        return web.json_response({"uploaded": [PurePosixPath(stored).name], "errors": []})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file."""
        file = self._storage(request).file(_path(request))
        return wire.file_response(file, file.name)

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
