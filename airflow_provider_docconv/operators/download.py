"""The operator that fetches the results of an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.links.docconv import DocumentOperator, ResultsLink, ServiceLink
from airflow_provider_docconv.transfer.addresses import require_no_fields

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath
    from airflow_provider_docconv.transfer.delivery import DeliveredFile


class DownloadResultOperator(DocumentOperator):
    """
    Fetch the results of an operation and return ``[{"uri", "size", "sha256", "source_sha256"}]``.

    A result streams to its destination and appears there complete or not at all. A ZIP of page images gets ``.zip``
    appended to its name, or is unpacked.

    :param operation_id: the operation, which must have ended (templated)
    :param conn_id: the connection it was started with (templated)
    :param destination: anything that ``ObjectStoragePath`` takes: a file if its last part has an extension, otherwise a
        folder (templated). Several results are numbered
    :param source: the document: its name appears in messages and, if the destination is a folder, becomes the name of
        the result (templated)
    :param unpack: unpack a ZIP of page images, or of other single pages, into a folder of the document's name below the
        destination, or of the operation's id if ``source`` is not given: all of its files appear there, or none
    :param cleanup: after the download, delete what the operation has left: the result at Aspose.OCR Cloud, the results
        in GroupDocs' storage with the upload beside them, or what ``remote_result`` names. A failure is only logged. A
        task that has cleaned up can't be cleared
    :param remote_result: the result's address in the vendor's storage, if the start's options saved it there and the
        service does not return it (templated): ``aspose-slides://storage/path``, or a folder, which ends with ``/``,
        for all files in it. ``groupdocs-conversion://storage`` names only the storage
    :param remote_source: the start task's XCom ``remote_source``, so that ``cleanup`` deletes the upload even if
        ``outputPath`` had GroupDocs save the result elsewhere (templated)
    :param max_result_size: the most bytes that a result may have
    :param source_sha256: the start task's XCom ``source_sha256``, to return it with each result (templated)
    :raises ValueError: if the destination has fields such as ``{stem}``, which only batches have
    """

    template_fields: Sequence[str] = (
        "operation_id",
        "conn_id",
        "destination",
        "source",
        "remote_result",
        "remote_source",
        "source_sha256",
    )
    operator_extra_links = (ResultsLink(), ServiceLink())
    ui_color = "#d5f0e3"

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        destination: str | ObjectStoragePath,
        source: str | ObjectStoragePath | None = None,
        unpack: bool = False,
        cleanup: bool = False,
        remote_result: str | None = None,
        remote_source: str | None = None,
        source_sha256: str | None = None,
        max_result_size: int = 16 << 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_no_fields(destination)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.destination = destination
        self.source = source
        self.unpack = unpack
        self.cleanup = cleanup
        self.remote_result = remote_result
        self.remote_source = remote_source
        self.source_sha256 = source_sha256
        self.max_result_size = max_result_size

    def execute(self, context: Context) -> list[DeliveredFile]:
        """
        Fetch the results.

        :raises DocConvError: if one could not be fetched or delivered
        """
        from airflow_provider_docconv.worker.download import download

        return download(self, context)
