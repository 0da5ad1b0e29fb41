"""Certificates: verified, or the call fails and says how to mend it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.services.errors import TLSFailed
from tests.support.clients import MakeClient, settings_for
from tests.support.hostile import Answer, Hostile

RUNNING = Answer({"status": "Started"})


def certificate(folder: Path, *, days: int = 1) -> Path:
    """Make a self-signed certificate for 127.0.0.1 with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def serving(file: Path) -> Hostile:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Hostile(RUNNING, tls=context)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def server(authority: Path) -> Iterator[Hostile]:
    with serving(authority) as running:
        yield running


def test_an_unknown_certificate_is_refused_before_the_secret_is_sent(make_client: MakeClient, server: Hostile) -> None:
    with pytest.raises(TLSFailed, match=r"Aspose\.Slides Cloud at https://127.* not be verified \(.*self") as raised:
        make_client(server.url).status()
    assert "'verify'" in str(raised.value)
    assert "clock" in str(raised.value)
    assert server.seen == []


def test_an_expired_certificate_is_refused(make_client: MakeClient, tmp_path: Path) -> None:
    file = certificate(tmp_path, days=-1)
    with serving(file) as server, pytest.raises(TLSFailed, match="expired"):
        make_client(server.url, verify=str(file)).status()


def test_a_certificate_for_another_name_is_refused(make_client: MakeClient, server: Hostile, authority: Path) -> None:
    with pytest.raises(TLSFailed, match="localhost"):
        make_client(server.url.replace("127.0.0.1", "localhost"), verify=str(authority)).status()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("verify", ["file", False])
def test_what_verify_allows(make_client: MakeClient, server: Hostile, authority: Path, verify: str | bool) -> None:
    client = make_client(server.url, verify=str(authority) if verify == "file" else verify)
    assert client.status().vendor_status == "Started"


def test_the_environment_does_not_override_the_connection(
    server: Hostile, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate(other)))
    client = Client(settings_for(server.url, verify=str(authority)))
    assert client.run(client.service.status("op-1")).vendor_status == "Started"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_no_use(
    make_client: MakeClient, server: Hostile, content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TLSFailed):
        make_client(server.url, verify=str(file)).status()


def test_https_to_a_plain_server(make_client: MakeClient) -> None:
    with Hostile(RUNNING) as plain, pytest.raises(TLSFailed, match=r"at https://127\S* does not speak TLS") as raised:
        make_client(plain.url.replace("http://", "https://")).status()
    assert "write http:// before the host" in str(raised.value)


def test_both_clients_trust_the_authorities_of_the_environment(
    make_client: MakeClient, server: Hostile, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    assert make_client(server.url).status().vendor_status == "Started"


def test_connections_share_the_context_of_a_file_until_it_is_replaced(authority: Path) -> None:
    one, other = (settings_for(f"https://{host}", verify=str(authority)) for host in ("one.test", "other.test"))
    context = one.tls_context()
    assert other.tls_context() is context
    os.utime(authority, ns=(0, 0))
    assert one.tls_context() is not context


def test_each_caller_gets_an_error_of_its_own_about_an_unreadable_file(tmp_path: Path) -> None:
    settings = settings_for("https://one.test", verify=str(tmp_path / "missing.pem"))

    async def enter() -> object:
        try:
            async with shared_async_client(settings):
                return None
        except TLSFailed as error:
            return error

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(enter() for _ in range(3)))

    errors = asyncio.run(all_of_them())
    assert {type(error) for error in errors} == {TLSFailed}
    assert len({id(error) for error in errors}) == 3


def test_a_cancelled_caller_does_not_stop_the_others(server: Hostile, authority: Path) -> None:
    settings = settings_for(server.url, verify=str(authority))

    async def ask() -> str:
        async with shared_async_client(settings) as client:
            return (await client.run(client.service.status("op-1"))).vendor_status

    async def first_gives_up() -> str:
        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(first_gives_up()) == "Started"
