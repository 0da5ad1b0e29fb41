"""The hook's methods for what an operation made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.services.documents import StoredDocument

if TYPE_CHECKING:
    from airflow_provider_docconv.client.blocking import Client
    from airflow_provider_docconv.client.results import ResultStream
    from airflow_provider_docconv.services.operations import ResultFile


class ResultMethods:
    """Lists, fetches and deletes the results of operations."""

    @abstractmethod
    def get_conn(self) -> Client:
        """Return the client."""

    def get_results(self, operation_id: str, stored: StoredDocument | None = None) -> list[ResultFile]:
        """
        List the files that a successful operation made.

        :param operation_id: the operation
        :param stored: where they lie in the vendor's storage, if the service does not say that: a file, or a folder if
            the path ends with ``/``. With an empty path it only names the storage
        :raises ResultNotFound: if there is nothing
        :raises DocConvError: if the service did not answer that
        """
        client = self.get_conn()
        service = client.service
        return client.run(service.stored_results(operation_id, stored) if stored else service.results(operation_id))

    def storage_of_results(
        self, source: StoredDocument | None, options: Mapping[str, Any] | None = None
    ) -> StoredDocument | None:
        """
        Name the storage of what :meth:`get_results` lists, as it takes it; None for the connection's.

        :param source: the document, if it lies in the vendor's storage
        :param options: the options that the conversion was started with
        """
        storage = self.get_conn().service.storage_of_results(source, options or {})
        return StoredDocument("", storage) if storage else None

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> bool:
        """
        Delete what a successful operation has left at the service or in its storage, where that can be done.

        :param operation_id: the operation
        :param files: what :meth:`get_results` returned, and the upload if it is known
        :return: whether there was anything to delete
        :raises DocConvError: if the service did not delete it
        """
        client = self.get_conn()
        return client.run(client.service.clean_up(operation_id, files))

    @contextmanager
    def open_result(self, file: ResultFile) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result: what is known of it, and its bytes in pieces of at most 1 MiB.

        :param file: one of :meth:`get_results`
        :raises DocConvError: if the service refuses, or the result breaks off while it is read
        """
        with self.get_conn().open_result(file) as opened:
            yield opened
