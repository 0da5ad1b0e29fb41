"""The hook's methods that start something."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_docconv.services.documents import Document, PresentationToMerge, StoredDocument
from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.filetypes import require_convertible
from airflow_provider_docconv.services.options import secrets_in

if TYPE_CHECKING:
    from airflow_provider_docconv.client.blocking import Client
    from airflow_provider_docconv.hooks.fields import ConnectionType
    from airflow_provider_docconv.services.http import Flow


class StartMethods:
    """Starts conversions, merges and splits, and keeps the passwords of documents out of logs and errors."""

    fields: ClassVar[ConnectionType]

    @abstractmethod
    def get_conn(self) -> Client:
        """Return the client."""

    def start(
        self, source: Document | StoredDocument, target_format: str, options: Mapping[str, Any] | None = None
    ) -> str:
        """
        Start a conversion and return the operation id.

        :param source: the document
        :param target_format: the format to convert to, as the vendor names it
        :param options: options by the vendor's parameter names
        :raises DocConvError: of the type that says what to do
        """
        self._require_convertible(source, self.get_conn().service.password(options or {}))
        return self._send(self.get_conn().service.start(source, target_format, options or {}), options)

    def start_merge(
        self, presentations: Sequence[PresentationToMerge], options: Mapping[str, Any] | None = None
    ) -> str:
        """
        Start merging documents into one and return the operation id.

        :param presentations: what to merge, in this order
        :param options: options by the vendor's parameter names
        :raises DocConvError: of the type that says what to do
        """
        for each in presentations:
            self._require_convertible(each.document, each.password)
        given = {**(options or {}), "presentations": [{"password": each.password} for each in presentations]}
        return self._send(self.get_conn().service.start_merge(presentations, options or {}), given)

    def start_split(
        self, source: Document | StoredDocument, target_format: str, options: Mapping[str, Any] | None = None
    ) -> str:
        """
        Start splitting a document into a file per page and return the operation id.

        :param source: the document
        :param target_format: the format of the files, as the vendor names it
        :param options: options by the vendor's parameter names
        :raises DocConvError: of the type that says what to do
        """
        self._require_convertible(source, self.get_conn().service.password(options or {}))
        return self._send(self.get_conn().service.start_split(source, target_format, options or {}), options)

    def upload_of(self, source: Document, options: Mapping[str, Any] | None = None) -> StoredDocument | None:
        """
        Say where :meth:`start` uploads a document to, None if it is sent with the start.

        :param source: the document
        :param options: options by the vendor's parameter names
        :raises InvalidOptions: if the service has no such option
        """
        return self.get_conn().service.upload_of(source, options or {})

    def _require_convertible(self, source: Document | StoredDocument, password: str | None) -> None:
        if isinstance(source, Document):
            require_convertible(source, self.fields.label, has_password=password is not None)

    def _send(self, start: Flow[str], options: object) -> str:
        """Run a start, and keep the passwords in its options out of logs and errors."""
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_docconv.services.errors import scrub

        passwords = list(secrets_in(options))
        for password in passwords:
            mask_secret(password)
        try:
            return self.get_conn().run(start)
        except DocConvError as error:
            scrub(error, *passwords)  # A service may repeat what it was sent.
            raise
