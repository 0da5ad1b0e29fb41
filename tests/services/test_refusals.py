"""What a reply with an error status becomes, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_docconv.services import errors
from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.http import path_segment, require_success
from tests.support.flows import OPERATION, document, play, reply

SAID: list[tuple[Any, str]] = [
    ({"error": "invalid_client"}, "invalid_client"),
    ({"error": "invalid_client", "error_description": "No such client."}, "No such client."),
    ({"message": "Flat."}, "Flat."),
    ({"Message": "Pascal."}, "Pascal."),
    ({"requestId": "1", "error": {"code": "c", "message": "M.", "description": "D.", "dateTime": "x"}}, "M."),
    ({"error": {"code": "c", "message": "", "description": "D."}}, "D."),
    ({"error": {"innerError": {"message": "too deep to look for"}}}, "HTTP 400"),
    ({"type": "t", "title": "Title.", "status": 400, "detail": "Detail."}, "Detail."),
    ({"title": "Title.", "status": 400}, "Title."),
    ({"error": {"messages": ["One.", "Two."], "warnings": []}}, "One.; Two."),
    ({"errors": [{"code": "errorAmazonS3Storage", "message": "Full."}]}, "Full."),
    ({"code": 7}, "HTTP 400"),
    ("Just a string.", "Just a string."),
    (17, "HTTP 400"),
    ([], "HTTP 400"),
    (b"<html><head><title>\n Gateway </title></head>", "Gateway"),
    (b"plain text", "plain text"),
    (b'{"message": "cut', '{"message": "cut'),
    (b"\xff\xfe", "\ufffd\ufffd"),
    (b"[" * 100_000, "[" * 299 + "…"),
    (b"line one\r\nline\x1b[31m two", "line one line [31m two"),
]


@pytest.mark.parametrize(("body", "said"), SAID, ids=repr)
def test_error_bodies_of_all_shapes(body: Any, said: str) -> None:
    with pytest.raises(errors.DocumentRejected) as raised:
        require_success(reply(body, 400), "X")
    assert raised.value.service_message == said
    assert f'saying "{said}"' in str(raised.value)
    assert "\n" not in str(raised.value)


STATUSES = {
    301: errors.ServiceUnavailable,
    302: errors.ServiceUnavailable,
    400: errors.RefusedByService,
    401: errors.AuthenticationFailed,
    402: errors.AccessDenied,
    403: errors.AccessDenied,
    404: errors.RefusedByService,
    408: errors.ServiceUnavailable,
    413: errors.RefusedByService,
    415: errors.RefusedByService,
    429: errors.ServiceUnavailable,
    503: errors.ServiceUnavailable,
}


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_what_a_refused_start_means(name: str, status: int, kind: type[errors.DocConvError]) -> None:
    with pytest.raises(kind) as raised:
        play(start(name), reply({"message": "Because."}, status))
    assert type(raised.value) is kind
    assert SERVICES[name].label in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("status", [500, 502, 504, 520, 522, 524])
def test_a_service_that_breaks_down_over_a_start_may_have_begun(name: str, status: int) -> None:
    with pytest.raises(errors.StartReplyLost, match=f"HTTP {status}"):
        play(start(name), reply(b"<html><title>Bad gateway</title>", status))


def start(name: str) -> Any:
    source = document(b"AT&TFORM", "scan.djvu")
    return SERVICES[name].create().start(source, "pdf", {})


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_returned(status: int) -> None:
    assert require_success(reply(b"x", status), "X").status == status


def test_a_missing_operation_is_named() -> None:
    with pytest.raises(errors.OperationNotFound, match=OPERATION):
        require_success(reply(b"", 404), "X", OPERATION)


@pytest.mark.parametrize("status", [204, 200, 404])
def test_cancelling_what_is_gone_is_no_error(status: int) -> None:
    assert play(SERVICES["aspose_ocr"].create().cancel(OPERATION), reply(b"", status))[1] is True


@pytest.mark.parametrize("name", ["aspose_slides", "groupdocs_conversion"])
def test_services_that_can_not_cancel_say_so_without_a_request(name: str) -> None:
    assert play(SERVICES[name].create().cancel(OPERATION)) == ([], False)


@pytest.mark.parametrize(
    ("text", "segment"),
    [("a/b", "a%2Fb"), ("../x", "..%2Fx"), ("a?b#c%", "a%3Fb%23c%25"), ("é", "%C3%A9"), ("a b", "a%20b")],
)
def test_nothing_from_outside_leaves_its_segment(text: str, segment: str) -> None:
    assert path_segment(text) == segment


@pytest.mark.parametrize("text", [".", "..", "\ud800"])
def test_what_is_no_segment(text: str) -> None:
    with pytest.raises(errors.UnexpectedReply):
        path_segment(text)
