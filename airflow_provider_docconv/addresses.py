"""Addresses in object stores: what is one, and which reach what they say."""

from __future__ import annotations

from pathlib import PurePath

from airflow_provider_docconv.services.errors import InvalidOptions

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
