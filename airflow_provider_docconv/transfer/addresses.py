"""Addresses and file names that come from outside: which are safe, and which reach what they say."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote, unquote

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions, ResultRejected
from airflow_provider_docconv.services.filetypes import extension

# fsspec reads a chain of stores, s3fs and adlfs read a version, Python's urlsplit() drops control characters.
_SIGNS = ("::", "?versionId=", "?versionid=", "\t", "\r", "\n")
# Airflow drops these at the end.
_ENDS = ("#", "?")
# What str() and Jinja make of an XCom that is not there.
_NOTHING = ("", "None")


def address_of(given: object) -> str:
    """Return an address that is given as a text or a path as text; empty if it is neither."""
    # An ObjectStoragePath is no PurePath.
    return str(given) if isinstance(given, str | PurePath) or hasattr(given, "protocol") else ""


def read_address(given: object, what: str) -> str:
    """
    Return an address that a task was given.

    :param given: the address
    :param what: what it is given as, for the message
    :raises InvalidOptions: if it is none
    """
    text = address_of(given)
    if text in _NOTHING:
        raise InvalidOptions(f"{what} is {given!r}, which is no address", remedy=f"correct the task's {what}")
    return text


def is_addressable(name: str) -> bool:
    """
    Tell whether a name reaches the object of that name, and no other, in every store.

    :param name: an address, or the part of one up to its end
    """
    return not name.endswith(_ENDS) and not any(sign in name for sign in _SIGNS)


def require_addressable(uri: str) -> None:
    """
    Check that an address reaches the object that it says.

    :raises InvalidOptions: if not
    """
    if not is_addressable(uri):
        raise InvalidOptions(
            f"{uri!r} is no document's address: names can't end with # or ?, nor hold ::, ?versionId= or a line break",
            remedy="give it another name",
        )


# Separators of folders, control characters, what turns the direction of writing, and what no encoding takes.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# In bytes, what file systems take.
_LONGEST = 255


def is_safe(name: str) -> bool:
    """Tell whether a file of that name lies in its folder, and shows as what it is."""
    return not _UNSAFE.search(name) and name.strip(". ") != "" and len(name.encode()) <= _LONGEST


def safe_name(name: str, service: str) -> str:
    """
    Return a file name from a service as it is.

    :raises ResultRejected: if it is none that is safe
    """
    if not is_safe(name):
        raise ResultRejected(
            f"{service} calls its result {name[:_LONGEST]!r}, which is no safe file name",
            remedy="nothing was stored; give destination as a file instead of a folder if you trust the service",
        )
    return name


def folded(name: str) -> str:
    """Return what is the same for names that some file systems take for one: by letter case or writing of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def numbered(name: str, number: int) -> str:
    """
    Name one of several results: ``deck.png-1.png``.

    The whole name stays in front, so that these are nobody else's: ``deck-1.png`` is what a ``deck-1.pptx`` becomes.

    :param name: the name that a single result would have, or an address that ends with it
    :param number: the result's number
    """
    return ".".join(filter(None, (f"{name}-{number}", extension(name.rpartition("/")[2]))))


def read_remote(uri: str, service: ServiceInfo) -> RemoteDocument | None:
    """
    Read an address in a service's storage; None if it is one of something else.

    The path may be empty, and ends with ``/`` for a folder.

    :param uri: the address; no storage name is the default one
    :param service: the type of the connection to the service
    :raises InvalidOptions: if its path leads out of a folder
    """
    scheme, found, rest = uri.partition("://")
    if not found or scheme != service.scheme:
        return None
    storage, _, path = rest.partition("/")
    return RemoteDocument(read_remote_path(unquote(path)), unquote(storage) or None)


def read_remote_path(given: str) -> str:
    """
    Return a path in a service's storage that a person has given, without a leading slash.

    :param given: the path
    :raises InvalidOptions: if it leads out of a folder: a service may refuse that, and HTTP clients shorten it
    """
    if {".", ".."} & set(given.split("/")):
        raise InvalidOptions(f"{given!r} is no path in the vendor's storage", remedy="write it without . and ..")
    return given.lstrip("/")


def write_remote(remote: RemoteDocument, service: ServiceInfo) -> str:
    """
    Write the address that :func:`read_remote` reads.

    :param remote: where it lies
    :param service: the type of the connection to the service
    """
    return f"{service.scheme}://{quote(remote.storage or '', safe='')}/{quote(remote.path)}"
