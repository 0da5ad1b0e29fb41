"""Fetches what an operation made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import StoredDocument
    from airflow_provider_docconv.transfer.delivery import StoredResult


class DownloadResultOperator(BaseOperator):
    """
    Fetches what an operation made and returns ``[{"uri", "size", "sha256", "source_sha256"}]``.

    A result streams to its destination and appears there whole or not at all. A ZIP of page images gets ``.zip``
    appended to its name, or is unpacked.

    :param operation_id: the operation, which has ended (templated)
    :param stored: where the start's options have the result saved in the vendor's storage, where the service does not
        say that (templated): ``aspose-slides://storage/path``, as a source; if it ends with ``/``, a folder, for all
        files in it. ``groupdocs-conversion://storage`` names just the storage
    :param conn_id: the connection it was started with (templated)
    :param destination: anything that ``ObjectStoragePath`` takes: a folder if it ends with ``/``, else the file
        (templated). Several results are numbered
    :param source: the document, to name it in messages and, in a folder, its result (templated)
    :param unpack: unpack a ZIP of page images, or of other single pages, into the destination, which is a folder then:
        all of its files appear there, or none
    :param cleanup: delete afterwards what the operation has left: the result at Aspose.OCR Cloud, or the results in
        GroupDocs' storage with the upload beside them, or what ``stored`` names. That this fails is a warning. The task
        can't be cleared then
    :param uploaded: the start task's XCom ``uploaded``: ``cleanup`` deletes the upload, too, if ``outputPath`` has
        GroupDocs save the result elsewhere (templated)
    :param source_sha256: the start task's XCom ``source_sha256``, to return it with each result (templated)
    """

    template_fields: Sequence[str] = (
        "operation_id",
        "conn_id",
        "destination",
        "source",
        "stored",
        "uploaded",
        "source_sha256",
    )
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
        stored: str | None = None,
        uploaded: str | None = None,
        source_sha256: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.destination = destination
        self.source = source
        self.unpack = unpack
        self.cleanup = cleanup
        self.stored = stored
        self.uploaded = uploaded
        self.source_sha256 = source_sha256

    def execute(self, context: Context) -> list[StoredResult]:
        """
        Fetch the results.

        :raises DocConvError: if one could not be fetched or stored, of the type that says what to do
        """
        from airflow_provider_docconv.exceptions import task_errors
        from airflow_provider_docconv.hooks.docconv import DocConvHook
        from airflow_provider_docconv.services.operations import given_operation_id
        from airflow_provider_docconv.transfer.delivery import Destination, clean_up, deliver
        from airflow_provider_docconv.transfer.source import stem_of
        from airflow_provider_docconv.transfer.unpacking import UnpackingDestination

        with task_errors(self.source):
            hook = DocConvHook.for_connection(self.conn_id)
            operation_id = given_operation_id(self.operation_id)
            stem = stem_of(self.source, hook.fields) if self.source else None
            kind = UnpackingDestination if self.unpack else Destination
            destination = kind(self.destination, hook.fields.label, stem)
            files = hook.get_results(operation_id, _read_stored(self.stored, hook))
            uploaded = _read_stored(self.uploaded, hook)
            uploads = [hook.get_stored(uploaded.path, uploaded.storage)] if uploaded else []
            results = deliver(hook, files, destination, self.log)
            for result in results:
                if self.source_sha256:
                    result["source_sha256"] = self.source_sha256
                self.log.info("Stored %s (%d bytes, SHA-256 %s)", result["uri"], result["size"], result["sha256"])
            if self.cleanup:
                clean_up(hook, operation_id, [*files, *uploads], self.log)
            return results


def _read_stored(uri: str | None, hook: DocConvHook) -> StoredDocument | None:
    from airflow_provider_docconv.services.errors import InvalidOptions
    from airflow_provider_docconv.transfer.addresses import read_stored

    if not uri:
        return None
    if stored := read_stored(uri, hook.fields):
        return stored
    raise InvalidOptions(
        f"{uri!r} is no address in the storage of {hook.fields.label}",
        remedy=f"give {hook.fields.name.replace('_', '-')}://storage/path",
    )
