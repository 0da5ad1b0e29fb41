"""Replies that are not what they should be."""

from __future__ import annotations

import gzip
import traceback
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.services.errors import (
    AuthenticationFailed,
    DocConvError,
    LoginUnavailable,
    ServiceUnavailable,
    StartReplyLost,
    UnexpectedReply,
)
from tests.support.clients import EitherClient, MakeClient, settings_for
from tests.support.flows import document
from tests.support.hostile import HTML, Answer, Hostile

RUNNING = Answer({"status": "Started"})
PAGE = r"an HTML page instead of JSON, saying \"Sign in to the company proxy\""


def start(client: EitherClient) -> str:
    return client.run(client.service.start(document(b"AT&TFORM", "scan.djvu"), "pdf", {})).operation_id


@pytest.mark.parametrize("service", ["aspose_slides", "groupdocs_conversion", "aspose_ocr"])
def test_html_where_json_was_due(make_client: MakeClient, service: str) -> None:
    with Hostile(Answer(HTML)) as server, pytest.raises(UnexpectedReply, match=PAGE):
        make_client(server.url, service).status()


def test_html_where_a_token_was_due(make_client: MakeClient) -> None:
    with (
        Hostile(RUNNING, logins=[Answer(HTML)]) as server,
        pytest.raises(LoginUnavailable, match="an HTML page instead of an access"),
    ):
        make_client(server.url).status()


def test_html_where_an_operation_id_was_due(make_client: MakeClient) -> None:
    with Hostile(Answer(HTML)) as server:
        with pytest.raises(StartReplyLost, match="an HTML page instead of an operation id"):
            start(make_client(server.url))
        assert len(server.calls) == 1


TOO_LONG = {
    "announced": Answer(b'"' + b"x" * (9 << 20)),
    "not announced": Answer(b'"' + b"x" * (9 << 20), length=-1),
}
BOMB = Answer(gzip.compress(bytes(64 << 20)), headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("answer", TOO_LONG.values(), ids=list(TOO_LONG))
def test_a_reply_is_not_read_for_ever(make_client: MakeClient, answer: Answer) -> None:
    with Hostile(answer) as server:
        with pytest.raises(UnexpectedReply, match="more than 8 MiB"):
            make_client(server.url).status()
        assert len(server.calls) == 1


def test_a_compressed_reply_is_not_read_for_ever_either(make_client: MakeClient) -> None:
    # Some releases of aiohttp stop by themselves, which looks like a reply that was broken off.
    with Hostile(BOMB) as server, pytest.raises((UnexpectedReply, ServiceUnavailable)):
        make_client(server.url).status()


@pytest.mark.parametrize("answer", [Answer(bytes(1000), headers={"Content-Encoding": "gzip"})], ids=["no gzip"])
def test_a_body_that_can_not_be_decoded_is_a_lost_reply(make_client: MakeClient, answer: Answer) -> None:
    with Hostile(answer) as server:
        with pytest.raises(StartReplyLost):
            start(make_client(server.url))
        assert len(server.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("what", ["status", "start", "login"])
def test_redirects_are_not_followed_and_the_token_stays_here(make_client: MakeClient, status: int, what: str) -> None:
    with Hostile(RUNNING) as other:
        away = Answer(b"", status, {"Location": f"{other.url}/v3.0/slides/async/op-1"})
        with Hostile(away, logins=[away] if what == "login" else []) as server:
            client = make_client(server.url)
            with pytest.raises(ServiceUnavailable, match="redirected the request"):
                start(client) if what == "start" else client.status()
            assert len(server.logins if what == "login" else server.calls) == 1
        assert other.seen == []


def test_a_netrc_does_not_replace_the_token(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Hostile(RUNNING) as server:
        make_client(server.url).status()
    [login], [call] = server.logins, server.calls
    assert call.headers["authorization"] == "Bearer token-1"
    assert "authorization" not in login.headers


def test_a_proxy_is_used_where_the_environment_names_one(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(RUNNING) as proxy, Hostile(RUNNING) as direct:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        # The hostile server does not tell proxied logins, which name the whole address, from other calls.
        with pytest.raises(LoginUnavailable, match="instead of an access token"):
            make_client("http://service.example").status()
        make_client(direct.url).status()
    assert [seen.target for seen in proxy.seen] == ["http://service.example/connect/token"]
    assert len(direct.seen) == 2


@pytest.mark.parametrize("service", ["aspose_slides", "groupdocs_conversion"])
def test_both_clients_send_the_same_bytes(make_client: MakeClient, service: str) -> None:
    odd = "a/b?c#d%2F é&=+;~'(*)"
    with Hostile(RUNNING) as server:
        client = make_client(server.url, service)
        client.run(client.service.status(odd))
        [call] = server.calls
    if service == "aspose_slides":
        assert call.target == "/v3.0/slides/async/a%2Fb%3Fc%23d%252F%20%C3%A9%26%3D%2B%3B~%27%28%2A%29"
    else:
        assert parse_qs(urlsplit(call.target).query) == {"id": [odd]}
    assert call.headers["user-agent"].startswith("airflow-provider-docconv/")


@pytest.mark.parametrize("header", [{"Set-Cookie": "a=b; Path=/"}, {"X-Long": "x" * 5000}])
def test_harmless_headers(make_client: MakeClient, header: dict[str, str]) -> None:
    with Hostile(Answer({"status": "Started"}, headers=header)) as server:
        client = make_client(server.url)
        assert client.status().vendor_status == client.status().vendor_status == "Started"


ECHOES = {
    "json error": lambda text: Answer({"error": {"message": f"You sent {text}."}}, 400),
    "denied": lambda text: Answer({"message": f"You sent {text}."}, 403),
    "unauthorized": lambda text: Answer({"message": f"You sent {text}."}, 401),
    "unavailable": lambda text: Answer({"message": f"You sent {text}."}, 503),
    "page": lambda text: Answer(f"<html><title>{text}</title></html>".encode(), 200),
    "text": lambda text: Answer(text.encode(), 500),
    "encoded": lambda text: Answer(f"x={quote_plus(text)}".encode(), 400),
    "cut in the middle": lambda text: Answer({"message": "x" * 280 + text}, 400),
    "redirect": lambda text: Answer(text.encode(), 302, {"Location": f"http://x/{text}"}),
    "retry": lambda text: Answer(b"", 429, {"Retry-After": text}),
}


def everything(error: BaseException) -> str:
    """Return all that a log could show of an error."""
    shown = "".join(traceback.format_exception(error))
    chain: BaseException | None = error
    while chain:
        shown += f"{chain!r}{chain}{chain.args}{vars(chain)}"
        chain = chain.__cause__ or chain.__context__
    return shown


@pytest.mark.parametrize("echo", ECHOES.values(), ids=list(ECHOES))
@pytest.mark.parametrize("what", ["status", "start", "login"])
def test_no_secret_is_shown_even_if_the_service_repeats_it(make_client: MakeClient, echo: object, what: str) -> None:
    token = "eyJhbGciOi" + "tokenpart" * 50

    def login(_: object) -> Answer:
        return Answer({"access_token": token, "expires_in": 3600})

    with Hostile(answer=login) as tokens:
        settings = settings_for("")
        secret = settings.password
        sent = secret if what == "login" else token
        logins = [echo(sent)]
        with Hostile(echo(sent), logins=logins) as server:
            values = {} if what == "login" else {"auth_url": f"{tokens.url}/x"}
            client = make_client(server.url, **values)
            with pytest.raises(DocConvError) as raised:
                start(client) if what == "start" else client.status()
    shown = everything(raised.value)
    # Nor a part of it that is left when a text is cut to length.
    assert not any(part in shown for part in (secret, quote_plus(secret), secret[:14], "tokenpart"))
    assert not isinstance(raised.value, AuthenticationFailed) or raised.value.remedy


def test_an_operation_that_repeats_the_token_does_not_show_it(make_client: MakeClient) -> None:
    with Hostile(Answer({"status": "Failed", "error": {"message": "No right for token-1 here."}})) as server:
        assert make_client(server.url).status().message == "No right for *** here."


def test_nothing_shows_the_secret() -> None:
    settings = settings_for("http://x")
    assert settings.password not in repr(settings)
    assert settings.password not in repr(vars(Client(settings)))
