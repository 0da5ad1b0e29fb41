"""File names that come from outside."""

from __future__ import annotations

import re
import unicodedata

from airflow_provider_docconv.services.errors import ResultRejected

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
    Put a number at the end of a file name, before its extension.

    :param name: the name, or an address that ends with it
    :param number: the number
    """
    folder, slash, last = name.rpartition("/")
    stem, dot, end = last.rpartition(".")
    return f"{folder}{slash}{stem}-{number}.{end}" if dot else f"{name}-{number}"
