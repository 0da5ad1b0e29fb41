"""What a reply means that is not a success: the table of http.py, a test for each cell, for all services."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_docconv.services import errors
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import Handling
from airflow_provider_docconv.services.http import MEANINGS, Call, Form, Vendor, find_meaning, path_segment, read_token
from airflow_provider_docconv.services.operations import OperationState, ResultFile, Started
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import OPERATION, document, play, reply
from tests.support.replies import FOREIGN, VENDORS, own_error

STORING = [name for name, service in VENDORS.items() if service.has_storage]


def start(name: str) -> Any:
    source = document(b"AT&TFORM", "scan.djvu")
    return create_service(VENDORS[name]).start(source, "pdf", {})


def start_remote(name: str) -> Any:
    return create_service(VENDORS[name]).start(RemoteDocument("in/deck.pptx"), "pdf", {})


def status(name: str) -> Any:
    return create_service(VENDORS[name]).status(OPERATION)


def result(name: str, answer: Any) -> errors.DocConvError:
    """Return what the client makes of a reply to a request for a result."""
    return create_service(VENDORS[name]).vendor.error(answer, Call.RESULT, OPERATION)


def raised_by(flow: Any, *answers: Any) -> errors.DocConvError:
    with pytest.raises(errors.DocConvError) as raised:
        play(flow, *answers)
    assert raised.value.remedy
    return raised.value


# --- login ---


def login(body: Any, code: int, headers: dict[str, str] | None = None) -> errors.DocConvError:
    with pytest.raises(errors.DocConvError) as raised:
        read_token(reply(body, code, headers), "X", 0.0)
    return raised.value


@pytest.mark.parametrize("code", [400, 401])
@pytest.mark.parametrize("word", ["invalid_client", "invalid_grant", "unauthorized_client"])
def test_a_login_that_is_refused_in_its_own_form(code: int, word: str) -> None:
    error = login({"error": word}, code)
    assert type(error) is errors.AuthenticationFailed
    assert error.handling is Handling.STOP
    assert word in str(error)


@pytest.mark.parametrize("body", FOREIGN.values(), ids=list(FOREIGN))
@pytest.mark.parametrize("code", [200, 204, 302, 400, 401, 403, 404, 405, 407, 410, 421, 429, 500, 502, 503])
def test_a_login_that_something_else_answers(body: Any, code: int) -> None:
    error = login(body, code)
    assert type(error) is errors.LoginUnavailable
    assert error.handling is Handling.RETRY
    assert error.remedy == "check host and auth_url of the connection"


@pytest.mark.parametrize("code", [403, 404, 500])
def test_other_statuses_say_nothing_of_the_credentials(code: int) -> None:
    assert type(login({"error": "invalid_client"}, code)) is errors.LoginUnavailable


@pytest.mark.parametrize("word", ["Not Found", "Forbidden", "", None, 7, ["invalid_client"]])
def test_what_is_not_an_error_of_a_login(word: Any) -> None:
    assert type(login({"error": word}, 400)) is errors.LoginUnavailable


@pytest.mark.parametrize(("wait", "kind"), [("600", "AuthenticationFailed"), ("60", "LoginUnavailable")])
def test_a_lock_lasts_longer_than_an_overload(wait: str, kind: str) -> None:
    assert type(login(b"", 429, {"retry-after": wait})).__name__ == kind


# --- start ---


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [200, 201])
def test_a_start_with_an_id(name: str, code: int) -> None:
    assert play(start(name), reply(f'"{OPERATION}"'.encode(), code))[1] == Started(OPERATION)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [200, 201, 202, 204])
@pytest.mark.parametrize("body", FOREIGN.values(), ids=list(FOREIGN))
def test_a_start_without_an_id_may_have_begun(name: str, code: int, body: Any) -> None:
    assert type(raised_by(start(name), reply(body, code))) is errors.StartReplyLost


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [500, 502, 504, 520, 522, 524])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_service_that_breaks_down_over_a_start_may_have_begun(name: str, code: int, is_own: bool) -> None:
    body = own_error(name, code) if is_own else b"<html><title>Bad gateway</title>"
    error = raised_by(start(name), reply(body, code))
    assert type(error) is errors.StartReplyLost
    assert f"HTTP {code}" in str(error)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [400, 413, 415, 422])
def test_a_document_that_is_refused(name: str, code: int) -> None:
    error = raised_by(start(name), reply(own_error(name, code), code))
    assert type(error) is errors.RefusedByService
    assert "Because." in str(error)
    assert VENDORS[name].label in str(error)


@pytest.mark.parametrize("name", STORING)
def test_a_remote_document_that_is_not_there(name: str) -> None:
    assert type(raised_by(start_remote(name), reply(own_error(name, 404), 404))) is errors.RefusedByService


@pytest.mark.parametrize("name", VENDORS)
def test_a_fresh_token_that_is_refused(name: str) -> None:
    for answer in (
        reply(own_error(name, 401), 401),
        reply(b"", 401, {"www-authenticate": 'Bearer error="invalid_token"'}),
    ):
        error = raised_by(start(name), answer)
        assert type(error) is errors.AuthenticationFailed
        assert "refused the credentials" in str(error)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [402, 403])
def test_a_quota_or_a_right_that_is_missing(name: str, code: int) -> None:
    error = raised_by(start(name), reply(own_error(name, code), code))
    assert type(error) is errors.AccessDenied
    assert error.handling is Handling.STOP


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_service_that_asks_for_patience(name: str, code: int, is_own: bool) -> None:
    error = raised_by(start(name), reply(own_error(name, code) if is_own else b"", code))
    assert type(error) is errors.ServiceUnavailable


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [404, 405, 410, 421, 501])
@pytest.mark.parametrize("body", FOREIGN.values(), ids=list(FOREIGN))
def test_an_address_without_the_api(name: str, code: int, body: Any) -> None:
    error = raised_by(start(name), reply(body, code))
    assert type(error) is errors.ServiceNotFound
    assert error.handling is Handling.STOP
    assert error.remedy == "check the host of the connection"


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [302, 400, 401, 402, 403, 406, 407, 408, 413, 415, 418, 422, 431, 451])
@pytest.mark.parametrize("body", FOREIGN.values(), ids=list(FOREIGN))
def test_a_start_that_something_else_answers_is_a_fault_of_this_call(name: str, code: int, body: Any) -> None:
    error = raised_by(start(name), reply(body, code))
    assert type(error) in (errors.UnexpectedReply, errors.ServiceUnavailable)
    assert error.handling is Handling.RETRY


# --- status and result ---


@pytest.mark.parametrize("name", VENDORS)
def test_an_operation_that_the_service_does_not_know(name: str) -> None:
    answer = reply(own_error(name, 404), 404)
    assert play(status(name), answer)[1].state is OperationState.NOT_FOUND
    assert type(result(name, answer)) is errors.OperationNotFound


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [302, 400, 401, 402, 403, 404, 405, 407, 408, 410, 421, 429, 500, 502, 503, 504, 522])
@pytest.mark.parametrize("body", FOREIGN.values(), ids=list(FOREIGN))
def test_what_stands_in_between_says_nothing_of_the_operation(name: str, code: int, body: Any) -> None:
    for error in (raised_by(status(name), reply(body, code)), result(name, reply(body, code))):
        assert type(error) in (errors.UnexpectedReply, errors.ServiceUnavailable)
        assert error.handling is Handling.RETRY


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [400, 401, 402, 403, 405, 409, 410, 422, 429, 500, 503])
def test_an_error_of_the_service_is_no_verdict_on_the_document_either(name: str, code: int) -> None:
    answer = reply(own_error(name, code), code)
    for error in (raised_by(status(name), answer), result(name, answer)):
        assert error.handling is Handling.RETRY
        assert "Because." in str(error)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("code", [201, 202, 204, 206])
def test_only_200_answers_a_question(name: str, code: int) -> None:
    assert type(raised_by(status(name), reply({"status": "Finished"}, code))) is errors.UnexpectedReply


@pytest.mark.parametrize("code", [400, 404, 500])
@pytest.mark.parametrize(
    "text", ["Operation not found", "The operation 7 was not found.", "Operation does not exist", "operation unknown"]
)
def test_groupdocs_may_say_in_words_that_an_operation_is_unknown(code: int, text: str) -> None:
    for body in ({"error": text}, {"error": {"message": text}}, {"message": text}):
        assert play(status("groupdocs_conversion"), reply(body, code))[1].state is OperationState.NOT_FOUND


@pytest.mark.parametrize("code", [400, 500])
@pytest.mark.parametrize(
    "text", ["Internal error: font cache node 3 was not found", "Storage not found", "no Route matched", "not found"]
)
def test_other_things_that_are_not_found_are_faults(code: int, text: str) -> None:
    for body in ({"error": text}, {"error": {"message": text}}, {"message": text}, text.encode()):
        assert raised_by(status("groupdocs_conversion"), reply(body, code)).handling is Handling.RETRY


# --- the forms ---

FORMS: list[tuple[str, Any, int, bool]] = [
    ("aspose_slides", {"error": {"code": "errorNotFound", "message": "M."}}, 404, True),
    ("aspose_slides", {"requestId": "1", "error": {"code": "c", "description": "D.", "dateTime": "x"}}, 400, True),
    ("aspose_slides", {"Error": {"Message": "Pascal."}}, 400, True),
    ("aspose_slides", {"message": "Operation does not exist"}, 404, True),
    ("aspose_slides", {"message": "Missing Authentication Token"}, 403, False),
    ("aspose_slides", {"error": {"code": 404, "message": "Requested entity was not found."}}, 404, False),
    ("aspose_slides", {"error": {}}, 404, False),
    ("aspose_slides", {"error": {"message": 7}}, 404, False),
    ("aspose_slides", {"error": "Not Found", "status": 404, "path": "/x"}, 404, False),
    ("groupdocs_conversion", {"requestId": "1", "error": {"code": "c", "message": "M."}}, 400, True),
    ("groupdocs_conversion", {"code": "c", "message": "M.", "description": "D.", "innerError": None}, 400, True),
    ("groupdocs_conversion", {"code": "c", "message": "M."}, 400, False),
    ("aspose_ocr", {"type": "t", "title": "Title.", "status": 400, "detail": "Detail.", "instance": None}, 400, True),
    ("aspose_ocr", {"title": "Title.", "status": 404}, 400, False),
    ("aspose_ocr", {"detail": "Not Found"}, 404, False),
    ("aspose_ocr", {"taskStatus": "NotExist", "error": {"messages": ["M."]}}, 404, True),
    ("aspose_ocr", {"message": "no Route matched with those values"}, 404, False),
    *((name, body, 404, False) for name in VENDORS for body in FOREIGN.values()),
]


@pytest.mark.parametrize(("name", "body", "code", "is_own"), FORMS)
def test_whose_form_an_error_has(name: str, body: Any, code: int, is_own: bool) -> None:
    assert create_service(VENDORS[name]).vendor.speaks_in(reply(body, code)) is is_own


@pytest.mark.parametrize("call", Call)
@pytest.mark.parametrize("own", [True, False])
def test_every_status_has_a_meaning(call: Call, own: bool) -> None:
    for code in range(600):
        meaning = find_meaning(call, code, own=own)
        assert meaning.form in (Form.ANY, Form.OWN if own else Form.FOREIGN)


def test_every_row_is_reached() -> None:
    reached = {id(find_meaning(call, code, own=own)) for call in Call for code in range(1000) for own in (True, False)}
    assert reached == {id(row) for row in MEANINGS}


@pytest.mark.parametrize("call", [Call.STATUS, Call.RESULT, Call.OTHER])
def test_no_answer_to_a_question_is_a_verdict_on_a_document(call: Call) -> None:
    for code in range(1000):
        kind = find_meaning(call, code, own=False).error
        assert kind.handling is Handling.RETRY


# --- words ---

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
    error = Vendor("X", lambda value, code: False).error(reply(body, 400), Call.STATUS)
    assert error.service_message == said
    assert f'saying "{said}"' in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("code", [200, 201, 204])
def test_success_is_returned(code: int) -> None:
    vendor = create_service(VENDORS["aspose_slides"]).vendor
    assert vendor.require_success(reply(b"x", code), Call.START).status == code


@pytest.mark.parametrize("code", [200, 204, 404])
def test_cancelling_what_is_gone_is_no_error(code: int) -> None:
    answer = reply(own_error("aspose_ocr", code) if code == 404 else b"", code)
    assert play(create_service(VENDORS["aspose_ocr"]).cancel(OPERATION), answer)[1] is True


@pytest.mark.parametrize("name", ["aspose_slides", "groupdocs_conversion"])
def test_services_that_can_not_cancel_say_so_without_a_request(name: str) -> None:
    assert play(create_service(VENDORS[name]).cancel(OPERATION)) == ([], False)


@pytest.mark.parametrize("name", VENDORS)
def test_the_results_of_an_unknown_operation(name: str) -> None:
    if name == "groupdocs_conversion":
        with pytest.raises(errors.OperationNotFound, match=OPERATION):
            play(create_service(VENDORS[name]).results(OPERATION), reply(own_error(name, 404), 404))
    else:
        [file] = play(create_service(VENDORS[name]).results(OPERATION))[1]
        assert isinstance(file, ResultFile)


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
