"""Hooks, which turn an Airflow connection into a client of its conversion service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_docconv.compat import BaseHook
from airflow_provider_docconv.exceptions import task_errors
from airflow_provider_docconv.hooks.connections import (
    extra_fields,
    lookup_errors,
    read_settings,
    service_of,
    standard_fields,
)
from airflow_provider_docconv.polling import (
    FAULT_TOLERANCE,
    Outcome,
    Pace,
    Wait,
    poll_until_ended,
    require_succeeded,
)
from airflow_provider_docconv.services.catalog import ServiceInfo, all_services
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import DeadlineExceeded, DocConvError, InvalidOptions, scrub
from airflow_provider_docconv.services.filetypes import extension, require_convertible
from airflow_provider_docconv.services.operations import read_operation_id
from airflow_provider_docconv.services.options import require_mapping, secrets_in
from airflow_provider_docconv.transfer.addresses import (
    address_of,
    path_name,
    read_address,
    read_destination,
    read_remote,
    read_remote_path,
    require_format_of,
)
from airflow_provider_docconv.transfer.delivery import Bounds, Destination, clean_up, deliver
from airflow_provider_docconv.transfer.source import open_source, stem_of
from airflow_provider_docconv.transfer.unpacking import UnpackingDestination

if TYPE_CHECKING:
    from airflow_provider_docconv.client.blocking import Client
    from airflow_provider_docconv.client.results import ResultStream
    from airflow_provider_docconv.compat import Connection, ObjectStoragePath
    from airflow_provider_docconv.services.http import Flow
    from airflow_provider_docconv.services.operations import Operation, ResultFile, Started
    from airflow_provider_docconv.services.storage import RemoteStorage
    from airflow_provider_docconv.transfer.delivery import DeliveredFile

#: A path, or a URI that ``ObjectStoragePath`` takes.
Address: TypeAlias = "str | PathLike[str] | ObjectStoragePath"
#: A document: its address, or the document itself.
Source: TypeAlias = "Address | Document | RemoteDocument"
#: The longest wait by default, in seconds.
DAY = 86_400.0


def begin_wait(
    operation_id: object,
    service: str,
    timeout: timedelta | float,
    poke_interval: timedelta | float,
    max_poke_interval: timedelta | float,
    fault_tolerance: timedelta | float,
) -> Wait:
    """
    Begin to wait for an operation; the parameters are those of :meth:`DocConvHook.wait`.

    :param service: the service's name, for messages
    :raises InvalidOptions: if one is not what it must be
    """
    now = time.time()
    return Wait(
        read_operation_id(operation_id),
        service,
        deadline=now + _seconds(timeout, "timeout"),
        pace=Pace(_seconds(poke_interval, "poke_interval"), _seconds(max_poke_interval, "max_poke_interval")),
        started=now,
        fault_tolerance=_seconds(fault_tolerance, "fault_tolerance", or_zero=True),
    )


def read_source_format(given: object) -> str | None:
    """
    Return a source format without the dot in front of it; None for all of them.

    :raises InvalidOptions: if it is not a text
    """
    if given is None or isinstance(given, str):
        return (given or "").strip().lstrip(".").lower() or None
    raise InvalidOptions(f"{given!r} is not a source format", remedy="expected a format such as docx")


def _seconds(value: object, what: str, *, or_zero: bool = False) -> float:
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, int | float) and not isinstance(number, bool) and (number > 0 or (or_zero and number == 0)):
        return float(number)
    raise InvalidOptions(f"{what} must be a number of seconds or a timedelta, not {value!r}", remedy=f"correct {what}")


class DocConvHook(BaseHook):
    """
    Talks to the conversion service that a connection names.

    Use :meth:`for_connection` to get the hook for a connection's type.

    :param conn_id: the connection
    """

    conn_name_attr = "conn_id"
    conn_type: ClassVar[str]
    service: ClassVar[ServiceInfo]

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
        hook = hook_of(service_of(connection))(conn_id)
        hook._connection = connection  # Secrets backends may bill each look-up.
        return hook

    @classmethod
    def _look_up(cls, conn_id: str) -> Connection:
        with lookup_errors(conn_id):
            return cls.get_connection(conn_id)

    def get_conn(self) -> Client:
        """Return the client, which all users of the connection in this process share."""
        if self._client is None:
            from airflow_provider_docconv.client.blocking import shared_client
            from airflow_provider_docconv.compat import mask_secret

            connection = self._connection or self._look_up(self.conn_id)
            self._client = shared_client(read_settings(connection), mask_secret)
        return self._client

    def start(
        self,
        source: Source,
        target_format: str,
        options: Mapping[str, Any] | None = None,
        until: float | None = None,
    ) -> Started:
        """
        Start a conversion.

        :param source: the document: a path, a URI that ``ObjectStoragePath`` takes, or one in the vendor's storage
        :param target_format: the format to convert to, as the vendor names it
        :param options: options under the vendor's names
        :param until: when to stop sending the document, in seconds since the epoch
        :return: the operation id, a text
        :raises StartReplyLost: if the service may have started it, but its reply was lost; it is not sent again
        :raises DocConvError: if the service refused it
        """
        with self._errors(source):
            document, given = self._open(source), require_mapping(options or {}, "options")
            service = self.get_conn().service
            self._require_convertible(document, service.password(given))
            return self._send(service.start(document, target_format, given), given, until)

    def wait(
        self,
        operation_id: str,
        *,
        timeout: timedelta | float = DAY,
        poke_interval: timedelta | float = 2.0,
        max_poke_interval: timedelta | float = 300.0,
        fault_tolerance: timedelta | float = FAULT_TOLERANCE,
    ) -> Operation:
        """
        Wait until an operation has succeeded.

        :param operation_id: the operation
        :param timeout: seconds until the wait gives up
        :param poke_interval: the shortest time between two polls, in seconds; it grows with the operation's age
        :param max_poke_interval: the longest time between two polls, in seconds
        :param fault_tolerance: seconds for which polls may fail
        :return: the operation as the service last described it
        :raises ConversionFailed: if the service could not convert the document
        :raises ConversionCanceled: if the operation was cancelled
        :raises OperationNotFound: if the service does not know it
        :raises DeadlineExceeded: if it has not ended in time; it may still be running
        :raises DocConvError: if the service does not answer
        """
        with self._errors():
            wait = begin_wait(
                operation_id, self.service.label, timeout, poke_interval, max_poke_interval, fault_tolerance
            )

            def tell(outcome: Outcome) -> None:
                if message := wait.changed_message(outcome):
                    self.log.info("%s", message)

            operation = poll_until_ended(self, wait, tell=tell)
            require_succeeded(operation, self.service.label)
            return operation

    def download(
        self,
        operation_id: str,
        destination: Address,
        *,
        source: Source | None = None,
        unpack: bool = False,
        cleanup: bool = False,
        max_result_size: int = 16 << 30,
        remote_result: str | None = None,
        remote_source: str | None = None,
    ) -> list[DeliveredFile]:
        """
        Stream the results of a successful operation to their destination, where they appear complete or not at all.

        :param operation_id: the operation
        :param destination: a path or URI. If its last part has an extension it names the file, else it is a folder
        :param source: the document: a result in a folder is called after it
        :param unpack: unpack an archive of page images
        :param cleanup: delete afterwards what the operation has left at the service, as far as possible
        :param max_result_size: the most bytes that a result may have
        :param remote_result: the result's address in the vendor's storage, if the options had it stored there
        :param remote_source: the address of the upload in the vendor's storage, for ``cleanup``; known for what
            :meth:`start` returned
        :return: for each file its address (``uri``), length in bytes (``size``) and SHA-256 in hexadecimal (``sha256``)
        :raises ResultNotFound: if the service does not have it
        :raises DestinationUnwritable: if it can't be written
        :raises DocConvError: if it can't be fetched
        """
        with self._errors(source):
            started, operation_id = operation_id, read_operation_id(operation_id)
            name = source.name if isinstance(source, Document | RemoteDocument) else source
            stem = stem_of(name, self.service) if name else None
            if unpack and stem is None:
                # The pages of two decks have the same names.
                stem = path_name(operation_id)
            remote = self._remote_address(remote_result)
            upload = self._remote_address(remote_source) or getattr(started, "remote_source", None)
            kind = UnpackingDestination if unpack else Destination
            place = kind(read_destination(destination), self.service.label, stem)
            files = self.get_results(operation_id, remote)
            delivered = deliver(self, files, place, self.log, Bounds(max_result_size))
            if cleanup:
                uploads = [self.get_remote_file(upload.path, upload.storage)] if upload else []
                clean_up(self, operation_id, [*files, *uploads], self.log)
            return delivered

    def convert(
        self,
        source: Source,
        target_format: str,
        destination: Address,
        options: Mapping[str, Any] | None = None,
        *,
        timeout: timedelta | float = DAY,
        poke_interval: timedelta | float = 2.0,
        max_poke_interval: timedelta | float = 300.0,
        unpack: bool = False,
        cleanup: bool = True,
    ) -> list[DeliveredFile]:
        """
        Convert a document: start, wait and download.

        Nothing outlives the call: if the process ends on the way, the next call pays again. For nights and retries, use
        the operators.

        :param source: the document, as in :meth:`start`
        :param target_format: the format to convert to, as the vendor names it
        :param destination: where the result goes, as in :meth:`download`
        :param options: options under the vendor's names
        :param timeout: seconds until the wait gives up, and cancels the operation where the service can
        :param poke_interval: the shortest time between two polls, in seconds
        :param max_poke_interval: the longest time between two polls, in seconds
        :param unpack: unpack an archive of page images
        :param cleanup: delete afterwards what the operation has left at the service, as far as possible
        :return: as :meth:`download`
        :raises DocConvError: as the three do
        """
        with self.checked(source, target_format, destination, timeout):
            started = self.start(source, target_format, options)
            try:
                self.wait(started, timeout=timeout, poke_interval=poke_interval, max_poke_interval=max_poke_interval)
            except DeadlineExceeded as error:
                self.cancel_late(started, error)
                raise
            return self.download(started, destination, source=source, unpack=unpack, cleanup=cleanup)

    @contextmanager
    def checked(
        self, source: object, target_format: str, destination: object, timeout: timedelta | float
    ) -> Iterator[None]:
        """Check what :meth:`convert` is given before anything is paid, and name document and connection in errors."""
        with self._errors(source):
            address = read_destination(destination)
            require_format_of(extension(address.rpartition("/")[2]), address, target_format)
            _seconds(timeout, "timeout")
            yield

    def cancel_late(self, operation_id: str, error: DeadlineExceeded) -> None:
        """Cancel an operation that has not ended in time, and say so in the error."""
        if self.cancel_if_running(operation_id):
            error.remedy = "the operation was cancelled: raise the timeout"

    def start_merge(
        self, presentations: Sequence[PresentationToMerge], options: Mapping[str, Any] | None = None
    ) -> Started:
        """
        Start merging presentations into one, and return the operation id.

        :param presentations: the presentations, in this order
        :param options: options under the vendor's names
        :raises DocConvError: if the service refused it, or its reply was lost
        """
        listed = isinstance(presentations, Sequence)
        if not listed or not all(isinstance(each, PresentationToMerge) for each in presentations):
            raise InvalidOptions("expected a list of PresentationToMerge", remedy="correct the presentations")
        for each in presentations:
            self._require_convertible(each.document, each.password)
        given = {**(options or {}), "presentations": [{"password": each.password} for each in presentations]}
        return self._send(self.get_conn().service.start_merge(presentations, options or {}), given)

    def start_split(self, source: Source, target_format: str, options: Mapping[str, Any] | None = None) -> Started:
        """
        Start splitting a document into one file per page, and return the operation id.

        :param source: the document, as in :meth:`start`
        :param target_format: the format of the files, as the vendor names it
        :param options: options under the vendor's names
        :raises StartReplyLost: if the service may have started it, but its reply was lost; it is not sent again
        :raises DocConvError: if the service refused it
        """
        with self._errors(source):
            document, given = self._open(source), require_mapping(options or {}, "options")
            service = self.get_conn().service
            self._require_convertible(document, service.password(given))
            return self._send(service.start_split(document, target_format, given), given)

    def get_operation(self, operation_id: str, until: float | None = None) -> Operation:
        """
        Get the state of an operation.

        :param operation_id: the operation
        :param until: when to stop, in seconds since the epoch
        :raises DocConvError: if the service does not answer
        """
        client = self.get_conn()
        return client.run(client.service.status(read_operation_id(operation_id)), until)

    def cancel(self, operation_id: str) -> bool:
        """
        Cancel an operation, if the service can; return whether it can.

        :param operation_id: the operation
        :raises DocConvError: if the service does not answer
        """
        client = self.get_conn()
        return client.run(client.service.cancel(read_operation_id(operation_id)))

    def cancel_if_running(self, operation_id: str) -> bool:
        """
        Cancel an operation that is no longer needed, if the service can, and log the outcome.

        :param operation_id: the operation
        :return: whether it was cancelled
        """
        try:
            client = self.get_conn()
            outcome = client.run(client.service.cancel_if_running(read_operation_id(operation_id)))
        except DocConvError as error:
            self.log.warning(
                "Operation %s may keep running, because it could not be cancelled: %s", operation_id, error
            )
            return False
        self.log.warning("%s", outcome.message)
        return outcome.canceled

    def get_results(
        self, operation_id: str, remote: RemoteDocument | None = None, until: float | None = None
    ) -> list[ResultFile]:
        """
        List the results of a successful operation.

        :param operation_id: the operation
        :param remote: where they are in the vendor's storage, if the service does not report that: a file, or a folder
            if the path ends with ``/``. With an empty path it only names the storage
        :param until: when to stop, in seconds since the epoch
        :raises ResultNotFound: if nothing is there
        :raises DocConvError: if the service does not answer
        """
        client, operation_id = self.get_conn(), read_operation_id(operation_id)
        service = client.service
        flow = service.saved_results(operation_id, remote) if remote else service.results(operation_id)
        return client.run(flow, until)

    def result_storage(
        self, source: RemoteDocument | None, options: Mapping[str, Any] | None = None
    ) -> RemoteDocument | None:
        """
        Return the storage of the results, as :meth:`get_results` takes it; None for the connection's.

        :param source: the document, if it is in the vendor's storage
        :param options: the options that the conversion was started with
        """
        storage = self.get_conn().service.result_storage(source, options or {})
        return RemoteDocument("", storage) if storage else None

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> bool:
        """
        Delete what a successful operation has left at the service or in its storage, as far as possible.

        :param operation_id: the operation
        :param files: what :meth:`get_results` returned, and the upload if it is known
        :return: whether anything could be deleted
        :raises DocConvError: if the service did not delete it
        """
        client = self.get_conn()
        return client.run(client.service.clean_up(operation_id, files))

    @contextmanager
    def open_result(
        self, file: ResultFile, until: float | None = None
    ) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result: its properties, and its bytes in chunks of at most 1 MiB.

        :param file: one of :meth:`get_results`
        :param until: when to stop, in seconds since the epoch
        :raises DocConvError: if the service refuses, or the result breaks off
        """
        with self.get_conn().open_result(file, until) as opened:
            yield opened

    @property
    def service_url(self) -> str:
        """The vendor's page about the account or, for another host, the connection's base URL."""
        client = self.get_conn()
        at_vendor = self.service.dashboard and client.settings.base_url == self.service.host
        return self.service.dashboard if at_vendor else client.settings.base_url

    def get_supported_formats(
        self, source_format: str | None = None, *, path: str | None = None, storage: str | None = None
    ) -> dict[str, list[str]]:
        """
        Get the target formats of each source format, in lower case.

        GroupDocs is asked; what the others convert, the package knows.

        :param source_format: get those of this source format only
        :param path: get those of the document with this path in the vendor's storage only
        :param storage: the storage's name, or None for the connection's default
        :raises DocConvError: if the service does not answer
        """
        client = self.get_conn()
        remote = RemoteDocument(path, storage) if path else None
        return client.run(client.service.supported_formats(read_source_format(source_format), remote))

    def upload(self, document: Document, path: str, storage: str | None = None) -> RemoteDocument:
        """
        Upload a document to the vendor's storage, replacing a file of that path, and return its address.

        :param document: the document
        :param path: its path there
        :param storage: the storage's name, or None for the connection's default
        :raises DocConvError: if the storage refused it
        """
        remote = self._remote(path, storage)
        return self.get_conn().run(self._storage.upload(document, remote, document.name))

    def get_remote_file(self, path: str, storage: str | None = None) -> ResultFile:
        """
        Describe a file in the vendor's storage, so that :meth:`open_result` can fetch it.

        :param path: its path there
        :param storage: the storage's name, or None for the connection's default
        """
        return self._storage.file(self._remote(path, storage))

    def delete_remote(self, path: str, storage: str | None = None) -> None:
        """
        Delete a file from the vendor's storage, or a folder with everything in it, if it exists.

        :param path: its path there; a folder ends with ``/``
        :param storage: the storage's name, or None for the connection's default
        :raises DocConvError: if the service did not delete it
        """
        remote = self._remote(path.rstrip("/"), storage)
        delete = self._storage.delete_folder if path.endswith("/") else self._storage.delete_file
        self.get_conn().run(delete(remote))

    def remote_exists(self, path: str, storage: str | None = None) -> bool:
        """
        Tell whether a file or folder exists in the vendor's storage.

        :param path: its path there
        :param storage: the storage's name, or None for the connection's default
        :raises DocConvError: if the service does not answer
        """
        return self.get_conn().run(self._storage.exists(self._remote(path, storage)))

    def test_connection(self) -> tuple[bool, str]:
        """Log in and ask for access, and return whether that worked, with a sentence about it."""
        try:
            client = self.get_conn()
            client.log_in()
            client.run(client.service.check_access())
        except DocConvError as error:
            return False, str(error)
        verb = "Logged in to" if client.settings.password else "Reached"
        return True, f"{verb} {client.settings.label} at {client.settings.base_url}."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow before 3.2; later ones read the provider's metadata."""
        behaviour = standard_fields(cls.service)
        return {
            "hidden_fields": behaviour["hidden-fields"],
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields for Airflow before 3.2; later ones read the provider's metadata."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField

        kinds = {"password": (PasswordField, BS3PasswordFieldWidget)}
        fields = {}
        for name, field in extra_fields(cls.service).items():
            kind, widget = kinds.get(field["schema"].get("format", ""), (StringField, BS3TextFieldWidget))
            fields[name] = kind(field["label"], description=field["description"], widget=widget())
        return fields

    @contextmanager
    def _errors(self, source: object = None) -> Iterator[None]:
        """Raise errors so that Airflow retries a task only if that can help, and name document and connection."""
        with task_errors(address_of(source) or getattr(source, "name", None), self.conn_id):
            yield

    def _open(self, source: object) -> Document | RemoteDocument:
        if isinstance(source, Document | RemoteDocument):
            return source
        return open_source(read_address(source, "source"), self.service)

    def _remote_address(self, uri: str | None) -> RemoteDocument | None:
        if not uri:
            return None
        if isinstance(uri, str) and (remote := read_remote(uri, self.service)):
            return remote
        raise InvalidOptions(
            f"{uri!r} is not an address in the storage of {self.service.label}",
            remedy=f"expected {self.service.scheme}://storage/path",
        )

    def _require_convertible(self, source: Document | RemoteDocument, password: str | None) -> None:
        if isinstance(source, Document):
            require_convertible(source, self.service.label, has_password=password is not None)

    def _send(self, start: Flow[Started], options: object, until: float | None = None) -> Started:
        """Run a start, keeping the passwords in its options out of logs and errors."""
        from airflow_provider_docconv.compat import mask_secret

        passwords = list(secrets_in(options))
        for password in passwords:
            mask_secret(password)
        try:
            return self.get_conn().run(start, until)
        except DocConvError as error:
            scrub(error, *passwords)  # A service may repeat what it was sent.
            raise

    @property
    def _storage(self) -> RemoteStorage:
        return self.get_conn().service.remote_storage()

    def _remote(self, path: str, storage: str | None) -> RemoteDocument:
        if not path.strip("/"):
            raise InvalidOptions(f"{path!r} is not a path in the vendor's storage")
        return RemoteDocument(read_remote_path(path), storage or self.get_conn().service.storage)


def __getattr__(name: str) -> type[DocConvHook]:
    """Return the hook of a service, such as ``AsposeSlidesHook``, by the name that the catalogue gives it."""
    for service in all_services().values():
        if service.hook_class == name:
            return hook_of(service)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def hook_of(service: ServiceInfo) -> type[DocConvHook]:
    """
    Return the hook of a service. Airflow asks for one class per connection type.

    :param service: the service
    """
    values = {
        "__doc__": f"Talks to {service.label}.\n\n:param conn_id: the connection\n",
        "__module__": __name__,
        "service": service,
        "conn_type": service.name,
        "hook_name": service.label,
        "default_conn_name": f"{service.name}_default",
    }
    return type(service.hook_class, (DocConvHook,), values)
