"""
The storages beside the conversion services, for documents that lie there already and results that stay there.

Facts: the vendors' SDKs. Aspose.Slides Cloud has files twice; those below ``/async`` have no limit of size
(documentation). An upload that failed can answer 200 with a list of errors (its Node SDK's issue 13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_docconv.services.bodies import FilePart, MultipartBody
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import DocumentRejected, ResultNotFound, UnexpectedReply
from airflow_provider_docconv.services.http import Flow, Request, find_message, query, require_success
from airflow_provider_docconv.services.operations import ResultFile, whole_number

_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class RemoteStorage:
    """
    A service's storage.

    :param label: the service's name, for messages
    :param transfers: the URL's path to which files are sent, and from which they are fetched
    :param root: the URL's path of everything else
    :param encode: percent-encodes a path in the storage as the vendor's SDK does
    """

    label: str
    transfers: str
    root: str
    encode: Callable[[str], str]

    def upload(self, document: Document, stored: RemoteDocument, file_name: str) -> Flow[RemoteDocument]:
        """
        Send a document there, replacing what has its path, and return where it lies.

        :param document: the document
        :param stored: where it goes
        :param file_name: the file name that the service sees
        :raises DocumentRejected: if the storage did not take it
        """
        body = MultipartBody([FilePart(document, "file", file_name)])
        reply = yield Request("PUT", self._file(self.transfers, stored), self._named(stored), _JSON, body)
        value = require_success(reply, self.label).json_object(self.label)
        if value.get("errors") or not value.get("uploaded"):
            raise DocumentRejected(
                f"{self.label} did not store the upload",
                service_message=find_message(value.get("errors")),
                remedy="check the storage and its quota at the vendor",
            )
        return stored

    def file(
        self, stored: RemoteDocument, operation_id: str | None = None, name: str | None = None, size: int | None = None
    ) -> ResultFile:
        """
        Say how a file is fetched.

        :param stored: where it lies
        :param operation_id: the operation that made it, if it is known
        :param name: what the service calls it; hostile
        :param size: its length in bytes, if the service says
        """
        request = Request("GET", self._file(self.transfers, stored), self._named(stored))
        return ResultFile(operation_id, request, name, size, remote=stored)

    def delete_file(self, stored: RemoteDocument) -> Flow[None]:
        """Delete a file; one that is not there is no error."""
        yield from self._delete(Request("DELETE", self._file(self.root, stored), self._named(stored), _JSON))

    def delete_folder(self, stored: RemoteDocument) -> Flow[None]:
        """Delete a folder and all that it holds; one that is not there is no error."""
        parameters = self._named(stored) | {"recursive": "true"}
        yield from self._delete(Request("DELETE", self._path(self.root, "folder", stored), parameters, _JSON))

    def exists(self, stored: RemoteDocument) -> Flow[bool]:
        """
        Ask whether there is a file or folder.

        :raises DocConvError: if the service did not answer that
        """
        return (yield from self._look(stored)).get("exists") is True

    def find(self, stored: RemoteDocument, operation_id: str | None = None) -> Flow[list[ResultFile]]:
        """
        Find what an operation has saved: a file, or all files of a folder if the path ends with ``/``.

        Where there is no such file, it is looked for with ``.zip`` at its end: Aspose.Slides Cloud appends that where
        a format has a file per slide (documentation).

        :param stored: where it lies
        :param operation_id: the operation that made it, if it is known
        :raises ResultNotFound: if there is nothing
        :raises DocConvError: if the service did not answer that
        """
        if stored.path.endswith("/"):
            files = yield from self._list(stored, operation_id)
        else:
            files = yield from self._find_file(stored, operation_id)
        if files:
            return files
        raise ResultNotFound(
            f"{self.label} has no {'files in' if stored.path.endswith('/') else 'file'} {stored.path!r} "
            f"in its {stored.storage or 'default'} storage",
            operation_id=operation_id,
        )

    def _find_file(self, stored: RemoteDocument, operation_id: str | None) -> Flow[list[ResultFile]]:
        for path in (stored.path, f"{stored.path}.zip"):
            candidate = RemoteDocument(path, stored.storage)
            found = yield from self._look(candidate)
            if found.get("exists") is True and not found.get("isFolder"):
                return [self.file(candidate, operation_id, candidate.name)]
        return []

    def _list(self, stored: RemoteDocument, operation_id: str | None) -> Flow[list[ResultFile]]:
        folder = RemoteDocument(stored.path.rstrip("/"), stored.storage)
        reply = yield Request("GET", self._path(self.root, "folder", folder), self._named(folder), _JSON)
        if reply.is_not_found:
            return []
        listed = require_success(reply, self.label).json_object(self.label).get("value")
        files = []
        for entry in listed if isinstance(listed, list) else []:
            lower = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
            name = lower.get("name")
            if lower.get("isfolder") or not name:
                continue
            if not isinstance(name, str) or name in (".", "..") or "/" in name or "\\" in name:
                # A cleanup deletes what is listed here.
                raise UnexpectedReply(f"{self.label} lists a file whose name leads out of its folder")
            file = RemoteDocument(f"{folder.path}/{name}", folder.storage)
            files.append(self.file(file, operation_id, name, whole_number(lower.get("size")) or None))
        # So that the second slide comes before the tenth.
        return sorted(files, key=lambda file: (len(file.name or ""), file.name or ""))

    def _look(self, stored: RemoteDocument) -> Flow[dict[str, Any]]:
        reply = yield Request("GET", self._path(self.root, "exist", stored), self._named(stored), _JSON)
        return require_success(reply, self.label).json_object(self.label)

    def _delete(self, request: Request) -> Flow[None]:
        reply = yield request
        if not reply.is_not_found:
            require_success(reply, self.label)

    def _file(self, root: str, stored: RemoteDocument) -> str:
        return self._path(root, "file", stored)

    def _path(self, root: str, kind: str, stored: RemoteDocument) -> str:
        return f"{root}/{kind}/{self.encode(stored.path)}"

    def _named(self, stored: RemoteDocument) -> dict[str, str]:
        return query(storageName=stored.storage)
