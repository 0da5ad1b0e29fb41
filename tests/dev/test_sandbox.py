"""The sandbox as a process, its certificate, and our own clients against its engine ``echo``."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client, shared_client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import StartReplyLost, TLSFailed
from airflow_provider_docconv.services.operations import OperationState
from dev.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from docconv_sandbox import expected_result

DECK = b"PK\x03\x04 a deck, or near enough"
SCAN = b"AT&TFORM\0\0\0\0DJVU a scan, or near enough"
DOCUMENTS = {"aspose_slides": DECK, "groupdocs_conversion": DECK, "aspose_ocr": SCAN}


@contextmanager
def echoing(folder: Path, *options: str, tls: Path | None = None) -> Iterator[Sandbox]:
    with Sandbox(folder / "sandbox.log", "--engine", "echo", *options, tls=tls) as echo:
        echo.wait_until_healthy()
        yield echo


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Sandbox]:
    with echoing(tmp_path, tls=tmp_path / "tls") as running:
        yield running


class Environment:
    """Where Airflow finds connections, too; it takes them as a running Airflow does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def connect(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": conn_type, **fields}))


def settings(echo: Sandbox, service: str = "aspose_slides") -> Settings:
    verify = str(echo.authority) if echo.authority else True
    return Settings(service, CLIENT_ID, CLIENT_SECRET, host=echo.url, verify=verify)


def document(content: bytes = DECK) -> Document:
    return Document("document", lambda: io.BytesIO(content), len(content))


def start(client: Client, content: bytes = DECK) -> str:
    return client.run(client.service.start(document(content), "pdf", {})).operation_id


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("conn_type", DOCUMENTS)
def test_a_hook_converts_over_the_connection_that_is_made(
    conn_type: str, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with echoing(tmp_path, "--result-bytes", "300000", tls=tmp_path / "tls" if tls else None) as echo:
        echo.connect(Environment(monkeypatch), "mine", conn_type)  # type: ignore[arg-type]  # its connect() is enough
        hook = DocConvHook.for_connection("mine")
        id = hook.start(document(DOCUMENTS[conn_type]), "pdf").operation_id
        assert hook.get_operation(id).state is OperationState.SUCCEEDED
        (file,) = hook.get_results(id)
        with hook.open_result(file) as (_, pieces):
            assert b"".join(pieces) == expected_result(sha256(DOCUMENTS[conn_type]), 300_000)
        source = echo.stats()["sources"][sha256(DOCUMENTS[conn_type])]
        assert [source[key] for key in ("starts", "created", "duplicates", "results")] == [1, 1, 0, 1]


def test_the_asynchronous_client_converts_and_cancels(tmp_path: Path) -> None:
    async def convert_and_cancel(echo: Sandbox) -> list[OperationState]:
        async with shared_async_client(settings(echo, "aspose_ocr")) as client:
            id = (await client.run(client.service.start(document(SCAN), "pdf", {}))).operation_id
            before = (await client.run(client.service.status(id))).state
            assert await client.run(client.service.cancel(id))
            return [before, (await client.run(client.service.status(id))).state]

    with echoing(tmp_path, "--seconds", "3600") as echo:
        states = asyncio.run(convert_and_cancel(echo))
        assert states == [OperationState.RUNNING, OperationState.NOT_FOUND]
        source = echo.stats()["sources"][sha256(SCAN)]
        assert [source[key] for key in ("created", "canceled", "polls")] == [1, 1, 2]


def test_our_client_notices_a_lost_reply(echo: Sandbox) -> None:
    echo.lose_next_start(source_sha256=sha256(DECK))
    client = shared_client(settings(echo))
    with pytest.raises(StartReplyLost):
        start(client)
    assert echo.stats()["totals"]["lost"] == 1


def test_a_large_document_is_taken_in_constant_memory(tmp_path: Path) -> None:
    content = SCAN + bytes(range(256)) * (1 << 18)
    with echoing(tmp_path) as echo:
        client = shared_client(settings(echo, "aspose_ocr"))
        start(client, SCAN)
        before = peak_memory(echo)
        start(client, content)
        assert len(content) > 1 << 26
        assert sha256(content) in echo.stats()["sources"]
        assert peak_memory(echo) - before < 1 << 24


def peak_memory(echo: Sandbox) -> int:
    lines = Path(f"/proc/{echo.process.pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) << 10


def test_who_is_not_given_the_authority_trusts_nothing(echo: Sandbox) -> None:
    client = shared_client(Settings("aspose_slides", CLIENT_ID, CLIENT_SECRET, host=echo.url))
    with pytest.raises(TLSFailed):
        client.run(client.service.status("x"))
    assert echo.stats()["logins_ok"] == 0


def test_strict_clients_trust_the_certificate(echo: Sandbox) -> None:
    context = ssl.create_default_context(cafile=echo.authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    with context.wrap_socket(ssl.socket(), server_hostname="127.0.0.1") as connection:
        connection.connect(("127.0.0.1", echo.port))
        assert connection.version() == "TLSv1.3"


def test_it_can_be_started_anew_with_the_same_certificate(echo: Sandbox) -> None:
    start(shared_client(settings(echo)))
    assert echo.authority
    before = echo.authority.read_bytes()
    echo.process.kill()
    echo.start()
    echo.wait_until_healthy()
    assert echo.stats()["totals"]["created"] == 0
    start(shared_client(settings(echo)))
    assert echo.authority.read_bytes() == before


def test_the_key_is_for_its_owner_only(echo: Sandbox) -> None:
    assert echo.authority
    assert b"PRIVATE" not in echo.authority.read_bytes()
    (key,) = (file for file in echo.authority.parent.iterdir() if b"PRIVATE" in file.read_bytes())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
