"""docling-serve: what is sent to it, and what its replies mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_docconv.services.catalog import DOCLING_SERVE
from airflow_provider_docconv.services.docling.service import DoclingServe
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import (
    AuthenticationFailed,
    ConversionFailed,
    DocConvError,
    InvalidOptions,
    OperationNotFound,
    RefusedByService,
    ServiceNotFound,
    ServiceUnavailable,
    StartReplyLost,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.http import Call, create_auth
from airflow_provider_docconv.services.operations import OperationState
from tests.support.flows import document, play, reply

TASK = "0b9c3f6e-6a5e-4a0e-9a4c-2f1f1c1d1e1f"
SERVICE = DoclingServe()


def started(status: int = 200, **values: Any) -> Any:
    return reply({"task_id": TASK, "task_status": "pending", "task_position": 1, **values}, status)


def test_a_start() -> None:
    options = {
        "do_ocr": "false",
        "ocr_lang": ["de", "en"],
        "page_range": [1, 4],
        "images_scale": 1.5,
        "image_export_mode": "",
    }
    [request], operation = play(SERVICE.start(document(b"x", "a b.pdf"), "txt", options), started())
    assert operation.operation_id == f"{TASK}.txt"
    assert (request.method, request.path, request.repeatable) == ("POST", "/v1/convert/file/async", False)
    body = b"".join(request.body.chunks())
    assert len(body) == request.body.length
    for name, value in (
        ("to_formats", "text"), ("target_type", "inbody"), ("do_ocr", "false"), ("ocr_lang", "de"), ("ocr_lang", "en"),
        ("page_range", "1"), ("page_range", "4"), ("images_scale", "1.5"),
    ):  # fmt: skip
        assert f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() in body
    assert b'name="files"; filename="a b.pdf"' in body
    assert b"image_export_mode" not in body


@pytest.mark.parametrize(
    ("target_format", "options", "words"),
    [
        ("pdf", {}, "can't convert to 'pdf', only to doctags, html, json, md, txt"),
        ("md", {"page_range": [3, 2]}, "page_range must be the first and the last page"),
        ("md", {"page_range": [1]}, "page_range must be the first and the last page"),
        ("md", {"table_mode": "quick"}, "table_mode must be one of fast, accurate"),
        ("md", {"image_export_mode": "referenced"}, "image_export_mode must be one of"),
        ("md", {"to_format": "md"}, "has no option 'to_format'"),
    ],
)
def test_what_is_refused_before_anything_is_sent(target_format: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        next(SERVICE.start(document(), target_format, options))
    assert words in str(raised.value)


def test_it_has_no_storage() -> None:
    with pytest.raises(InvalidOptions, match="no storage"):
        next(SERVICE.start(RemoteDocument("a.pdf"), "md", {}))


STARTS = [
    (reply({"detail": "Unauthorized"}, 401), AuthenticationFailed, "check password (API key) of the connection"),
    (reply({"detail": [{"loc": ["body"], "msg": "Input should be 'md'", "type": "enum"}]}, 422), RefusedByService,
     "Input should be 'md'"),
    (reply({"detail": "Not Found"}, 404), ServiceNotFound, "no such API"),
    (reply({"detail": "Method Not Allowed"}, 405), ServiceNotFound, "no such API"),
    (reply({"detail": "Server is busy, please try again shortly."}, 503), ServiceUnavailable, "busy"),
    (reply(b"Internal Server Error", 500), StartReplyLost, ""),
    (reply({"task_status": "pending"}), StartReplyLost, "instead of an operation id"),
    (reply(b"<html>login</html>"), StartReplyLost, "an HTML page"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error", "words"), STARTS)
def test_starts_that_fail(answer: Any, error: type[DocConvError], words: str) -> None:
    with pytest.raises(error) as raised:
        play(SERVICE.start(document(), "md", {}), answer)
    assert type(raised.value) is error
    assert words in str(raised.value)


STATES = {"pending": "queued", "started": "running", "success": "succeeded", "failure": "canceled", "paused": "running"}


@pytest.mark.parametrize(("word", "state"), STATES.items())
def test_states(word: str, state: str) -> None:
    [request], operation = play(SERVICE.status(f"{TASK}.md"), reply({"task_status": word, "error_message": "why"}))
    assert (request.path, operation.id) == (f"/v1/status/poll/{TASK}", f"{TASK}.md")
    assert (operation.state.value, operation.vendor_status, operation.message) == (state, word, "why")


def test_an_unknown_task() -> None:
    gone = reply({"detail": "Task not found."}, 404)
    assert play(SERVICE.status("x.md"), gone)[1].state is OperationState.NOT_FOUND
    with pytest.raises(UnexpectedReply):
        play(SERVICE.status("x.md"), reply({"detail": "Not Found"}, 404))
    error = SERVICE.vendor.error(
        reply({"detail": "Task result not found. Please wait for a completion status."}, 404), Call.RESULT, "x.md"
    )
    assert type(error) is OperationNotFound
    assert "by docling-serve for minutes" in str(error)


def result(kind: str, value: object, *, pieces: int = 3) -> bytes:
    """Decode a result that comes in pieces."""
    [], [file] = play(SERVICE.results(f"{TASK}.{kind}"))
    assert (file.request.path, file.name) == (f"/v1/result/{TASK}", f"result.{kind}")
    decoder = file.decoder()
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    data = b"".join(decoder.feed(body[at : at + pieces]) for at in range(0, len(body), pieces))
    decoder.close()
    return data


def content(status: str = "success", errors: object = (), **fields: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("md_content", "json_content", "html_content", "text_content", "doctags_content"))
    document = {"filename": "a \"md_content\": 'x'.pdf", **empty, **fields}
    return {"document": document, "status": status, "errors": errors, "processing_time": 0.3, "timings": {}}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("md", "md_content"), ("html", "html_content"), ("txt", "text_content"), ("doctags", "doctags_content")],
)
def test_texts(kind: str, field: str) -> None:
    text = '# Über "x"\n\\ 😀\u2028'
    assert result(kind, content(**{field: text})).decode() == text
    assert result(kind, json.dumps(content(**{field: text}), ensure_ascii=False).encode(), pieces=1).decode() == text


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_an_object(pieces: int) -> None:
    value = {"texts": [{"text": 'a"}]{', "n": [1, 2.5, None, {}]}], "name": "\\"}
    assert json.loads(result("json", content(json_content=value), pieces=pieces)) == value


FAILURES: list[tuple[str, object, type[DocConvError], str]] = [
    ("md", content("failure", [{"error_message": "Bad.\nVery"}, "odd", {"error_message": "x"}]), ConversionFailed,
     'could not convert the document (failure), saying "Bad. Very; x"'),
    ("md", content("failure", None), ConversionFailed, "(failure)"),
    ("md", content("partial_success", [{"error_message": "Page 2"}], md_content="half"), ConversionFailed,
     "converted only a part"),
    ("md", content("skipped"), ConversionFailed, "(skipped)"),
    ("md", content(md_content=""), ConversionFailed, "found nothing"),
    ("json", content(), ConversionFailed, "found nothing"),
    ("json", content(json_content="text"), UnexpectedReply, "a string where"),
    ("md", {"kind": "TaskFailureResult"}, UnexpectedReply, "something other"),
    ("md", b"<html>login</html>", TruncatedResult, "incomplete"),
    ("md", json.dumps(content(md_content="abc")).encode()[:-3], TruncatedResult, "ended early"),
    ("md", json.dumps(content(md_content="abc")).encode()[:60], TruncatedResult, "ended early"),
    ("md", b'{"document": {"md_content": "a", "md_content": "b"}}', UnexpectedReply, "twice"),
    ("md", b"[]", UnexpectedReply, "something other"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "error", "words"), FAILURES)
def test_results_that_are_none(kind: str, value: object, error: type[DocConvError], words: str) -> None:
    with pytest.raises(error) as raised:
        result(kind, value)
    assert type(raised.value) is error
    assert words in str(raised.value)


def test_a_task_of_someone_else_is_taken_for_markdown() -> None:
    [], [file] = play(SERVICE.results(TASK))
    assert (file.request.path, file.name) == (f"/v1/result/{TASK}", "result.md")


def test_the_key_is_sent_if_there_is_one() -> None:
    [request], _ = play(SERVICE.status(TASK), reply({"task_status": "success"}))
    [signed] = create_auth(DOCLING_SERVE.authentication, "X", "", "the-key").flow(request)
    assert signed.headers == {"Accept": "application/json", "X-Api-Key": "the-key"}
    [plain] = create_auth(DOCLING_SERVE.authentication, "X", "", "").flow(request)
    assert plain is request
