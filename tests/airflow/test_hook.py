"""Connections: how they are written, what they mean, and what their test says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_docconv.compat import Connection
from airflow_provider_docconv.exceptions import InvalidOptions
from airflow_provider_docconv.hooks.connections import read_settings
from airflow_provider_docconv.hooks.docconv import (
    AsposeOcrHook,
    AsposeSlidesHook,
    DocConvHook,
    GroupDocsConversionHook,
)
from docconv_sandbox import Sandbox
from tests.support.hostile import HTML, Answer, Hostile, dead_url
from tests.support.replies import own_error
from tests.support.tasks import SECRET, connect

HOOKS = {
    "aspose_slides": AsposeSlidesHook,
    "groupdocs_conversion": GroupDocsConversionHook,
    "aspose_ocr": AsposeOcrHook,
}


@pytest.mark.parametrize(("conn_type", "hook"), HOOKS.items())
def test_a_connection_finds_its_hook(conn_type: str, hook: type[DocConvHook], monkeypatch: pytest.MonkeyPatch) -> None:
    for spelled in (conn_type, conn_type.replace("_", "-")):
        found = DocConvHook.for_connection(connect(monkeypatch, "https://h", spelled))
        assert type(found) is hook
        assert found.get_conn().settings.service_name == conn_type
    assert hook().conn_id == f"{conn_type}_default"


HOSTS: list[tuple[dict[str, Any], str]] = [
    ({}, "https://api.aspose.cloud"),
    ({"host": "gateway.example"}, "https://gateway.example"),
    ({"host": "gateway.example", "port": 8443}, "https://gateway.example:8443"),
    ({"host": "http://127.0.0.1", "port": 8080}, "http://127.0.0.1:8080"),
    ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
    ({"host": "http://127.0.0.1:8080", "port": 8080}, "http://127.0.0.1:8080"),
    ({"host": "https://gateway.example/aspose/"}, "https://gateway.example/aspose"),
    ({"host": "https://gateway.example/aspose", "port": 8443}, "https://gateway.example:8443/aspose"),
    ({"host": "127.0.0.1", "port": 8080, "schema": "http"}, "http://127.0.0.1:8080"),
    ({"host": "https://h", "schema": "http"}, "https://h"),
    ({"host": "h", "schema": "something"}, "https://h"),
    ({"host": "[::1]", "port": 80, "schema": "http"}, "http://[::1]"),
    ({"host": "[::1]", "port": 81, "schema": "http"}, "http://[::1]:81"),
    # What a form may leave.
    ({"port": 443}, "https://api.aspose.cloud"),
    ({"port": 0}, "https://api.aspose.cloud"),
    ({"port": 8443}, "https://api.aspose.cloud:8443"),
    ({"host": "https://api.aspose.cloud", "port": 443}, "https://api.aspose.cloud"),
    ({"host": "gateway.example", "port": 80}, "https://gateway.example:80"),
    ({"host": "gateway.example:0443", "port": 443}, "https://gateway.example:0443"),
]


@pytest.mark.parametrize(("fields", "base_url"), HOSTS)
def test_the_base_url(fields: dict[str, Any], base_url: str) -> None:
    connection = Connection(conn_id="c", conn_type="aspose_slides", login="id", password="secret", **fields)
    assert read_settings(connection).base_url == base_url


def test_two_ports_are_refused() -> None:
    connection = Connection(
        conn_id="c", conn_type="aspose_slides", login="id", password="secret", host="http://127.0.0.1:8080", port=443
    )
    with pytest.raises(InvalidOptions) as raised:
        read_settings(connection)
    assert str(raised.value) == "the connection 'c' has port 443, but its host names port 8080; remove one of them."


URIS = [
    ("aspose-slides://id:secret@", "https://api.aspose.cloud"),
    ("aspose-slides://id:secret@gateway.example", "https://gateway.example"),
    ("aspose-slides://id:secret@gateway.example:8443", "https://gateway.example:8443"),
    ("aspose-slides://http://id:secret@127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("aspose-slides://id:secret@127.0.0.1:8080/http", "http://127.0.0.1:8080"),
    ("aspose-slides://id:secret@http%3A%2F%2F127.0.0.1%3A8080", "http://127.0.0.1:8080"),
]


@pytest.mark.parametrize(("uri", "base_url"), URIS)
def test_connections_as_uris(uri: str, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", f"{uri}?read_timeout=30&verify=false" if uri.endswith("http") else uri)
    settings = DocConvHook.for_connection("docs").get_conn().settings
    assert (settings.base_url, settings.login, settings.password) == (base_url, "id", "secret")
    if uri.endswith("http"):
        assert (settings.read_timeout, settings.verify) == (30.0, False)


EXTRAS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"read_timeout": 120.0, "connect_timeout": 10.0, "verify": True, "storage_name": None, "auth_url": ""}),
    (
        {"read_timeout": None, "verify": None, "storage_name": None, "auth_url": None},
        {"read_timeout": 120.0, "auth_url": ""},
    ),
    (
        {"read_timeout": "", "verify": "", "storage_name": ""},
        {"read_timeout": 120.0, "verify": True, "storage_name": None},
    ),
    ({"read_timeout": "7", "connect_timeout": 2}, {"read_timeout": 7.0, "connect_timeout": 2.0}),
    ({}, {"max_concurrent_calls": 20, "max_calls_per_second": None}),
    ({"max_concurrent_calls": None, "max_calls_per_second": ""}, {"max_concurrent_calls": 20}),
    ({"max_concurrent_calls": "7"}, {"max_concurrent_calls": 7}),
    ({"max_concurrent_calls": 7.0, "max_calls_per_second": "0.5"}, {"max_calls_per_second": 0.5}),
    (
        {"max_calls_per_second": 5, "rate_limit_url": " redis://:secret@host/0\n"},
        {"rate_limit_url": "redis://:secret@host/0"},
    ),
    ({"rate_limit_url": None}, {"rate_limit_url": ""}),
    ({"verify": "False"}, {"verify": False}),
    ({"verify": "true"}, {"verify": True}),
    ({"verify": False}, {"verify": False}),
    ({"verify": "/etc/ca.pem"}, {"verify": "/etc/ca.pem"}),
    ({"storage_name": "Mine", "auth_url": "https://id/x"}, {"storage_name": "Mine", "auth_url": "https://id/x"}),
]


@pytest.mark.parametrize(("extra", "values"), EXTRAS)
def test_extra(extra: dict[str, Any], values: dict[str, Any]) -> None:
    settings = read_settings(
        Connection(conn_id="c", conn_type="aspose_slides", login="i", password="s", extra=json.dumps(extra))
    )
    assert {key: getattr(settings, key) for key in values} == values


@pytest.mark.parametrize("value", ["soon", 0, -1, "inf", "nan", [], "1e999"])
@pytest.mark.parametrize("key", ["read_timeout", "connect_timeout"])
def test_a_timeout_that_is_none(key: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "http://h", extra={key: value})
    ok, said = DocConvHook.for_connection("docs").test_connection()
    assert not ok
    assert f"{key} of the connection 'docs' must be a number of seconds" in said


@pytest.mark.parametrize("value", ["many", 0, -1, "inf", "nan", [], "1e999", 10_001])
@pytest.mark.parametrize("key", ["max_concurrent_calls", "max_calls_per_second"])
def test_a_limit_that_is_none(key: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by_test(monkeypatch, "http://h", extra={key: value})
    assert f"{key} of the connection 'docs' must be a number of calls" in said


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"rate_limit_url": "redis://:the-password@host"}, "has rate_limit_url, but no max_calls_per_second"),
        ({"rate_limit_url": "//:the-password@host", "max_calls_per_second": 5}, "is not the address of a Redis or"),
    ],
)
def test_a_server_of_the_rate_limit_that_is_none(
    extra: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_by_test(monkeypatch, "http://h", extra=extra)
    assert words in said
    assert "the-password" not in said


@pytest.mark.parametrize(
    ("misspelt", "field"),
    [("max_concurent_calls", "max_concurrent_calls"), ("readtimeout", "read_timeout"), ("authurl", "auth_url")],
)
def test_a_misspelt_field_is_named(misspelt: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by_test(monkeypatch, "http://h", extra={misspelt: 5})
    assert f"the extra of the connection 'docs' has an unknown field {misspelt!r}; call it {field!r}" in said
    settings = Connection(conn_id="c", conn_type="aspose_slides", login=" i\n", password="s ", extra='{"team": "x"}')
    assert (read_settings(settings).login, read_settings(settings).password) == ("i", "s")


def test_no_fractions_of_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by_test(monkeypatch, "http://h", extra={"max_concurrent_calls": 1.5})
    assert "max_concurrent_calls of the connection 'docs' must be a whole number, not 1.5" in said


def test_a_connection_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidOptions, match="'http': expected a conversion service; set its type to"):
        DocConvHook.for_connection(connect(monkeypatch, "http://h", "http"))


def said_by_test(monkeypatch: pytest.MonkeyPatch, url: str, **fields: Any) -> str:
    ok, said = DocConvHook.for_connection(connect(monkeypatch, url, **fields)).test_connection()
    assert not ok
    assert SECRET not in said
    assert "\n" not in said
    assert said.endswith(".")
    return said


def test_a_good_connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for conn_type in HOOKS:
        connect(monkeypatch, sandbox.url, conn_type, login=sandbox.client_id, password=sandbox.client_secret)
        ok, said = DocConvHook.for_connection("docs").test_connection()
        assert (ok, sandbox.url in said) == (True, True)


def test_a_test_logs_in_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(own_error("aspose_slides", 404), 404)) as server:
        hook = DocConvHook.for_connection(connect(monkeypatch, server.url))
        assert hook.test_connection()[0]
        assert hook.test_connection()[0]
        assert len(server.logins) == 2


def test_a_bad_secret(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by_test(monkeypatch, sandbox.url, password=SECRET + "bad")
    assert "refused the client id and secret" in said
    assert "check login (client id) and password (client secret)" in said


@pytest.mark.parametrize("missing", [{"login": None}, {"password": ""}])
def test_no_credentials(missing: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no client id or client secret" in said_by_test(monkeypatch, "http://h", **missing)


def test_an_unreachable_host(monkeypatch: pytest.MonkeyPatch) -> None:
    url = dead_url()
    said = said_by_test(monkeypatch, url)
    assert f"Aspose.Slides Cloud at {url} can't be reached (Connection refused)" in said


@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(HTML, 404), Answer({"detail": "Not Found"}, 404)])
def test_a_host_without_asynchronous_calls(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(answer) as server:
        said = said_by_test(monkeypatch, server.url)
    assert "Aspose.Slides Cloud has no such API at this address" in said
    assert "no asynchronous calls, as the container that the vendor offers" in said


def test_a_host_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile() as server:
        said = said_by_test(monkeypatch, server.url.replace("http:", "https:"))
    assert "does not speak TLS" in said
    assert "http://" in said


def test_a_page_instead_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(logins=[Answer(HTML)]) as server:
        said = said_by_test(monkeypatch, server.url)
    assert "an HTML page instead of an access token" in said
    assert "check host and auth_url of connection" in said


@pytest.mark.parametrize(("host", "extra"), [("http://a b:x", {}), ("http://h", {"auth_url": "nonsense://x"})])
def test_an_address_that_is_none(host: str, extra: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not a valid address" in said_by_test(monkeypatch, host, extra=extra)


@pytest.mark.parametrize("extra", ["nonsense", "[1]", '"text"'])
def test_an_extra_that_is_none(extra: str) -> None:
    connection = Connection(conn_id="c", conn_type="aspose_slides", login="i", password="s", extra=extra)
    with pytest.raises(InvalidOptions, match="extra of the connection 'c' is not a JSON object"):
        read_settings(connection)


def test_a_task_and_its_neighbours_share_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer({"status": "Started"})) as server:
        connect(monkeypatch, server.url)
        for _ in range(3):
            DocConvHook.for_connection("docs").get_operation("op-1")
        assert len(server.logins) == 1
