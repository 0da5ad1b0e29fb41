"""Addresses in the storages of the conversion services: ``aspose-slides://storage/path``."""

from __future__ import annotations

from urllib.parse import quote, unquote

from airflow_provider_docconv.hooks.fields import ConnectionType
from airflow_provider_docconv.services.documents import StoredDocument
from airflow_provider_docconv.services.errors import InvalidOptions


def read_stored(uri: str, service: ConnectionType) -> StoredDocument | None:
    """
    Read an address in a service's storage; None if it is one of something else.

    The path may be empty, and ends with ``/`` for a folder.

    :param uri: the address; no storage name is the default one
    :param service: the type of the connection to the service
    :raises InvalidOptions: if its path leads out of a folder
    """
    scheme, found, rest = uri.partition("://")
    if not found or scheme != _scheme(service):
        return None
    storage, _, path = rest.partition("/")
    return StoredDocument(read_stored_path(unquote(path)), unquote(storage) or None)


def read_stored_path(given: str) -> str:
    """
    Return a path in a service's storage that a person has given, without a leading slash.

    :param given: the path
    :raises InvalidOptions: if it leads out of a folder: a service may refuse that, and HTTP clients shorten it
    """
    if {".", ".."} & set(given.split("/")):
        raise InvalidOptions(f"{given!r} is no path in the vendor's storage", remedy="write it without . and ..")
    return given.lstrip("/")


def write_stored(stored: StoredDocument, service: ConnectionType) -> str:
    """
    Write the address that :func:`read_stored` reads.

    :param stored: where it lies
    :param service: the type of the connection to the service
    """
    return f"{_scheme(service)}://{quote(stored.storage or '', safe='')}/{quote(stored.path)}"


def _scheme(service: ConnectionType) -> str:
    return service.name.replace("_", "-")
