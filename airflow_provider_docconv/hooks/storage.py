"""The hook's methods for the vendor's storage."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from airflow_provider_docconv.services.documents import Document, StoredDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.transfer.addresses import read_stored_path

if TYPE_CHECKING:
    from airflow_provider_docconv.client.blocking import Client
    from airflow_provider_docconv.services.operations import ResultFile
    from airflow_provider_docconv.services.storage import VendorStorage


class StorageMethods:
    """Sends, fetches and deletes documents in the storage beside a conversion service."""

    @abstractmethod
    def get_conn(self) -> Client:
        """Return the client."""

    def upload(self, document: Document, path: str, storage: str | None = None) -> StoredDocument:
        """
        Send a document to the vendor's storage, replacing what has its path, and return where it lies.

        :param document: the document
        :param path: where it goes, without a leading slash
        :param storage: the storage's name, or None for the connection's
        :raises DocConvError: if the storage did not take it
        """
        stored = self._stored(path, storage)
        return self.get_conn().run(self._storage.upload(document, stored, document.name))

    def get_stored(self, path: str, storage: str | None = None) -> ResultFile:
        """
        Say how a file in the vendor's storage is fetched; :meth:`open_result` does it.

        :param path: where it lies, without a leading slash
        :param storage: the storage's name, or None for the connection's
        """
        return self._storage.file(self._stored(path, storage))

    def delete_stored(self, path: str, storage: str | None = None) -> None:
        """
        Delete a file from the vendor's storage, or a folder with all that it holds; what is not there is no error.

        :param path: where it lies, without a leading slash; a folder if it ends with ``/``
        :param storage: the storage's name, or None for the connection's
        :raises DocConvError: if the service did not delete it
        """
        stored = self._stored(path.rstrip("/"), storage)
        delete = self._storage.delete_folder if path.endswith("/") else self._storage.delete_file
        self.get_conn().run(delete(stored))

    def is_stored(self, path: str, storage: str | None = None) -> bool:
        """
        Ask whether there is a file or a folder in the vendor's storage.

        :param path: where it would lie, without a leading slash
        :param storage: the storage's name, or None for the connection's
        :raises DocConvError: if the service did not answer that
        """
        return self.get_conn().run(self._storage.exists(self._stored(path, storage)))

    @property
    def _storage(self) -> VendorStorage:
        return self.get_conn().service.vendor_storage()

    def _stored(self, path: str, storage: str | None) -> StoredDocument:
        if not path.strip("/"):
            raise InvalidOptions(f"{path!r} names nothing in the vendor's storage")
        return StoredDocument(read_stored_path(path), storage or self.get_conn().service.storage)
