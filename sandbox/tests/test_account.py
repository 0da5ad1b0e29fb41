"""The account of what was asked, the connections that asked it, and TLS."""

from __future__ import annotations

import http.client
import ipaddress
import select
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from docconv_sandbox import Sandbox, Settings
from docconv_sandbox.account import Account, Entry
from tests.client import Client
from tests.documents import DECK, NEAR_SCAN, sha256
from tests.patience import PATIENCE, wait_until

CONVERT = "/v3.0/slides/async/convert/pdf"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(engine="echo") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest) -> Path | None:
    return request.getfixturevalue("certificate") if request.param == "https" else None


def open_socket(sandbox: Sandbox, tls: Path | None = None) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=PATIENCE)
    if not tls:
        return plain
    return ssl.create_default_context(cafile=tls).wrap_socket(plain, server_hostname="127.0.0.1")


def token(sandbox: Sandbox, tls: Path | None = None) -> str:
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}
    url = f"{sandbox.url}/connect/token"
    answer = requests.post(url, data=form, verify=str(tls) if tls else True, timeout=PATIENCE)
    return f"Bearer {answer.json()['access_token']}"


def request_of(authorization: str, length: int = len(DECK)) -> bytes:
    lines = (f"POST {CONVERT} HTTP/1.1", "Host: x", f"Authorization: {authorization}", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode() + DECK


def when_silent(sandbox: Sandbox) -> dict[str, Any]:
    def silent() -> bool:
        stats = sandbox.stats()
        return stats["calls"]["start"] > 0 and stats["connections"]["open"] == 0

    wait_until(silent)
    return sandbox.stats()


# Under TLS a client that closes just before the reply counts as one that has heard it: so only after a pause.
@pytest.mark.parametrize(("secure", "latency"), [(False, 0.0), (False, 0.3), (True, 0.3)])
def test_a_client_that_is_gone_has_lost_the_reply(secure: bool, latency: float, certificate: Path) -> None:
    tls = certificate if secure else None
    with Sandbox(engine="echo", latency=latency, tls_certificate=tls) as sandbox:
        request = request_of(token(sandbox, tls))
        with open_socket(sandbox, tls) as connection:
            connection.sendall(request)
        totals = when_silent(sandbox)["totals"]
        assert (totals["created"], totals["lost"], totals["lost_by_client"]) == (1, 1, 1)


def test_a_client_that_ends_with_the_reply_unread_has_lost_it(tls: Path | None) -> None:
    with Sandbox(engine="echo", tls_certificate=tls) as sandbox:
        request = request_of(token(sandbox, tls))
        with open_socket(sandbox, tls) as connection:
            connection.sendall(request)
            select.select([connection], [], [], PATIENCE)
        assert when_silent(sandbox)["totals"]["lost_by_client"] == 1


def test_a_client_that_reads_the_reply_has_heard_it(tls: Path | None) -> None:
    with Sandbox(engine="echo", tls_certificate=tls) as sandbox:
        request = request_of(token(sandbox, tls))
        with open_socket(sandbox, tls) as connection:
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 201")
        totals = when_silent(sandbox)["totals"]
        assert (totals["created"], totals["lost"]) == (1, 0)


def test_a_start_that_never_comes_whole_creates_nothing(sandbox: Sandbox) -> None:
    request = request_of(token(sandbox), len(DECK) + 1)
    with open_socket(sandbox) as connection:
        connection.sendall(request)
    stats = when_silent(sandbox)
    assert (stats["calls"]["start"], stats["incomplete"], stats["totals"]["created"]) == (1, 1, 0)


def test_who_does_not_know_the_certificate_trusts_nothing(certificate: Path) -> None:
    with Sandbox(engine="echo", tls_certificate=certificate) as sandbox:
        assert sandbox.url.startswith("https://")
        with pytest.raises(requests.exceptions.SSLError):
            token(sandbox)
        assert token(sandbox, certificate)
    with pytest.raises(ValueError, match="needs its certificate"):
        Settings(tls_key=certificate)


def test_connections_and_polls_are_counted(sandbox: Sandbox) -> None:
    headers = {"Authorization": token(sandbox)}
    wait_until(lambda: sandbox.stats()["connections"]["open"] == 0)
    address = sandbox.url.removeprefix("http://")
    connections = [http.client.HTTPConnection(address, timeout=PATIENCE) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.request("POST", CONVERT, DECK + bytes([number]), headers)
        id = connection.getresponse().read().decode()
        for _ in range(number):
            connection.request("GET", f"/v3.0/slides/async/{id}", headers=headers)
            connection.getresponse().read()
    stats = sandbox.stats()
    for connection in connections:
        connection.close()
    assert stats["connections"] == {"open": 3, "opened": 4, "peak": 3}
    assert stats["polls"] == {"total": 3, "median": 1, "p90": 2, "max": 2}
    assert [source["polls"] for source in stats["sources"].values()] == [0, 1, 2]
    assert stats["calls"] == {
        **dict.fromkeys(("result", "cancel", "storage", "other"), 0),
        **{"login": 1, "start": 3, "status": 3},
    }
    without = sandbox.stats(details=False)
    assert (without["sources"], without["operations"]) == ({}, [])


def test_an_end_is_noticed_by_the_first_status_that_tells_of_it() -> None:
    with Sandbox(engine="echo", seconds=0.5, faults="status=503:0.3", seed=5) as sandbox:
        client = Client(sandbox)
        id = client.start_ocr(NEAR_SCAN)
        polls = 0
        while sandbox.stats()["sources"][sha256(NEAR_SCAN)]["noticed_after"] == []:
            answer = client("GET", "/v5.0/ocr/Utilities/GetTaskStatus", params={"id": id})
            polls += 1
        assert answer.json()["taskStatus"] == "Completed"
        client("GET", "/v5.0/ocr/Utilities/GetTaskStatus", params={"id": id})
        source = sandbox.stats()["sources"][sha256(NEAR_SCAN)]
        assert source["polls"] == polls + 1
        assert len(source["noticed_after"]) == 1
        assert source["noticed_after"][0] >= 0


def test_each_service_knows_its_own_operations_only(sandbox: Sandbox) -> None:
    client = Client(sandbox)
    id = client.start_slides(DECK)
    assert client.ocr_status(id)["taskStatus"] == "NotExist"
    assert client("DELETE", "/v5.0/ocr/DjVu2PDF", params={"id": id}).status_code == 200
    source = sandbox.stats()["sources"][sha256(DECK)]
    assert [source[key] for key in ("polls", "canceled")] == [0, 0]


def test_a_duplicate_is_a_start_after_one_that_was_heard() -> None:
    account = Account()
    for number, lost in enumerate(("fault", None, "client", None)):
        account.created(str(number), Entry("slides", b"\0", "pdf", lost=lost))
    account.created("other target", Entry("slides", b"\0", "png"))
    account.created("other service", Entry("groupdocs", b"\0", "pdf"))
    source = account.to_json(details=True)["sources"]["00"]
    assert [source[key] for key in ("created", "lost", "duplicates")] == [6, 2, 2]
