"""The TLS contexts of the asynchronous client. Making one blocks: 16 ms for the authorities that certifi ships."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

import certifi

from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import TLSFailed


def tls_context(settings: Settings) -> ssl.SSLContext | bool:
    """
    Return the context of a connection, which others with the same file of authorities share, or False for no checks.

    :param settings: the connection
    :raises TLSFailed: if the file can't be read
    """
    if not settings.verify:
        return False
    authorities = settings.verify if isinstance(settings.verify, str) else _trusted()
    try:
        return _context(authorities, os.stat(authorities).st_mtime_ns)
    except OSError as error:
        raise TLSFailed(f"the file {authorities!r} of trusted authorities can't be read ({error})") from error


@lru_cache(maxsize=16)
def _context(authorities: str, changed: int) -> ssl.SSLContext:
    """Make a context, anew when the file has changed: authorities are replaced while a triggerer runs for months."""
    return ssl.create_default_context(cafile=authorities)


def _trusted() -> str:
    # As requests does, so that both clients trust the same authorities.
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
