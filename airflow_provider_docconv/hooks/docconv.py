"""Hooks: from an Airflow connection to a client of its conversion service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_docconv.hooks.connections import connection_type, looking_up, read_settings
from airflow_provider_docconv.hooks.fields import ASPOSE_OCR, ASPOSE_SLIDES, GROUPDOCS_CONVERSION, ConnectionType
from airflow_provider_docconv.hooks.results import ResultMethods
from airflow_provider_docconv.hooks.starts import StartMethods
from airflow_provider_docconv.hooks.storage import StorageMethods
from airflow_provider_docconv.services.documents import StoredDocument
from airflow_provider_docconv.services.errors import DocConvError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_docconv.client.blocking import Client
    from airflow_provider_docconv.services.operations import Operation


class DocConvHook(StartMethods, ResultMethods, StorageMethods, BaseHook):
    """
    Talks to the conversion service that a connection names.

    Use :meth:`for_connection` to get the hook that fits a connection's type.

    :param conn_id: the connection
    """

    conn_name_attr = "conn_id"
    conn_type: ClassVar[str]
    fields: ClassVar[ConnectionType]

    def __init__(self, conn_id: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id or str(getattr(self, "default_conn_name", ""))
        self._connection: Connection | None = None
        self._client: Client | None = None

    @classmethod
    def for_connection(cls, conn_id: str) -> DocConvHook:
        """
        Return the hook for a connection.

        :param conn_id: the connection
        :raises ConnectionNotFound: if Airflow does not find it
        :raises InvalidOptions: if it is not a connection to a conversion service
        """
        connection = cls._look_up(conn_id)
        hook = _HOOKS[connection_type(connection).name](conn_id)
        hook._connection = connection  # Secret backends bill look-ups, too.
        return hook

    @classmethod
    def _look_up(cls, conn_id: str) -> Connection:
        with looking_up(conn_id):
            return cls.get_connection(conn_id)

    def get_conn(self) -> Client:
        """Return the client that all users of the connection in this process share."""
        if self._client is None:
            from airflow.providers.common.compat.sdk import mask_secret

            from airflow_provider_docconv.client.blocking import shared_client

            connection = self._connection or self._look_up(self.conn_id)
            self._client = shared_client(read_settings(connection), mask_secret)
        return self._client

    def get_operation(self, operation_id: str) -> Operation:
        """
        Ask where an operation stands.

        :param operation_id: the operation
        :raises DocConvError: if the service did not answer that
        """
        client = self.get_conn()
        return client.run(client.service.status(operation_id))

    def cancel(self, operation_id: str) -> bool:
        """
        Cancel an operation if the service can do that, and return whether it can.

        :param operation_id: the operation
        :raises DocConvError: if the service did not answer
        """
        client = self.get_conn()
        return client.run(client.service.cancel(operation_id))

    def give_up(self, operation_id: str) -> bool:
        """
        Cancel an operation that nobody waits for any more, where the service can; the log says what became of it.

        :param operation_id: the operation
        :return: whether it was cancelled
        """
        from airflow_provider_docconv.services.service import give_up

        try:
            client = self.get_conn()
            farewell = client.run(give_up(client.service, operation_id))
        except DocConvError as error:
            self.log.warning("Operation %s may go on, because it could not be cancelled: %s", operation_id, error)
            return False
        self.log.warning("%s", farewell.words)
        return farewell.canceled

    @property
    def service_url(self) -> str:
        """The vendor's page of the account, or what the connection has in the vendor's place."""
        client = self.get_conn()
        return self.fields.dashboard if client.settings.base_url == self.fields.host else client.settings.base_url

    def get_supported_formats(
        self, source_format: str | None = None, *, path: str | None = None, storage: str | None = None
    ) -> dict[str, list[str]]:
        """
        Ask what can be converted to what: the target formats of each source format, in lower case.

        :param source_format: ask for this one only
        :param path: ask for the document with this path in the vendor's storage only
        :param storage: the storage's name, or None for the connection's
        :raises InvalidOptions: if the service has no such list
        :raises DocConvError: if the service did not answer that
        """
        client = self.get_conn()
        stored = StoredDocument(path, storage) if path else None
        return client.run(client.service.supported_formats(source_format, stored))

    def test_connection(self) -> tuple[bool, str]:
        """Log in, and say in one sentence whether that worked and, if not, what is wrong."""
        try:
            client = self.get_conn()
            client.log_in()
        except DocConvError as error:
            return False, str(error)
        return True, f"Logged in to {client.settings.label} at {client.settings.base_url}."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow before 3.2; later ones read the provider's metadata."""
        behaviour = cls.fields.behaviour()
        return {
            "hidden_fields": behaviour["hidden-fields"],
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields for Airflow before 3.2; later ones read the provider's metadata."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(field["label"], description=field["description"], widget=BS3TextFieldWidget())
            for name, field in cls.fields.extra_fields().items()
        }


class AsposeSlidesHook(DocConvHook):
    """
    Talks to Aspose.Slides Cloud.

    :param conn_id: the connection
    """

    fields = ASPOSE_SLIDES
    conn_type = ASPOSE_SLIDES.name
    hook_name = ASPOSE_SLIDES.label
    default_conn_name = "aspose_slides_default"


class GroupDocsConversionHook(DocConvHook):
    """
    Talks to GroupDocs.Conversion Cloud.

    :param conn_id: the connection
    """

    fields = GROUPDOCS_CONVERSION
    conn_type = GROUPDOCS_CONVERSION.name
    hook_name = GROUPDOCS_CONVERSION.label
    default_conn_name = "groupdocs_conversion_default"


class AsposeOcrHook(DocConvHook):
    """
    Talks to Aspose.OCR Cloud.

    :param conn_id: the connection
    """

    fields = ASPOSE_OCR
    conn_type = ASPOSE_OCR.name
    hook_name = ASPOSE_OCR.label
    default_conn_name = "aspose_ocr_default"


_HOOKS: dict[str, type[DocConvHook]] = {
    hook.conn_type: hook for hook in (AsposeSlidesHook, GroupDocsConversionHook, AsposeOcrHook)
}
