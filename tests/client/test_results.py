"""Results on their way: counted, decoded, and called incomplete if they are."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.results import ResultStream
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DocConvError,
    OperationNotFound,
    ResultRejected,
    ServiceUnavailable,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.http import Request
from airflow_provider_docconv.services.operations import ResultFile
from tests.support.clients import settings_for
from tests.support.hostile import HTML, Answer, Hostile

CONTENT = b"%PDF-1.7" + bytes(range(256)) * 20_000
FILE = ResultFile("op-1", Request("GET", "/x"))


def ocr(content: bytes, word: str = "Completed", **more: Any) -> bytes:
    data = base64.b64encode(content).decode()
    return json.dumps({"taskStatus": word, "results": [{"type": "Pdf", "data": data}], **more}).encode()


def fetch(server: Hostile, service: str = "aspose_slides", **values: Any) -> tuple[str | None, bytes]:
    client = Client(settings_for(server.url, service, **values))
    [file] = client.run(client.service.results("op-1"))
    with client.open_result(file) as (result, chunks):
        return result.name, b"".join(chunks)


def chunked(*pieces: bytes) -> Answer:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return Answer(body, headers={"Transfer-Encoding": "chunked"}, length=-1)


WHOLE = {
    "in chunks": ("aspose_slides", chunked(CONTENT[:9], CONTENT[9:], b"")),
    "counted": ("aspose_slides", Answer(CONTENT)),
    "until the end": ("aspose_slides", Answer(CONTENT, length=-1)),
    "base64": ("aspose_ocr", Answer(ocr(CONTENT))),
    "base64 of unknown length": ("aspose_ocr", Answer(ocr(CONTENT), length=-1)),
}


@pytest.mark.parametrize(("service", "answer"), WHOLE.values(), ids=list(WHOLE))
def test_a_whole_result(service: str, answer: Answer) -> None:
    with Hostile(answer) as server:
        assert fetch(server, service) == (None, CONTENT)


def test_a_result_comes_after_a_renewed_token_and_a_fault() -> None:
    with Hostile(Answer(b"", 401), Answer(b"", 503), Answer(fault="close"), Answer(CONTENT)) as server:
        assert fetch(server)[1] == CONTENT
        assert (len(server.logins), len(server.calls)) == (2, 4)


CUT = {
    "cut": ("aspose_slides", Answer(CONTENT[:3_000_000], length=len(CONTENT)), "incomplete"),
    "cut to nothing": ("aspose_slides", Answer(b"", length=100), "incomplete"),
    "cut between chunks": ("aspose_slides", chunked(CONTENT), "incomplete"),
    "cut in a chunk": ("aspose_slides", replace(chunked(CONTENT), body=b"500000\r\n" + CONTENT[:1000]), "incomplete"),
    "empty": ("aspose_slides", Answer(b""), "it is empty"),
    "cut base64": ("aspose_ocr", Answer(ocr(CONTENT)[:3_000_000], length=-1), "incomplete"),
    "cut JSON": ("aspose_ocr", Answer(ocr(CONTENT)[:-1]), "incomplete"),
    "empty base64": ("aspose_ocr", Answer(ocr(b"")), "it is empty"),
}


@pytest.mark.parametrize(("service", "answer", "words"), CUT.values(), ids=list(CUT))
def test_a_truncated_result(service: str, answer: Answer, words: str) -> None:
    with Hostile(answer) as server, pytest.raises(TruncatedResult, match=words) as raised:
        fetch(server, service)
    assert raised.value.retryable
    assert raised.value.operation_id == "op-1"
    assert "downloads it again" in str(raised.value)


def test_a_result_that_stops_coming() -> None:
    stalling = Answer(CONTENT[:100], length=len(CONTENT), fault="stall")
    with Hostile(stalling) as server, pytest.raises(TruncatedResult, match="incomplete"):
        fetch(server, read_timeout=0.2)


REFUSED: list[tuple[str, Answer, type[DocConvError], str]] = [
    ("aspose_slides", Answer({"message": "Operation does not exist"}, 404), OperationNotFound, "does not exist"),
    ("aspose_slides", Answer({"error": {"message": "Plan."}}, 402), UnexpectedReply, "Plan"),
    ("aspose_slides", Answer(b"", 401), UnexpectedReply, "HTTP 401"),
    ("aspose_slides", Answer(b"", 500), ServiceUnavailable, "HTTP 500"),
    ("aspose_slides", Answer(b"", 302, {"Location": "http://x"}), ServiceUnavailable, "redirected"),
    ("aspose_slides", Answer(fault="close"), ServiceUnavailable, "does not answer"),
    ("aspose_ocr", Answer({"taskStatus": "NotExist"}), OperationNotFound, "op-1"),
    ("aspose_ocr", Answer({"taskStatus": "Error", "error": {"messages": ["Bad."]}}), ConversionFailed, "Bad"),
    ("aspose_ocr", Answer(ocr(b"PDF", "Error")), ConversionFailed, "operation is Error"),
    ("aspose_ocr", Answer(b'{"results": [{"data": "!!!!"}]}'), UnexpectedReply, "other than the result"),
    ("groupdocs_conversion", Answer(HTML), UnexpectedReply, "HTML"),
]


@pytest.mark.parametrize(("service", "answer", "kind", "words"), REFUSED)
def test_a_refused_result(service: str, answer: Answer, kind: type[DocConvError], words: str) -> None:
    with Hostile(answer) as server, pytest.raises(kind, match=words):
        fetch(server, service)


def test_the_token_stays_with_the_connections_host() -> None:
    with Hostile(Answer(CONTENT)) as other:
        listed = {
            "method": "ConvertAndSave",
            "status": "Finished",
            "result": [{"name": "a.pdf", "url": f"{other.url}/v2.0/conversion/storage/file/a.pdf"}],
        }
        with Hostile(Answer(listed), Answer(CONTENT)) as server:
            assert fetch(server, "groupdocs_conversion") == ("a.pdf", CONTENT)
            assert server.calls[-1].target == "/v2.0/conversion/storage/file/a.pdf"
        assert other.seen == []


NAMES = [
    ("", None),
    ("attachment", None),
    ("attachment; filename=deck.pdf", "deck.pdf"),
    ('attachment; filename="my deck.pdf"; size=3', "my deck.pdf"),
    ("attachment; FileName = deck.pdf ; x=y", "deck.pdf"),
    ("attachment; filename=x; filename*=UTF-8''d%C3%A9ck.pdf", "déck.pdf"),
    ("attachment; filename*=utf-8''%FF.pdf", "\ufffd.pdf"),
    ('attachment; filename=""', None),
    ('attachment; filename="../../etc/passwd"', "../../etc/passwd"),
    ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
    ('attachment; filename="' + "\\" * 5000, None),
    (r'attachment; filename="the \"new\" deck.pdf"', 'the "new" deck.pdf'),
    ("attachment; filename*=UTF-8'en'deck.pdf", "deck.pdf"),
    ("attachment; filename*=iso-8859-1''%DCbersicht.pdf", "Übersicht.pdf"),
    ('attachment; filename="=?utf-8?B?w5xiZXJzaWNodC5wZGY=?="', "Übersicht.pdf"),
    ('attachment; filename="=?nonsense?B?w5x=?="', "=?nonsense?B?w5x=?="),
    ('attachment; filename="Übersicht.pdf"'.encode().decode("latin-1"), "Übersicht.pdf"),
    ('attachment; filename="Übersicht.pdf"', "Übersicht.pdf"),
    (f"attachment; filename*{'9' * 5000}*=x; filename=deck.pdf", None),
    ("attachment; filename*=undefined''deck.pdf", None),
]


@pytest.mark.parametrize(("disposition", "name"), NAMES, ids=[f"name {number}" for number in range(len(NAMES))])
def test_the_name_that_the_service_gives(disposition: str, name: str | None) -> None:
    found = ResultStream(FILE, {"content-disposition": disposition}, "X").name
    assert found == name or (name is None and set(found or "") <= {'"', "\\"})


@pytest.mark.parametrize("length", ["abc", "-1", "", "1e3", "٣", "0x10"])
def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    stream = ResultStream(FILE, {"content-length": length}, "X")
    stream.feed(b"abc")
    stream.close()


@pytest.mark.parametrize("coding", ["", "identity", "Identity "])
@pytest.mark.parametrize("came", [b"abc", b"abcde"])
def test_the_announced_length_is_counted_whatever_the_transport_does(coding: str, came: bytes) -> None:
    stream = ResultStream(FILE, {"content-length": "4", "content-encoding": coding}, "X")
    stream.feed(came)
    with pytest.raises(TruncatedResult, match=f"{len(came)} of 4 bytes came"):
        stream.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip, gzip", "x" * 5000])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with Hostile(Answer(gzip.compress(CONTENT), headers={"Content-Encoding": coding})) as server:
        with pytest.raises(ResultRejected, match="which was not asked for"):
            fetch(server)
        assert server.calls[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 226])
def test_only_200_is_a_result(status: int) -> None:
    part = Answer(CONTENT[:10], status, {"Content-Range": f"bytes 0-9/{len(CONTENT)}"})
    with Hostile(part) as server, pytest.raises(UnexpectedReply, match=f"HTTP {status}"):
        fetch(server)


@pytest.mark.parametrize("length", ["9" * 5000, "0" * 5000 + str(len(CONTENT))])
def test_a_length_of_thousands_of_digits(length: str) -> None:
    with Hostile(Answer(CONTENT, headers={"Content-Length": length}, length=-1)) as server:
        assert fetch(server)[1] == CONTENT


@pytest.mark.parametrize(("listed", "fails"), [(3, False), (None, False), (4, True)])
def test_the_listed_length_is_counted_where_none_is_announced(listed: int | None, fails: bool) -> None:
    stream = ResultStream(ResultFile("op-1", Request("GET", "/x"), size=listed), {}, "X")
    stream.feed(b"abc")
    if fails:
        with pytest.raises(TruncatedResult, match="3 of 4 bytes came"):
            stream.close()
    else:
        stream.close()
