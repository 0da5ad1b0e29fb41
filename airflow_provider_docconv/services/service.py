"""The protocol of a conversion service, which each vendor implements."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.filetypes import extension
from airflow_provider_docconv.services.http import Flow, Vendor, has_error_object, load
from airflow_provider_docconv.services.operations import Operation, OperationState, ResultFile, Started
from airflow_provider_docconv.services.options import read_options
from airflow_provider_docconv.services.storage import RemoteStorage

# The folder of one document, by its key.
_OWN_FOLDER = re.compile(r"docconv/[0-9a-f]{16}(?=/)")


class CancelOutcome(NamedTuple):
    """
    The outcome of an attempt to cancel an operation.

    :param canceled: whether it was cancelled
    :param message: the outcome as a sentence for the log
    """

    canceled: bool
    message: str


class ConversionService(ABC):
    """
    A vendor's protocol: builds requests and reads replies.

    Its methods are flows: generators that yield requests and are sent the replies. They do no I/O, so that the same
    code serves the blocking client and the asynchronous one.

    :param storage: the vendor's storage to use unless an address or option names another
    :param extra: the values of the service's own fields of the connection, without those that are empty
    """

    info: ClassVar[ServiceInfo]
    #: The options of a conversion: a TypedDict with the vendor's names.
    options_type: ClassVar[Any]
    #: The extensions of the documents that it converts, in lower case; empty if only the service knows.
    source_formats: ClassVar[frozenset[str]] = frozenset()
    #: The target formats in lower case; empty if only the service knows.
    target_formats: ClassVar[frozenset[str]] = frozenset()
    can_cancel: ClassVar[bool] = False
    #: The option that names the result's address in the vendor's storage: a single one, even for several results.
    saving_option: ClassVar[str | None] = None

    def __init__(self, storage: str | None = None, extra: Mapping[str, str] | None = None) -> None:
        self.storage = storage
        self.extra = extra or {}

    @property
    def label(self) -> str:
        """The service's name in messages."""
        return self.info.label

    @property
    def vendor(self) -> Vendor:
        """Tells the service's own replies from those of what stands in between."""
        return Vendor(self.label, self.is_own_error, self.info.authentication.credentials)

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """
        Tell whether a JSON object is the vendor's documented form of an error.

        :param value: the object, with the first letter of its keys in lower case
        :param status: the HTTP status of the reply
        """
        return has_error_object(value)

    def check_access(self) -> Flow[None]:
        """
        Ask something that costs nothing, for the test button; a login has proved its part before.

        :raises DocConvError: if the service is not there, or refuses the credentials
        """
        return
        yield  # makes it a flow like the others

    @abstractmethod
    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """
        Start a conversion.

        :param source: the document
        :param target_format: the format to convert to, as the vendor names it
        :param options: options under the vendor's names
        :raises InvalidOptions: if the service does not have the format or an option
        :raises StartReplyLost: if it may have started, but no operation id came back
        :raises DocConvError: if the service refused
        """

    def start_merge(self, presentations: Sequence[PresentationToMerge], options: Mapping[str, Any]) -> Flow[Started]:
        """
        Start merging presentations into one.

        :param presentations: the presentations, in this order
        :param options: options under the vendor's names
        :raises InvalidOptions: if the service can't merge, or does not have an option
        :raises DocConvError: as :meth:`start` does
        """
        raise InvalidOptions(f"{self.label} can't merge documents")

    def start_split(
        self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]
    ) -> Flow[Started]:
        """
        Start splitting a document into one file per page.

        :param source: the document
        :param target_format: the format of the files
        :param options: options under the vendor's names
        :raises InvalidOptions: if the service can't split, or does not have the format or an option
        :raises DocConvError: as :meth:`start` does
        """
        raise InvalidOptions(f"{self.label} can't split documents")

    @abstractmethod
    def status(self, operation_id: str) -> Flow[Operation]:
        """
        Get the state of an operation; ``NOT_FOUND`` if the service does not know it.

        :raises DocConvError: if the reply has no answer
        """

    @abstractmethod
    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """
        List the results of a successful operation.

        :raises DocConvError: if the reply has no answer
        """

    def saved_results(self, operation_id: str, remote: RemoteDocument) -> Flow[list[ResultFile]]:
        """
        List the results that a successful operation has saved in the vendor's storage.

        :param operation_id: the operation
        :param remote: where they are: a file, or a folder if the path ends with ``/``. The path may be empty where the
            service reports the paths, but not the storage
        :raises InvalidOptions: if there is no storage, or the path is empty and the service does not report it
        :raises ResultNotFound: if nothing is there
        :raises DocConvError: if the reply has no answer
        """
        storage = self.remote_storage()
        if not remote.path.strip("/"):
            raise InvalidOptions(
                f"{self.label} does not report where it has saved a result",
                operation_id=operation_id,
                remedy="give remote_result with the path of the file or folder",
            )
        return (yield from storage.find(RemoteDocument(remote.path, remote.storage or self.storage), operation_id))

    def result_storage(self, source: RemoteDocument | None, options: Mapping[str, Any]) -> str | None:
        """
        Return the storage of results that the service lists without naming it; None for the connection's.

        :param source: the document, if it is in the vendor's storage
        :param options: the options of the conversion
        """
        return None

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Cancel an operation, if the service can; return whether it can."""
        return False
        yield  # makes it a flow like the others

    def cancel_if_running(self, operation_id: str) -> Flow[CancelOutcome]:
        """
        Cancel an operation that is no longer needed, if the service can.

        One that has succeeded is left alone: it is paid for, and Aspose.OCR's call to cancel would delete its result.

        :param operation_id: the operation
        :raises DocConvError: if the reply has no answer
        """
        if not self.can_cancel:
            message = f"{self.label} can't cancel: operation {operation_id} keeps running, but its result is not needed"
            return CancelOutcome(False, message)
        operation = yield from self.status(operation_id)
        if operation.state is OperationState.SUCCEEDED:
            message = f"Operation {operation_id} has already succeeded; {self.label} still has its result"
            return CancelOutcome(False, message)
        if operation.state.is_terminal:
            message = f"Operation {operation_id} has already ended at {self.label} ({operation.vendor_status})"
            return CancelOutcome(False, message)
        yield from self.cancel(operation_id)
        return CancelOutcome(True, f"Cancelled operation {operation_id} at {self.label}")

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> Flow[bool]:
        """
        Delete what a successful operation has left at the service or in its storage, as far as possible.

        :param operation_id: the operation
        :param files: the results, and the upload if it is known
        :return: whether anything could be deleted
        :raises DocConvError: if the service did not delete it
        """
        remotes = [file.remote for file in files if file.remote]
        # A folder of ours has the upload, and the result unless an option has it saved elsewhere.
        folders: set[RemoteDocument] = set()
        for remote in remotes:
            if own := _OWN_FOLDER.match(remote.path):
                folders.add(RemoteDocument(own[0], remote.storage))
            else:
                yield from self.remote_storage().delete_file(remote)
        for folder in sorted(folders, key=lambda folder: folder.path):
            yield from self.remote_storage().delete_folder(folder)
        return bool(remotes)

    def supported_formats(
        self, source_format: str | None = None, remote: RemoteDocument | None = None
    ) -> Flow[dict[str, list[str]]]:
        """
        Get the target formats of each source format, from the service if it lists them.

        :param source_format: get those of this source format only
        :param remote: get those of this document in the vendor's storage only
        :raises DocConvError: if the reply has no answer
        """
        known = {source: sorted(self.target_formats) for source in sorted(self.source_formats)}
        wanted = source_format.lower() if source_format else extension(remote.name) if remote else None
        yield from ()  # Only some services have to be asked.
        return known if wanted is None else {each: known[each] for each in known if each == wanted}

    def remote_storage(self) -> RemoteStorage:
        """
        Return the service's storage.

        :raises InvalidOptions: if it has none
        """
        raise InvalidOptions(f"{self.label} has no storage")

    def password(self, options: Mapping[str, Any]) -> str | None:
        """Return the document's password from the options, if there is one."""
        value = options.get("password")
        return value if isinstance(value, str) and value else None

    def check(self, target_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """
        Check a target format and options; return the given options with the vendor's types.

        :raises InvalidOptions: if the service does not have the format or an option
        """
        require_format(self.label, target_format, self.target_formats)
        return self.read_options(options, self.options_type)

    def read_options(self, options: Mapping[str, Any], schema: Any) -> dict[str, Any]:
        """
        Check options; return those that are given with the vendor's types.

        :raises InvalidOptions: if the service does not have an option
        """
        return read_options(self.label, options, schema)


def create_service(
    info: ServiceInfo, storage: str | None = None, extra: Mapping[str, str] | None = None
) -> ConversionService:
    """
    Return the protocol of a service, ready to build requests.

    :param info: the service
    :param storage: the service's storage to use when an address or option names none
    :param extra: the values of the service's own fields of the connection
    """
    protocol: type[ConversionService] = load(info.protocol)
    return protocol(storage, extra)


def own_folder(document: Document | RemoteDocument) -> str:
    """Return the folder in the vendor's storage for a document's upload and results."""
    return f"docconv/{document.key}"


def require_format(service: str, target_format: str, known: Collection[str]) -> None:
    """
    Check a target format.

    :param service: the service's name
    :param target_format: the format
    :param known: the formats in lower case; empty if only the service knows
    :raises InvalidOptions: if it is not one of them
    """
    if not isinstance(target_format, str) or not target_format.isalnum():
        raise InvalidOptions(f"{target_format!r} is not a target format")
    if known and target_format.lower() not in known:
        raise InvalidOptions(f"{service} can't convert to {target_format!r}, only to {', '.join(sorted(known))}")
