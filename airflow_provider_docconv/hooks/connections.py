"""Airflow connections to conversion services: their form in the UI, and how they are read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.services.catalog import ServiceInfo, all_services, find_service
from airflow_provider_docconv.services.errors import ConnectionNotFound, InvalidOptions

if TYPE_CHECKING:
    from airflow_provider_docconv.client.settings import Settings
    from airflow_provider_docconv.compat import Connection


_PORTS = {"http": 80, "https": 443}
# Valkey speaks Redis's protocol.
_RATE_LIMIT_SCHEMES = ("redis", "rediss", "redis+unix", "valkey", "valkeys", "valkey+unix")
# From which likeness on a field is a misspelt one. Others are left alone: secrets backends may add fields of their own.
_SIMILAR = 0.8


def standard_fields(service: ServiceInfo) -> dict[str, Any]:
    """Return the labels and placeholders of the standard fields of a connection, as ``ui-field-behaviour``."""
    fields = service.authentication.fields
    host = service.host_placeholder or f"{service.host} (the vendor's, if empty)"
    return {
        # Not the port: the test button of Airflow 3.3.1 and 3.3.2 sends port 0 where there is none, and is refused.
        "hidden-fields": ["schema", *(name for name in ("login", "password") if name not in fields)],
        "relabeling": {"host": "Base URL", **{name: each.label for name, each in fields.items()}},
        "placeholders": {
            "host": host,
            **{name: each.placeholder for name, each in fields.items() if each.placeholder},
            "port": "443 (Airflow 3.3.1 and 3.3.2 test no connection without a port)",
        },
    }


def extra_fields(service: ServiceInfo) -> dict[str, dict[str, Any]]:
    """Return the fields that a connection keeps in its extra, as ``conn-fields``."""
    fields: dict[str, dict[str, Any]] = {
        "auth_url": {
            "label": "Login URL",
            "description": "Only if the login is not at /connect/token below the base URL.",
            "schema": {"type": ["string", "null"]},
        },
        "storage_name": {
            "label": "Storage name",
            "description": "The vendor's storage to use, if not the account's default storage.",
            "schema": {"type": ["string", "null"]},
        },
        "read_timeout": {
            "label": "Read timeout (s)",
            "description": "How long the service may be silent; 120 seconds if empty.",
            "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600},
        },
        "connect_timeout": {
            "label": "Connect timeout (s)",
            "description": "How long it may take to connect; 10 seconds if empty.",
            "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 600},
        },
        "max_concurrent_calls": {
            "label": "Concurrent calls",
            "description": "How many calls a process may make at a time; 20 if empty.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
        },
        "max_calls_per_second": {
            "label": "Calls per second",
            "description": "How many calls a process may start per second; no limit if empty.",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 10000},
        },
        "rate_limit_url": {
            "label": "Rate limit server",
            "description": "redis://:PASSWORD@HOST:6379/0, if Calls per second is to hold for all workers together.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "verify": {
            "label": "Verify TLS",
            "description": "true, false, or a file with the certificate authorities to trust.",
            "schema": {"type": ["string", "null"]},
        },
    }
    if not service.has_storage:
        del fields["storage_name"]
    if not service.authentication.token_path:
        del fields["auth_url"]
    return fields | {name: dict(each) for name, each in service.extra_fields.items()}


@contextmanager
def lookup_errors(conn_id: str) -> Iterator[None]:
    """
    Raise the error of a failed look-up as ours.

    :param conn_id: the connection that is looked up
    :raises ConnectionNotFound: if Airflow does not find it
    """
    from airflow_provider_docconv.compat import AirflowNotFoundException

    try:
        yield
    except AirflowNotFoundException as error:
        raise ConnectionNotFound(f"Airflow found no connection {conn_id!r}") from error


def service_of(connection: Connection) -> ServiceInfo:
    """
    Return the service of a connection.

    :param connection: the connection
    :raises InvalidOptions: if its type is not that of a conversion service
    """
    name = (connection.conn_type or "").replace("-", "_")
    if service := find_service(name):
        return service
    raise InvalidOptions(
        f"the connection {connection.conn_id!r} has the type {name!r}: expected a conversion service",
        remedy=f"set its type to {', '.join(all_services())}",
    )


def read_settings(connection: Connection) -> Settings:
    """
    Read a connection.

    :param connection: the connection
    :raises InvalidOptions: if it is not a valid connection to a conversion service
    """
    from airflow_provider_docconv.client.settings import Settings

    conn_id = str(connection.conn_id)
    service = service_of(connection)
    login, password = _credentials(connection, conn_id, service)
    extra = _extra(connection, conn_id, service)
    return Settings(
        service.name,
        login,
        password,
        _host(connection, service),
        str(extra.get("auth_url") or "").strip(),
        str(extra.get("storage_name") or "").strip() or None,
        _positive(extra, conn_id, "connect_timeout", 10.0, "a number of seconds"),
        _positive(extra, conn_id, "read_timeout", 120.0, "a number of seconds"),
        _verify(extra.get("verify")),
        _max_concurrent_calls(extra, conn_id),
        _calls_per_second(extra, conn_id),
        _rate_limit_url(extra, conn_id),
        conn_id,
        tuple((name, str(extra[name]).strip()) for name in service.extra_fields if extra.get(name) not in (None, "")),
    )


def _credentials(connection: Connection, conn_id: str, service: ServiceInfo) -> tuple[str, str]:
    fields = service.authentication.fields
    # Pasted values end with a line break or a space now and then. What the service does not take is not kept.
    given = {
        name: (getattr(connection, name) or "").strip() if name in fields else "" for name in ("login", "password")
    }
    required = {name: each for name, each in fields.items() if each.required}
    if not all(given[name] for name in required):
        raise InvalidOptions(
            f"the connection {conn_id!r} has no {' or '.join(each.name for each in required.values())}",
            remedy=f"set {' and '.join(f'its {name} to the {each.name}' for name, each in required.items())}",
        )
    return given["login"], given["password"]


def _extra(connection: Connection, conn_id: str, service: ServiceInfo) -> dict[str, Any]:
    # Not extra_dejson, which waits for the supervisor, and would block an event loop.
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise InvalidOptions(f"the extra of the connection {conn_id!r} is not a JSON object", remedy="correct it")
    known = extra_fields(service)
    for name in extra:
        if name not in known and (close := get_close_matches(name, known, 1, _SIMILAR)):
            raise InvalidOptions(
                f"the extra of the connection {conn_id!r} has an unknown field {name!r}",
                remedy=f"call it {close[0]!r}, or remove it",
            )
    return extra


def _host(connection: Connection, service: ServiceInfo) -> str:
    host, port = (connection.host or "").strip(), connection.port
    if not host and not service.host:
        raise InvalidOptions(
            f"the connection {connection.conn_id!r} has no host",
            remedy=f"set its host to the base URL of {service.label}, such as {service.host_placeholder}",
        )
    if not host and port in (None, 0, _PORTS["https"]):
        return ""
    scheme, _, rest = (host or service.host).rpartition("://")
    scheme = scheme or (connection.schema if connection.schema in ("http", "https") else "https")
    name, slash, path = rest.partition("/")
    own = re.search(r":(\d+)$", name)
    if own and port and own[1].lstrip("0") != str(port):
        raise InvalidOptions(
            f"the connection {connection.conn_id!r} has port {port}, but its host names port {own[1]}",
            remedy="remove one of them",
        )
    if port and not own and port != _PORTS.get(scheme.lower()):
        name += f":{port}"
    return f"{scheme}://{name}{slash}{path}"


def _positive(
    extra: Mapping[str, Any], conn_id: str, key: str, default: float, what: str, most: float = sys.float_info.max
) -> float:
    value = extra.get(key)
    if value in (None, ""):
        return default
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise InvalidOptions(f"{key} of the connection {conn_id!r} must be {what}, not {value!r}", remedy="correct it")
    return number


def _max_concurrent_calls(extra: Mapping[str, Any], conn_id: str) -> int:
    number = _positive(extra, conn_id, "max_concurrent_calls", 20.0, "a number of calls", most=1000.0)
    if number != int(number):
        raise InvalidOptions(
            f"max_concurrent_calls of the connection {conn_id!r} must be a whole number, not {number}",
            remedy="correct it",
        )
    return int(number)


def _calls_per_second(extra: Mapping[str, Any], conn_id: str) -> float | None:
    if extra.get("max_calls_per_second") in (None, ""):
        return None
    return _positive(extra, conn_id, "max_calls_per_second", 0.0, "a number of calls", most=10_000.0)


def _rate_limit_url(extra: Mapping[str, Any], conn_id: str) -> str:
    url = str(extra.get("rate_limit_url") or "").strip()
    if url and url.partition("://")[0] not in _RATE_LIMIT_SCHEMES:
        raise InvalidOptions(
            f"rate_limit_url of the connection {conn_id!r} is not the address of a Redis or Valkey server",
            remedy="write it as redis://:PASSWORD@HOST:6379/0",
        )
    if url and _calls_per_second(extra, conn_id) is None:
        raise InvalidOptions(
            f"the connection {conn_id!r} has rate_limit_url, but no max_calls_per_second",
            remedy="set max_calls_per_second in its extra, too",
        )
    return url


def _verify(value: object) -> bool | str:
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return value
    text = str(value)
    return {"true": True, "false": False}.get(text.strip().lower(), text)
