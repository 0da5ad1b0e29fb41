"""Opens a source document, in anything that ``ObjectStoragePath`` reaches or in the vendor's own storage."""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import DocConvError, DocumentRejected, InvalidOptions, SourceNotFound
from airflow_provider_docconv.transfer.addresses import read_address, read_remote, require_addressable
from airflow_provider_docconv.transfer.object_storage import open_for_reading, store_error, to_path, version_of

# By fsspec's names. Reading a pipe or a device may never end.
_NOT_FILES = {"directory": "a folder", "other": "a pipe or a device"}


def open_source(uri: str, service: ServiceInfo) -> Document | RemoteDocument:
    """
    Find a source document; it is opened when it is read.

    :param uri: its address: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for a document in the vendor's storage (no storage name: the default)
    :param service: the service that will convert it
    :raises SourceNotFound: if there is no such document
    :raises DocumentRejected: if its name can't be sent
    :raises StoreUnavailable: if its store can't be reached now
    :raises InvalidOptions: if the address has characters that a store's driver would misread
    """
    if remote := read_remote(uri, service):
        if not remote.name:
            raise InvalidOptions(f"{uri!r} is a folder in the vendor's storage: expected a document")
        return remote
    require_addressable(uri)
    if not _is_text(uri):
        raise DocumentRejected(
            "the document's name is not valid UTF-8, so nothing was sent", document=uri, remedy="rename it"
        )
    try:
        file = to_path(uri)
        # The drivers cache listings, and would send only as many bytes as the document had then.
        file.fs.invalidate_cache(file.parent.path)
        info = file.fs.info(file.path)
    except FileNotFoundError as error:
        raise SourceNotFound(
            f"the source does not exist, so nothing was sent to {service.label}", document=uri
        ) from error
    except Exception as error:  # Each driver raises its own types.
        raise _unreadable(error, uri) from error
    if (kind := info.get("type")) in _NOT_FILES:
        raise SourceNotFound(
            f"the source is {_NOT_FILES[kind]}, so nothing was sent to {service.label}",
            document=uri,
            remedy="name a single document",
        )
    return Document(
        file.name,
        lambda: open_for_reading(file),
        info.get("size"),
        version_of(info),
        reader=lambda start, end: bytes(file.fs.cat_file(file.path, start=start, end=end)),
        translate=lambda error: _unreadable(error, uri),
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(error: Exception, uri: str) -> DocConvError:
    found = store_error(error, "the source can't be read", SourceNotFound)
    found.document = uri
    return found


def stem_of(source: object, service: ServiceInfo) -> str:
    """
    Return the file name of a source without its extension.

    :param source: its address
    :param service: the service that has converted it
    :raises InvalidOptions: if it is not an address
    """
    uri = read_address(source, "source")
    remote = read_remote(uri, service)
    return PurePosixPath(remote.path if remote else uri).stem
