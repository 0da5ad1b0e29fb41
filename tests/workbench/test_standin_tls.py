"""The stand-in serves HTTPS, with a certificate that only those trust who are given its authority."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import shared_client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import TLSFailed
from airflow_provider_docconv.services.operations import OperationState
from tests.workbench.standin_calls import (
    DECK,
    SCAN,
    ask,
    sha256,
    standing_in,
    start,
    status_of,
    wait_for_silence,
)
from workbench.standin import StandIn, expected_result


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    with standing_in(tmp_path, tls=tmp_path / "tls") as running:
        yield running


class Environment:
    """Where Airflow finds connections, too; it takes them as a running Airflow does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def connect(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": conn_type, **fields}))


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("conn_type", "document"), [("aspose_slides", DECK), ("aspose_ocr", SCAN)])
def test_a_hook_converts_over_the_connection_that_is_made(
    conn_type: str, document: bytes, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standing_in(tmp_path, tls=tmp_path / "tls" if tls else None) as standin:
        standin.connect(Environment(monkeypatch), "mine", conn_type)  # type: ignore[arg-type] # its connect() is enough
        hook = DocConvHook.for_connection("mine")
        assert hook.conn_type == conn_type
        id = hook.start(Document("document", lambda: io.BytesIO(document), len(document)), "pdf")
        assert hook.get_operation(id).state is OperationState.SUCCEEDED
        (file,) = hook.get_results(id)
        with hook.open_result(file) as (_, pieces):
            assert b"".join(pieces) == expected_result(sha256(document), 2048)
        assert hook.cancel(id) is (conn_type == "aspose_ocr")


def test_the_asynchronous_client_starts_and_has_heard_the_reply_when_it_closes(standin: StandIn) -> None:
    async def start_one() -> str:
        settings = Settings("aspose_slides", "id", "secret", host=standin.url, verify=str(standin.authority))
        async with shared_async_client(settings) as client:
            deck = Document("deck.pptx", lambda: io.BytesIO(DECK), len(DECK))
            return await client.run(client.service.start(deck, "pdf", {}))

    id = asyncio.run(start_one())
    operations = wait_for_silence(standin)["operations"]
    assert (operations["created"], operations["lost"]) == (1, 0)
    assert status_of(standin, id)["status"] == "Finished"


def test_who_is_not_given_the_authority_trusts_nothing(standin: StandIn) -> None:
    client = shared_client(Settings("aspose_slides", "id", "secret", host=standin.url))
    with pytest.raises(TLSFailed):
        client.run(client.service.status("x"))
    assert standin.stats()["calls"]["token"] == 0


def test_strict_clients_trust_the_certificate(standin: StandIn) -> None:
    context = ssl.create_default_context(cafile=standin.authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    with context.wrap_socket(ssl.socket(), server_hostname="127.0.0.1") as connection:
        connection.connect(("127.0.0.1", standin.port))
        assert connection.version() == "TLSv1.3"


def test_the_certificate_outlives_the_process(standin: StandIn) -> None:
    assert standin.authority
    before = standin.authority.read_bytes()
    standin.process.kill()
    standin.start()
    standin.wait_until_healthy()
    start(standin)
    assert standin.authority.read_bytes() == before


def test_the_key_is_for_its_owner_only(standin: StandIn) -> None:
    assert standin.authority
    assert b"PRIVATE" not in standin.authority.read_bytes()
    (key,) = (file for file in standin.authority.parent.iterdir() if b"PRIVATE" in file.read_bytes())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_connections_are_counted(standin: StandIn) -> None:
    for _ in range(3):
        start(standin)
    assert wait_for_silence(standin)["connections"] == {"open": 0, "opened": 3, "peak": 1}


def test_a_fault_resets_the_connection(tmp_path: Path) -> None:
    options = ("--faults", "1", "--fault-kinds", "reset")
    with standing_in(tmp_path, *options, tls=tmp_path / "tls") as standin, pytest.raises(ConnectionResetError):
        ask(standin, "POST", "/connect/token", b"")
