"""
The vendors' storages, for documents that are already there and results that stay there.

Facts: the vendors' SDKs. Aspose.Slides Cloud has two calls for each file; those below ``/async`` have no size limit
(documentation). A failed upload can answer 200 with a list of errors (issue 13 of its Node SDK).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_docconv.services.bodies import FilePart, MultipartBody
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import DocumentRejected, ResultNotFound, UnexpectedReply
from airflow_provider_docconv.services.http import Call, Flow, Request, Vendor, find_message, query
from airflow_provider_docconv.services.operations import ResultFile, whole_number

_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class RemoteStorage:
    """
    A service's storage.

    :param vendor: whose storage it is
    :param transfers: the URL path of uploads and downloads
    :param root: the URL path of everything else
    :param encode: percent-encodes a path in the storage as the vendor's SDK does
    """

    vendor: Vendor
    transfers: str
    root: str
    encode: Callable[[str], str]

    @property
    def label(self) -> str:
        """The service's name in messages."""
        return self.vendor.label

    def upload(self, document: Document, remote: RemoteDocument, file_name: str) -> Flow[RemoteDocument]:
        """
        Upload a document, replacing a file of that path, and return its address.

        :param document: the document
        :param remote: its address in the storage
        :param file_name: the file name that the service sees
        :raises DocumentRejected: if the storage refused it
        """
        body = MultipartBody([FilePart(document, "file", file_name)])
        reply = yield Request("PUT", self._file(self.transfers, remote), self._named(remote), _JSON, body)
        value = self.vendor.require_success(reply, Call.UPLOAD).json_object(self.label)
        if value.get("errors") or not value.get("uploaded"):
            raise DocumentRejected(
                f"{self.label} did not accept the upload",
                service_message=find_message(value.get("errors")),
                remedy="check the storage and its quota at the vendor",
            )
        return remote

    def file(
        self, remote: RemoteDocument, operation_id: str | None = None, name: str | None = None, size: int | None = None
    ) -> ResultFile:
        """
        Describe a file, so that it can be fetched.

        :param remote: its address
        :param operation_id: the operation that made it, if known
        :param name: the service's name for it; hostile
        :param size: its length in bytes, if the service reports it
        """
        request = Request("GET", self._file(self.transfers, remote), self._named(remote))
        return ResultFile(operation_id, request, name, size, remote=remote)

    def delete_file(self, remote: RemoteDocument) -> Flow[None]:
        """Delete a file, if it exists."""
        yield from self._delete(Request("DELETE", self._file(self.root, remote), self._named(remote), _JSON))

    def delete_folder(self, remote: RemoteDocument) -> Flow[None]:
        """Delete a folder with everything in it, if it exists."""
        parameters = self._named(remote) | {"recursive": "true"}
        yield from self._delete(Request("DELETE", self._path(self.root, "folder", remote), parameters, _JSON))

    def exists(self, remote: RemoteDocument) -> Flow[bool]:
        """
        Tell whether a file or folder exists.

        :raises DocConvError: if the reply has no answer
        """
        return (yield from self._look(remote)).get("exists") is True

    def find(self, remote: RemoteDocument, operation_id: str | None = None) -> Flow[list[ResultFile]]:
        """
        Find the results that an operation has saved: a file, or all files of a folder if the path ends with ``/``.

        A missing file is also tried with ``.zip`` appended, as Aspose.Slides Cloud does for formats with one file per
        slide (documentation).

        :param remote: their address
        :param operation_id: the operation that made them, if known
        :raises ResultNotFound: if nothing is there
        :raises DocConvError: if the reply has no answer
        """
        if remote.path.endswith("/"):
            files = yield from self._list(remote, operation_id)
        else:
            files = yield from self._find_file(remote, operation_id)
        if files:
            return files
        raise ResultNotFound(
            f"{self.label} has no {'files in' if remote.path.endswith('/') else 'file'} {remote.path!r} "
            f"in its {remote.storage or 'default'} storage",
            operation_id=operation_id,
        )

    def _find_file(self, remote: RemoteDocument, operation_id: str | None) -> Flow[list[ResultFile]]:
        for path in (remote.path, f"{remote.path}.zip"):
            candidate = RemoteDocument(path, remote.storage)
            found = yield from self._look(candidate)
            if found.get("exists") is True and not found.get("isFolder"):
                return [self.file(candidate, operation_id, candidate.name)]
        return []

    def _list(self, remote: RemoteDocument, operation_id: str | None) -> Flow[list[ResultFile]]:
        folder = RemoteDocument(remote.path.rstrip("/"), remote.storage)
        reply = yield Request("GET", self._path(self.root, "folder", folder), self._named(folder), _JSON)
        if self.vendor.says_not_found(reply):
            return []
        listed = self.vendor.require_success(reply, Call.OTHER).json_object(self.label).get("value")
        files = []
        for entry in listed if isinstance(listed, list) else []:
            lower = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
            name = lower.get("name")
            if lower.get("isfolder") or not name:
                continue
            if not isinstance(name, str) or name in (".", "..") or "/" in name or "\\" in name:
                # A cleanup would delete it.
                raise UnexpectedReply(f"{self.label} listed a file whose name leads out of its folder")
            file = RemoteDocument(f"{folder.path}/{name}", folder.storage)
            files.append(self.file(file, operation_id, name, whole_number(lower.get("size")) or None))
        # The second slide comes before the tenth.
        return sorted(files, key=lambda file: (len(file.name or ""), file.name or ""))

    def _look(self, remote: RemoteDocument) -> Flow[dict[str, Any]]:
        reply = yield Request("GET", self._path(self.root, "exist", remote), self._named(remote), _JSON)
        return self.vendor.require_success(reply, Call.OTHER).json_object(self.label)

    def _delete(self, request: Request) -> Flow[None]:
        reply = yield request
        if not self.vendor.says_not_found(reply):
            self.vendor.require_success(reply, Call.OTHER)

    def _file(self, root: str, remote: RemoteDocument) -> str:
        return self._path(root, "file", remote)

    def _path(self, root: str, kind: str, remote: RemoteDocument) -> str:
        return f"{root}/{kind}/{self.encode(remote.path)}"

    def _named(self, remote: RemoteDocument) -> dict[str, str]:
        return query(storageName=remote.storage)
