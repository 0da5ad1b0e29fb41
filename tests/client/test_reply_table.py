"""What a reply means, through both clients and real sockets, for all services."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_docconv.services import errors
from airflow_provider_docconv.services.operations import OperationState
from tests.support.clients import EitherClient, MakeClient
from tests.support.flows import document
from tests.support.hostile import HTML, Answer, Hostile, token
from tests.support.replies import VENDORS, own_error

GATEWAY = {"message": "no Route matched with those values"}


def start(client: EitherClient) -> Any:
    return client.run(client.service.start(document(b"AT&TFORM", "scan.djvu"), "pdf", {}))


def error_of(call: Any) -> errors.DocConvError:
    with pytest.raises(errors.DocConvError) as raised:
        call()
    return raised.value


LOGINS: list[tuple[Answer, type[errors.DocConvError], int]] = [
    (Answer({"error": "invalid_client"}, 400), errors.AuthenticationFailed, 1),
    (Answer({"error": "invalid_client"}, 401), errors.AuthenticationFailed, 1),
    (Answer(b"", 429, {"Retry-After": "600"}), errors.AuthenticationFailed, 1),
    (Answer(GATEWAY, 404), errors.LoginUnavailable, 1),
    (Answer(b"404 page not found", 404), errors.LoginUnavailable, 1),
    (Answer(b"Proxy Authentication Required", 407), errors.LoginUnavailable, 1),
    (Answer(HTML, 400), errors.LoginUnavailable, 1),
    (Answer(HTML), errors.LoginUnavailable, 1),
    (Answer(b"", 502), errors.LoginUnavailable, 4),
]


@pytest.mark.parametrize(("answer", "kind", "count"), LOGINS)
def test_what_a_login_means(make_client: MakeClient, answer: Answer, kind: type, count: int) -> None:
    with Hostile(Answer(b"op-1", 201), logins=[answer]) as server:
        error = error_of(lambda: start(make_client(server.url, conn_id="docs")))
        assert type(error) is kind
        assert (len(server.logins), len(server.calls)) == (count, 0)
    if kind is errors.LoginUnavailable:
        assert "check host and auth_url of connection 'docs'" in str(error)


def own(status: int) -> Any:
    return lambda service: Answer(own_error(service, status), status)


def foreign(status: int, body: Any = GATEWAY) -> Any:
    return lambda _: Answer(body, status)


STARTS: list[tuple[Any, type[errors.DocConvError], int]] = [
    (own(400), errors.RefusedByService, 1),
    (own(404), errors.RefusedByService, 1),
    (own(422), errors.RefusedByService, 1),
    (own(401), errors.AuthenticationFailed, 2),
    (own(403), errors.AccessDenied, 1),
    (own(429), errors.ServiceUnavailable, 4),
    (own(500), errors.StartReplyLost, 1),
    (foreign(503, HTML), errors.ServiceUnavailable, 4),
    (foreign(502, HTML), errors.StartReplyLost, 1),
    (foreign(200, HTML), errors.StartReplyLost, 1),
    (foreign(404), errors.ServiceNotFound, 1),
    (foreign(405, b""), errors.ServiceNotFound, 1),
    (foreign(421, b""), errors.ServiceNotFound, 1),
    (foreign(403, HTML), errors.UnexpectedReply, 1),
    (foreign(407, b"Proxy Authentication Required"), errors.UnexpectedReply, 1),
    (foreign(400, HTML), errors.UnexpectedReply, 1),
    (foreign(302, b""), errors.ServiceUnavailable, 1),
]


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize(("answer", "kind", "count"), STARTS)
def test_what_the_reply_to_a_start_means(
    make_client: MakeClient, service: str, answer: Any, kind: type, count: int
) -> None:
    with Hostile(answer(service)) as server:
        error = error_of(lambda: start(make_client(server.url, service, conn_id="docs")))
        assert type(error) is kind
        assert len(server.calls) == count
    if kind is errors.ServiceNotFound:
        assert "check the host of connection 'docs'" in str(error)


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize("first", [own(401), foreign(429, b""), foreign(503, b"")])
def test_a_start_is_sent_again_when_it_surely_has_not_begun(make_client: MakeClient, service: str, first: Any) -> None:
    with Hostile(first(service), Answer(b"op-1", 201), logins=[token(1), token(2)]) as server:
        assert start(make_client(server.url, service)).operation_id == "op-1"
        assert len(server.calls) == 2


POLLS: list[tuple[Any, int]] = [
    *((own(status), 1) for status in (400, 402, 403, 405, 410)),
    *((foreign(status, body), 1) for status in (400, 403, 404, 405, 407, 410, 421) for body in (GATEWAY, HTML, b"no")),
    (foreign(204, b""), 1),
    (foreign(206, b'{"status": "Finished"}'), 1),
    (foreign(401, HTML), 2),
    (foreign(500, b""), 4),
    (foreign(503, HTML), 4),
]


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize(("answer", "count"), POLLS)
def test_a_poll_is_no_verdict_on_the_document(make_client: MakeClient, service: str, answer: Any, count: int) -> None:
    with Hostile(answer(service)) as server:
        error = error_of(make_client(server.url, service).status)
        assert type(error) in (errors.UnexpectedReply, errors.ServiceUnavailable)
        assert error.retryable
        assert len(server.calls) == count


@pytest.mark.parametrize("service", VENDORS)
def test_only_the_service_itself_says_that_it_does_not_know_an_operation(make_client: MakeClient, service: str) -> None:
    with Hostile(own(404)(service)) as server:
        assert make_client(server.url, service).status().state is OperationState.NOT_FOUND
