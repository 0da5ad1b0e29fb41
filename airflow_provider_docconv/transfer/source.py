"""A source document: in anything that ``ObjectStoragePath`` reaches, or in the vendor's own storage."""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions, SourceNotFound, explain
from airflow_provider_docconv.transfer.addresses import read_address, read_remote, require_addressable
from airflow_provider_docconv.transfer.object_storage import open_for_reading, to_path, version_of

# What is no document, by fsspec's word for it. Reading a pipe or a device may never end.
_NO_FILES = {"directory": "a folder", "other": "a pipe or a device"}


def open_source(uri: str, service: ServiceInfo) -> Document | RemoteDocument:
    """
    Find a source document.

    :param uri: its address: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for a document in the vendor's storage (no storage name: the default)
    :param service: the type of the connection that will convert it
    :raises SourceNotFound: if there is no such document
    :raises InvalidOptions: if no store's driver would reach a document of that name
    """
    if stored := read_remote(uri, service):
        if not stored.name:
            raise InvalidOptions(f"{uri!r} names no document in the vendor's storage")
        return stored
    require_addressable(uri)
    try:
        file = to_path(uri)
        # The drivers remember listings, and would send only as much of the document as there was then.
        file.fs.invalidate_cache(file.parent.path)
        info = file.fs.info(file.path)
    except FileNotFoundError as error:
        raise SourceNotFound(
            f"the source does not exist, so nothing was sent to {service.label}", document=uri
        ) from error
    except Exception as error:  # The stores' drivers raise errors of their own kinds.
        raise SourceNotFound(
            f"the source can't be read ({explain(error)}), so nothing was sent to {service.label}", document=uri
        ) from error
    if (kind := info.get("type")) in _NO_FILES:
        raise SourceNotFound(
            f"the source is {_NO_FILES[kind]}, so nothing was sent to {service.label}",
            document=uri,
            remedy="name one document",
        )
    return Document(
        file.name,
        lambda: open_for_reading(file),
        info.get("size"),
        version_of(info),
        reader=lambda start, end: bytes(file.fs.cat_file(file.path, start=start, end=end)),
    )


def stem_of(source: object, service: ServiceInfo) -> str:
    """
    Return the file name of a source without its extension.

    :param source: its address
    :param service: the type of the connection that has converted it
    :raises InvalidOptions: if it is no address
    """
    uri = read_address(source, "source")
    stored = read_remote(uri, service)
    return PurePosixPath(stored.path if stored else uri).stem
