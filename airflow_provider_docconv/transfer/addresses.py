"""Addresses and file names from outside: which ones are safe, and which ones reach the file that they name."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote, unquote

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions, ResultRejected
from airflow_provider_docconv.services.filetypes import extension, fits_format

# For fsspec the first separates a chain of stores, for s3fs and adlfs the next two begin a version, and Python's
# urlsplit() drops the others.
_SPECIAL = ("::", "?versionId=", "?versionid=", "\t", "\r", "\n")
# Airflow drops these at the end.
_DROPPED_ENDS = ("#", "?")
# These are compiled at their first use: Dag files import this module, and most of them only a worker needs.
# A path or URI of its own. What follows file:// is relative to the worker's folder, unless it begins with a slash.
_ABSOLUTE = r"(?i)/|(?!(?:file|local):)[a-z][a-z0-9+.-]*://|(?:file|local)://(?:[^/]*@)?/"
# A field of a batch's destination, not a template of Airflow's.
_FIELD = r"(?<!\{)\{(?:folder|name|stem|extension|format)\}(?!\})"
# What str() and Jinja make of a missing XCom.
_NOTHING = ("", "None")
# The separator of folders, control characters and line ends, and what can't be encoded.
_IMPOSSIBLE = r"[/\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
# The separator of folders elsewhere, and what changes the direction of writing, to look like another name.
_MISLEADING = r"[\\\u202a-\u202e\u2066-\u2069]"
# A file name holds two of them and a little more.
_LONGEST_NAME = 90
#: The longest name that file systems take, in bytes.
MAX_NAME = 255


def require_format_of(end: str, destination: str, target_format: str) -> None:
    """
    Check that a destination's extension is that of a target format, before anything is paid.

    :param end: the extension, in lower case; none fits
    :param destination: the destination, for the message
    :param target_format: the format
    :raises InvalidOptions: if it is that of another format
    """
    if not isinstance(target_format, str) or fits_format(end, target_format):
        return
    raise InvalidOptions(
        f"the destination {destination!r} ends with .{end}, but the results are {target_format.lower()} files, so "
        "nothing was sent",
        remedy="correct the task's destination or target_format; if it is a folder, let it end with /",
    )


def address_of(given: object) -> str:
    """Return an address that was given as a text or a path, as a text; empty if it is neither."""
    # An ObjectStoragePath is not a PurePath.
    if isinstance(given, str | PurePath) or hasattr(given, "protocol"):
        return str(given)
    path = os.fspath(given) if isinstance(given, os.PathLike) else None
    return path if isinstance(path, str) else ""


def read_address(given: object, what: str) -> str:
    """
    Return an address that a task was given, as a text.

    :param given: the address
    :param what: the parameter that it was given as, for the message
    :raises InvalidOptions: if it is not an address
    """
    text = address_of(given)
    if text in _NOTHING:
        found = "is empty" if given == "" else f"is {given!r}"
        raise InvalidOptions(f"{what} {found}: expected a path or URI", remedy=f"correct the task's {what}")
    return text


def read_destination(given: object) -> str:
    """
    Return the destination that a task was given: an address with a slash at its end if it is a folder.

    :param given: the destination; see :func:`names_files`
    :raises InvalidOptions: if it is not an address, or a relative one
    """
    return as_folder(_read_absolute(given, "destination"))


def read_folder(given: object, what: str) -> str:
    """
    Return the address of a folder that a task was given, with a slash at its end.

    :param given: the address
    :param what: the parameter that it was given as, for the message
    :raises InvalidOptions: if it is not an address, or a relative one
    """
    return f"{_read_absolute(given, what).rstrip('/')}/"


def _read_absolute(given: object, what: str) -> str:
    address = read_address(given, what).strip()
    if not re.match(_ABSOLUTE, address):
        raise InvalidOptions(
            f"the {what} {address!r} is a relative path: expected an absolute path or a URI such as "
            "s3://conn_id@bucket/folder/",
            remedy=f"correct the task's {what}",
        )
    return address


def require_no_fields(destination: object) -> None:
    """
    Check that a destination, as written in a Dag, has no fields, which only the documents of a batch have.

    :raises ValueError: if it has one
    """
    if field := re.search(_FIELD, address_of(destination)):
        raise ValueError(
            f"destination {str(destination)!r} has the field {field[0]}, which only ConvertDocumentsOperator knows; "
            "give a folder, in which the result is called after source, or a template such as {{ … }}"
        )


def names_files(destination: str) -> bool:
    """
    Tell whether a destination names files: if its last part has an extension or a field. Otherwise, and with a slash at
    its end, it is a folder.

    :param destination: a path, a URI or a template of one
    """
    last = destination.rpartition("/")[2]
    return not {"{", "}"}.isdisjoint(last) or bool(extension(last))


def as_folder(destination: str) -> str:
    """Return a destination with a slash at its end if it is a folder; see :func:`names_files`."""
    is_named = not destination or destination.endswith("/") or names_files(destination)
    return destination if is_named else f"{destination}/"


def is_addressable(name: str) -> bool:
    """
    Tell whether every store takes a name literally, so that it reaches the object of that name and no other.

    :param name: an address, or the part of one up to its end
    """
    return not name.endswith(_DROPPED_ENDS) and not any(text in name for text in _SPECIAL)


def require_addressable(uri: str) -> None:
    """
    Check that an address reaches the object that it names.

    :raises InvalidOptions: if not
    """
    if not is_addressable(uri):
        raise InvalidOptions(
            f"unsupported characters in {uri!r}: a name can't contain ::, ?versionId= or a line break, "
            "nor end with # or ?",
            remedy="rename it",
        )


def problem_of(name: str, longest: int = MAX_NAME) -> str | None:
    """
    Say why a file can't have a name, as a clause; None if it can, and stays in its folder.

    :param name: a name without folders
    :param longest: the most bytes that it may have
    """
    if found := re.search(_IMPOSSIBLE, name):
        return f"it contains U+{ord(found[0]):04X}"
    if name.strip(". ") == "":
        return f"{name!r} is not a name" if name else "a part of it is empty"
    if (length := len(name.encode())) > longest:
        return f"a part of it has {length} bytes, and at most {longest} are possible there"
    return None


def is_safe(name: str) -> bool:
    """Tell whether a file may have a name that comes from a service: it stays in its folder, and looks as it is."""
    return problem_of(name) is None and not re.search(_MISLEADING, name)


def safe_name(name: str, service: str) -> str:
    """
    Return a file name from a service, unchanged.

    :raises ResultRejected: if it is unsafe
    """
    if not is_safe(name):
        raise ResultRejected(
            f"{service} returned an unsafe file name {name[:MAX_NAME]!r}",
            remedy="nothing was written; if you trust the service, give destination as a file instead of a folder",
        )
    return name


def folded(name: str) -> str:
    """Return the same text for names that some file systems treat as equal, which differ in case or accents."""
    return unicodedata.normalize("NFC", name).casefold()


def numbered(name: str, number: int) -> str:
    """
    Name one of several results: ``deck.png-1.png``.

    The whole name stays in front, to avoid a clash: ``deck-1.png`` would be the result of a ``deck-1.pptx``.

    :param name: the name that a single result would have, or an address that ends with it
    :param number: the result's number
    """
    return ".".join(filter(None, (f"{name}-{number}", extension(name.rpartition("/")[2]))))


def read_remote(uri: str, service: ServiceInfo) -> RemoteDocument | None:
    """
    Read an address in a service's storage; return None if it is an address of something else.

    The path may be empty. A folder ends with ``/``.

    :param uri: the address; without a storage name, the default storage is meant
    :param service: the service
    :raises InvalidOptions: if the path has ``.`` or ``..`` in it
    """
    scheme, found, rest = uri.partition("://")
    if not found or scheme != service.scheme:
        return None
    storage, _, path = rest.partition("/")
    return RemoteDocument(read_remote_path(unquote(path)), unquote(storage) or None)


def read_remote_path(given: str) -> str:
    """
    Return a path in a service's storage without a leading slash.

    :param given: the path
    :raises InvalidOptions: if it has ``.`` or ``..`` in it, which HTTP clients would resolve
    """
    if {".", ".."} & set(given.split("/")):
        raise InvalidOptions(
            f"unsupported path {given!r} in the vendor's storage", remedy="write it without . and .. in it"
        )
    return given.lstrip("/")


def write_remote(remote: RemoteDocument, service: ServiceInfo) -> str:
    """
    Write the address that :func:`read_remote` reads.

    :param remote: the document
    :param service: the service
    """
    return f"{service.scheme}://{quote(remote.storage or '', safe='')}/{quote(remote.path)}"


def path_name(text: str) -> str:
    """Turn a text into one name of a path: the same for the same text, never too long, never a way out of a folder."""
    name = quote(text, safe="").replace(".", "%2E")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
