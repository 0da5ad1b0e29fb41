"""Reads an Airflow connection to a conversion service."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.hooks.fields import CONNECTION_TYPES, ConnectionType
from airflow_provider_docconv.services.errors import ConnectionNotFound, InvalidOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_docconv.client.settings import Settings


@contextmanager
def looking_up(conn_id: str) -> Iterator[None]:
    """
    Look a connection up.

    :param conn_id: the connection
    :raises ConnectionNotFound: if Airflow does not find it
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        yield
    except AirflowNotFoundException as error:
        raise ConnectionNotFound(f"Airflow finds no connection {conn_id!r}") from error


def connection_type(connection: Connection) -> ConnectionType:
    """
    Tell which service a connection is to.

    :param connection: the connection
    :raises InvalidOptions: if it is to none
    """
    name = (connection.conn_type or "").replace("-", "_")
    for service in CONNECTION_TYPES:
        if service.name == name:
            return service
    raise InvalidOptions(
        f"the connection {connection.conn_id!r} has the type {name!r}, which is no conversion service",
        remedy=f"give it one of the types {', '.join(service.name for service in CONNECTION_TYPES)}",
    )


def read_settings(connection: Connection) -> Settings:
    """
    Read a connection.

    :param connection: the connection
    :raises InvalidOptions: if it can't be one to a conversion service
    """
    from airflow_provider_docconv.client.settings import Settings

    conn_id = str(connection.conn_id)
    service = connection_type(connection)
    if not connection.login or not connection.password:
        raise InvalidOptions(
            f"the connection {conn_id!r} has no client id or no client secret",
            remedy="put the client id into its login and the client secret into its password",
        )
    extra = _extra(connection, conn_id)
    return Settings(
        service.name,
        connection.login,
        connection.password,
        _host(connection),
        str(extra.get("auth_url") or ""),
        extra.get("storage_name") or None,
        _positive(extra, "connect_timeout", 10.0, "a number of seconds"),
        _positive(extra, "timeout", 120.0, "a number of seconds"),
        _verify(extra.get("verify")),
        _at_once(extra),
        _positive(extra, "max_calls_per_second", 1000.0, "a number of calls", most=10_000.0),
    )


def _extra(connection: Connection, conn_id: str) -> dict[str, Any]:
    # Not extra_dejson: it talks to the supervisor, which an event loop must not wait for.
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise InvalidOptions(f"the extra of the connection {conn_id!r} is no JSON object", remedy="correct it")
    return extra


def _host(connection: Connection) -> str:
    host = (connection.host or "").strip()
    if not host:
        return ""
    scheme, _, rest = host.rpartition("://")
    scheme = scheme or (connection.schema if connection.schema in ("http", "https") else "https")
    name, slash, path = rest.partition("/")
    port = f":{connection.port}" if connection.port and not re.search(r":\d+$", name) else ""
    return f"{scheme}://{name}{port}{slash}{path}"


def _positive(extra: Mapping[str, Any], key: str, default: float, what: str, most: float = sys.float_info.max) -> float:
    value = extra.get(key)
    if value in (None, ""):
        return default
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise InvalidOptions(f"the connection's {key} must be {what}, not {value!r}", remedy="correct it")
    return number


def _at_once(extra: Mapping[str, Any]) -> int:
    number = _positive(extra, "max_concurrent_calls", 20.0, "a number of calls", most=1000.0)
    if number != int(number):
        raise InvalidOptions(
            f"the connection's max_concurrent_calls must be a whole number, not {number}", remedy="correct it"
        )
    return int(number)


def _verify(value: object) -> bool | str:
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return value
    text = str(value)
    return {"true": True, "false": False}.get(text.strip().lower(), text)
