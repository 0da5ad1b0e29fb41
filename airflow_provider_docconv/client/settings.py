"""The settings of a connection: addresses, credentials, timeouts, TLS and limits."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - otherwise Python imports it at its first use, in an event loop
import os
import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import certifi

from airflow_provider_docconv.services.catalog import ServiceInfo, find_service
from airflow_provider_docconv.services.errors import InvalidOptions, TLSFailed
from airflow_provider_docconv.services.http import Auth, create_auth
from airflow_provider_docconv.services.service import ConversionService, create_service


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The settings of a connection.

    :param service_name: the connection type
    :param login: the login, if the service takes one
    :param password: the password, key or secret, if the service takes one
    :param host: base URL of the service, empty for the vendor's; without a scheme it is https
    :param auth_url: the token endpoint, empty for the one on the host
    :param storage_name: the vendor's storage to use by default
    :param connect_timeout: seconds for opening a connection
    :param read_timeout: seconds in which a reply must have come, and that the service may be silent in a result
    :param verify: whether to verify TLS certificates, or the file of the authorities to trust
    :param max_concurrent_calls: how many calls a process may have in flight
    :param max_calls_per_second: how many it may send in any second; None sets no limit
    :param rate_limit_url: the Redis or Valkey server where all processes count them, empty for none
    :param conn_id: the connection's id, for messages
    :param extra: the names and values of the service's own fields
    """

    service_name: str
    login: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    auth_url: str = ""
    storage_name: str | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    verify: bool | str = True
    max_concurrent_calls: int = 20
    max_calls_per_second: float | None = None
    rate_limit_url: str = field(default="", repr=False)
    conn_id: str = field(default="", compare=False)
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def info(self) -> ServiceInfo:
        """
        The service.

        :raises InvalidOptions: if it is not installed
        """
        if info := find_service(self.service_name):
            return info
        raise InvalidOptions(f"no installed package has the service {self.service_name!r}", remedy="install it")

    def service(self) -> ConversionService:
        """Return the protocol to speak."""
        return create_service(self.info, self.storage_name, dict(self.extra))

    @property
    def auth(self) -> Auth:
        """What signs the requests."""
        return create_auth(self.info.authentication, self.label, self.login, self.password)

    @property
    def label(self) -> str:
        """The service's name in messages."""
        return self.info.label

    @property
    def base_url(self) -> str:
        """
        The base URL, without a slash at its end.

        :raises InvalidOptions: if the host is not an http or https address
        """
        return _address(self.host or self.info.host)

    @property
    def account(self) -> str:
        """What identifies the account at the service, in all processes."""
        host = self.host.strip().rstrip("/") or self.info.host
        return f"{self.service_name} {host} {self.login}"

    @property
    def token_url(self) -> str:
        """The URL of the token endpoint; the base URL if the service has none."""
        return _address(self.auth_url) if self.auth_url else self.base_url + self.info.authentication.token_path

    def plain_hosts(self) -> set[str]:
        """Return the hosts beyond this machine that the connection talks to without TLS."""
        try:
            parts = [urlsplit(url) for url in (self.base_url, self.token_url)]
        except InvalidOptions:
            return set()  # The first call says so.
        return {str(each.hostname) for each in parts if each.scheme == "http" and not _is_loopback(str(each.hostname))}

    @property
    def authorities(self) -> str | Literal[False]:
        """The file of trusted authorities, if need be the one that the environment names; False for no checks."""
        if self.verify is True:
            # As requests does, and from the same variables.
            return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
        return self.verify or False

    def tls_context(self) -> ssl.SSLContext | bool:
        """
        Return the TLS context of the asynchronous client, or False for no checks.

        It takes 16 ms to load the authorities that certifi ships. Connections with the same file share the context.

        :raises TLSFailed: if the file of trusted authorities can't be read
        """
        authorities = self.authorities
        if not authorities:
            return False
        try:
            return _tls_context(authorities, os.stat(authorities).st_mtime_ns)
        except OSError as error:
            raise TLSFailed(f"the file {authorities!r} of trusted authorities can't be read ({error})") from error


# Made again when the file has changed: authorities are replaced while a triggerer runs for months.
@lru_cache(maxsize=16)
def _tls_context(authorities: str, changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def without_proxies(words: str) -> str:
    """
    Return words of a transport library without what the environment's proxies say of a user.

    The libraries quote a proxy's address if they can't parse it, whole or in part.

    :param words: the words
    """
    for proxy in getproxies().values():
        user = proxy.rpartition("@")[0].rpartition("://")[2]
        if any(part and part in words for part in re.split(r"[:/?#@\[\]]", user)):
            return "the address of the proxy that the environment names can't be used"
    return words


# Every poll asks for it, and the check takes longer than the rest of our part of a poll.
@lru_cache(maxsize=256)
def _address(text: str) -> str:
    address = text.strip().rstrip("/")
    if "://" not in address:
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        (parts.hostname or "").encode("idna")  # Resolvers would raise a UnicodeError much later.
        valid = valid and not (parts.netloc.endswith(":") or parts.username or parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid:
        raise InvalidOptions(
            "the connection's host or auth_url is not a valid address",
            remedy="write it as https://host, with a port and a path if needed, and without credentials",
        )
    return address
