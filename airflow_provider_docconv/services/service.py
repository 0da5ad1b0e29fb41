"""What every conversion service can be asked."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.http import Flow
from airflow_provider_docconv.services.operations import Operation, OperationState, ResultFile, Started
from airflow_provider_docconv.services.options import read_options
from airflow_provider_docconv.services.storage import RemoteStorage

if TYPE_CHECKING:
    pass

__all__ = ["ConversionService", "ResultFile", "own_folder", "require_format"]

# What an upload of ours lies in, by Document.key.
_OWN_FOLDER = re.compile(r"docconv/[0-9a-f]{16}(?=/)")


class CancelOutcome(NamedTuple):
    """
    What became of an operation that is no longer needed.

    :param canceled: whether it was cancelled
    :param message: the same as a sentence for the log
    """

    canceled: bool
    message: str


class ConversionService(ABC):
    """
    A vendor's protocol: builds requests and reads replies, and does neither I/O nor waiting.

    Its methods are flows: generators that yield requests and are sent replies, so that the same code serves a
    blocking client and an asynchronous one.

    :param storage: name of the vendor's storage that is used when nothing else is said
    """

    info: ClassVar[ServiceInfo]
    #: The options of a conversion: a TypedDict with the vendor's names.
    options_type: ClassVar[Any]
    #: The target formats in lower case; empty if only the service knows.
    target_formats: ClassVar[frozenset[str]] = frozenset()
    can_cancel: ClassVar[bool] = False
    #: The option that says where in the vendor's storage a result is saved: at one place, however many there are.
    saving_option: ClassVar[str | None] = None

    def __init__(self, storage: str | None = None) -> None:
        self.storage = storage

    @property
    def label(self) -> str:
        """The service's name in messages."""
        return self.info.label

    @abstractmethod
    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """
        Start a conversion and return the operation id.

        :param source: the document
        :param target_format: the format to convert to, as the vendor names it
        :param options: options by the vendor's parameter names
        :raises InvalidOptions: if the service has no such format or option
        :raises StartReplyLost: if it may have begun, but no operation id came back
        :raises DocConvError: if the service refused
        """

    def start_merge(self, presentations: Sequence[PresentationToMerge], options: Mapping[str, Any]) -> Flow[Started]:
        """
        Start merging documents into one and return the operation id.

        :param presentations: what to merge, in this order
        :param options: options by the vendor's parameter names
        :raises InvalidOptions: if the service can't merge, or has no such option
        :raises DocConvError: as :meth:`start` does
        """
        raise InvalidOptions(f"{self.label} can't merge documents")

    def start_split(
        self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]
    ) -> Flow[Started]:
        """
        Start splitting a document into a file per page and return the operation id.

        :param source: the document
        :param target_format: the format of the files
        :param options: options by the vendor's parameter names
        :raises InvalidOptions: if the service can't split, or has no such format or option
        :raises DocConvError: as :meth:`start` does
        """
        raise InvalidOptions(f"{self.label} can't split documents")

    @abstractmethod
    def status(self, operation_id: str) -> Flow[Operation]:
        """
        Ask where an operation stands; an unknown one is in the state ``NOT_FOUND``.

        :raises DocConvError: if the service did not answer that
        """

    @abstractmethod
    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """
        List the files that a successful operation made.

        :raises DocConvError: if the service did not answer that
        """

    def saved_results(self, operation_id: str, stored: RemoteDocument) -> Flow[list[ResultFile]]:
        """
        List the files that a successful operation has saved in the vendor's storage.

        :param operation_id: the operation
        :param stored: where they lie: a file, or a folder if the path ends with ``/``. Where the service tells the
            paths, but not the storage, the path may be empty
        :raises InvalidOptions: if there is no storage, or the path is empty and the service does not tell it
        :raises ResultNotFound: if there is nothing
        :raises DocConvError: if the service did not answer that
        """
        storage = self.remote_storage()
        if not stored.path.strip("/"):
            raise InvalidOptions(f"{self.label} does not say where it has saved a result, so stored must name the file")
        return (yield from storage.find(RemoteDocument(stored.path, stored.storage or self.storage), operation_id))

    def result_storage(self, source: RemoteDocument | None, options: Mapping[str, Any]) -> str | None:
        """
        Name the storage in which results lie that the service lists without it, None for the connection's.

        :param source: the document, if it lies in the vendor's storage
        :param options: the options of the conversion
        """
        return None

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Cancel an operation where the service can; return whether it was asked to."""
        return False
        yield  # makes it a flow like the others

    def cancel_if_running(self, operation_id: str) -> Flow[CancelOutcome]:
        """
        Cancel an operation that is no longer needed, where the service can, and say what became of it.

        One that has succeeded is left alone: it is paid for, and cancelling would delete its result (Aspose.OCR has one
        call for both).

        :param operation_id: the operation
        :raises DocConvError: if the service did not answer
        """
        if not self.can_cancel:
            message = f"{self.label} can't cancel: operation {operation_id} runs on, and its result is not fetched"
            return CancelOutcome(False, message)
        operation = yield from self.status(operation_id)
        if operation.state is OperationState.SUCCEEDED:
            message = f"Operation {operation_id} has succeeded in the meantime; {self.label} still has its result"
            return CancelOutcome(False, message)
        if operation.state.is_terminal:
            message = f"Operation {operation_id} has ended in the meantime at {self.label} ({operation.vendor_status})"
            return CancelOutcome(False, message)
        yield from self.cancel(operation_id)
        return CancelOutcome(True, f"Operation {operation_id} was cancelled at {self.label}")

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> Flow[bool]:
        """
        Delete what a successful operation has left at the service or in its storage, where that can be done.

        :param operation_id: the operation
        :param files: what :meth:`results` or :meth:`saved_results` returned, and the upload if it is known
        :return: whether there was anything to delete
        :raises DocConvError: if the service did not delete it
        """
        stored = [file.remote for file in files if file.remote]
        owns = [_OWN_FOLDER.match(each.path) for each in stored]
        # A folder of ours holds the upload, and the result if nobody said where else to save it.
        folders = {RemoteDocument(own[0], each.storage) for each, own in zip(stored, owns, strict=True) if own}
        for each, own in zip(stored, owns, strict=True):
            if not own:
                yield from self.remote_storage().delete_file(each)
        for folder in sorted(folders, key=lambda folder: folder.path):
            yield from self.remote_storage().delete_folder(folder)
        return bool(stored)

    def supported_formats(
        self, source_format: str | None = None, stored: RemoteDocument | None = None
    ) -> Flow[dict[str, list[str]]]:
        """
        Ask what can be converted to what: the target formats of each source format.

        :param source_format: ask for this one only
        :param stored: ask for this document in the vendor's storage only
        :raises InvalidOptions: if the service has no such list
        :raises DocConvError: if the service did not answer that
        """
        raise InvalidOptions(f"{self.label} has no list of formats")

    def remote_storage(self) -> RemoteStorage:
        """
        Return the service's storage.

        :raises InvalidOptions: if it has none
        """
        raise InvalidOptions(f"{self.label} has no storage")

    def password(self, options: Mapping[str, Any]) -> str | None:
        """Return the document's password out of the options, if one is given."""
        value = options.get("password")
        return value if isinstance(value, str) and value else None

    def check(self, target_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """
        Check a target format and options; return those that are given, as the vendor types them.

        :raises InvalidOptions: if the service has no such thing
        """
        require_format(self.label, target_format, self.target_formats)
        return self.read_options(options, self.options_type)

    def read_options(self, options: Mapping[str, Any], schema: Any) -> dict[str, Any]:
        """
        Check options; return those that are given, as the vendor types them.

        :raises InvalidOptions: if the service has no such thing
        """
        return read_options(self.label, options, schema)


def own_folder(document: Document | RemoteDocument) -> str:
    """Name the folder of the vendor's storage in which a document, or what is made of it, lies meanwhile."""
    return f"docconv/{document.key}"


def require_format(service: str, target_format: str, known: Collection[str]) -> None:
    """
    Check a target format.

    :param service: the service's name
    :param target_format: the format
    :param known: the formats in lower case; empty if only the service knows
    :raises InvalidOptions: if it is none of them
    """
    if not isinstance(target_format, str) or not target_format.isalnum():
        raise InvalidOptions(f"{target_format!r} is no target format")
    if known and target_format.lower() not in known:
        raise InvalidOptions(f"{service} can't convert to {target_format!r}, only to {', '.join(sorted(known))}")
