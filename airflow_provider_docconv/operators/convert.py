"""Starts a conversion of one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_docconv.operators.start import StartOperator, identify_source

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import Document, StoredDocument


class StartConversionOperator(StartOperator["Document | StoredDocument"]):
    """
    Starts a conversion and returns the operation id.

    The operation id is written down before anything else happens: a retry goes on with the operation of the try
    before. Clearing the task after it has succeeded starts a new conversion.

    The SHA-256 of a document that was sent, in hexadecimal, is the XCom ``source_sha256``. Where it was sent to the
    vendor's storage, because the options want it there, ``uploaded`` is its address.

    :param source: the document: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for one in the vendor's storage (templated)
    :param target_format: the format to convert to, as the vendor names it (templated)
    :param conn_id: connection to the service (templated)
    :param options: options by the vendor's parameter names, see the service's page in the docs (templated). Give a
        document's password as a template, ``{"password": "{{ conn.deck_password.password }}"}``, to keep it out of
        the Dag file
    :param on_lost_reply: what a retry does if a start was sent and its reply never came, so that nobody knows
        whether it is being converted (and billed): ``"fail"``, or ``"start_again"`` at the risk of paying twice
    """

    template_fields: Sequence[str] = ("source", "target_format", "conn_id", "options")

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath,
        target_format: str,
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, options=options, on_lost_reply=on_lost_reply, **kwargs)
        self.source = source
        self.target_format = target_format

    def subject(self) -> str:
        """Name the source."""
        return str(self.source)

    def open(self, hook: DocConvHook) -> Document | StoredDocument:
        """
        Find the source.

        :raises DocConvError: if it is not there
        """
        from airflow_provider_docconv.addresses import read_address
        from airflow_provider_docconv.source import open_source

        return open_source(read_address(self.source, "source"), hook.fields)

    def identify(self, opened: Document | StoredDocument) -> dict[str, object]:
        """Say which document becomes what."""
        return {**identify_source(self.source, opened), "target_format": self.target_format}

    def send(self, hook: DocConvHook, opened: Document | StoredDocument) -> str:
        """
        Start the conversion.

        :raises DocConvError: if it could not be started
        """
        return hook.start(opened, self.target_format, self.options)

    def uploaded(self, hook: DocConvHook, opened: Document | StoredDocument) -> str | None:
        """
        Give the address in the vendor's storage to which the source is sent, None if it is not.

        :raises InvalidOptions: if the service has no such option
        """
        from airflow_provider_docconv.services.documents import Document
        from airflow_provider_docconv.stored_addresses import write_stored

        stored = hook.upload_of(opened, self.options) if isinstance(opened, Document) else None
        return write_stored(stored, hook.fields) if stored else None
