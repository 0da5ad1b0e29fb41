"""A result that breaks off is gone on with, if it is surely the same; bytes of two versions are never mixed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.resumption import Resumption
from airflow_provider_docconv.services.errors import ResultDamaged, TruncatedResult
from tests.support.clients import settings_for
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.ranges import CONTENT, RANGES, Ranges

CHANGED = {"Last-Modified": "Wed, 01 Jul 2020 10:00:00 GMT"}


def fetch(server: Hostile, service: str = "aspose_slides") -> tuple[bytes, int]:
    client = Client(settings_for(server.url, service))
    [file] = client.run(client.service.results("op-1"))
    with client.open_result(file) as (result, chunks):
        content = b"".join(chunks)
        return content, result.resumed


def asked(server: Hostile) -> list[tuple[str | None, str | None]]:
    return [(seen.headers.get("range"), seen.headers.get("if-range")) for seen in server.calls]


@pytest.mark.parametrize(("headers", "validator"), [({"ETag": '"v1"'}, '"v1"'), (CHANGED, CHANGED["Last-Modified"])])
def test_a_result_that_breaks_off_is_gone_on_with(headers: dict[str, str], validator: str) -> None:
    with Hostile(answer=Ranges(**headers)) as server:
        assert fetch(server) == (CONTENT, 2)
        assert asked(server) == [(None, None), ("bytes=2097152-", validator), ("bytes=4194304-", validator)]
        assert {seen.headers["accept-encoding"] for seen in server.calls} == {"identity"}


def test_the_whole_is_compared_with_the_first_checksum() -> None:
    right = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    for value in (right, wrong):
        with Hostile(answer=Ranges(**{"ETag": '"v1"', "Repr-Digest": f"sha-256=:{value}:"})) as server:
            if value == right:
                assert fetch(server) == (CONTENT, 2)
            else:
                with pytest.raises(ResultDamaged):
                    fetch(server)


def test_a_token_that_expires_meanwhile_is_renewed() -> None:
    ranges = Ranges()
    with Hostile(answer=lambda seen: Answer(b"", 401) if len(server.calls) == 2 else ranges(seen)) as server:
        assert fetch(server) == (CONTENT, 2)
        assert len(server.logins) == 2


@pytest.mark.parametrize(("step", "calls"), [(1 << 20, 6), (1000, 1)])
def test_a_service_that_always_breaks_off_is_given_up(step: int, calls: int) -> None:
    with Hostile(answer=Ranges(CONTENT * 2, step)) as server:
        with pytest.raises(TruncatedResult, match="incomplete"):
            fetch(server)
        assert len(server.calls) == calls


NO_RANGES: list[dict[str, str]] = [
    {},
    RANGES,
    {"ETag": '"v1"'},
    {"ETag": '"v1"', "Accept-Ranges": "none"},
    {**RANGES, "ETag": 'W/"v1"'},
    {**RANGES, "ETag": 'W/"v1"', **CHANGED},
    {**RANGES, "Last-Modified": "yesterday"},
    {**RANGES, "ETag": '"v1"', "Content-Encoding": "gzip"},
]


@pytest.mark.parametrize("headers", NO_RANGES)
def test_what_can_not_be_told_from_another_version_is_not_gone_on_with(headers: dict[str, str]) -> None:
    with Hostile(Answer(CONTENT[:50], headers=headers, length=len(CONTENT))) as server:
        with pytest.raises(TruncatedResult, match="incomplete"):
            fetch(server)
        assert len(server.calls) == 1


def test_base64_is_not_gone_on_with() -> None:
    data = base64.b64encode(CONTENT).decode()
    body = json.dumps({"taskStatus": "Completed", "results": [{"data": data}]}).encode()
    with Hostile(answer=Ranges(body)) as server:
        with pytest.raises(TruncatedResult, match="incomplete"):
            fetch(server, "aspose_ocr")
        assert len(server.calls) == 1


def changed(**changes: Any) -> Callable[[Seen], Answer]:
    """Let the second reply be another than a good server's."""
    before, status = Ranges(), changes.pop("status", 206)

    def answer(seen: Seen) -> Answer:
        good = before(seen)
        if "range" not in seen.headers:
            return good
        if status >= 400:
            return Answer({"message": "No."}, status)
        headers = {**good.headers, **{key.replace("_", "-"): value for key, value in changes.items()}}
        return Answer(good.body, status, {key: value for key, value in headers.items() if value}, length=good.length)

    return answer


END = len(CONTENT) - 1
OTHER = {
    "a new version, whole": changed(status=200),
    "a new version's rest": changed(ETag='"v2"'),
    "a rest of unknown version": changed(ETag=None),
    "no range": changed(Content_Range=None),
    "another place": changed(Content_Range=f"bytes 2097151-{END}/{END + 1}"),
    "another length": changed(Content_Range=f"bytes 2097152-{END}/{END + 2}"),
    "another unit": changed(Content_Range=f"pages 2097152-{END}/{END + 1}"),
    "several parts": changed(Content_Range=None, Content_Type="multipart/byteranges; boundary=x"),
    "compressed": changed(Content_Encoding="gzip"),
    "no such range": changed(status=416),
    "gone": changed(status=404),
}


@pytest.mark.parametrize("answer", OTHER.values(), ids=list(OTHER))
def test_bytes_of_two_versions_are_never_mixed(answer: Callable[[Seen], Answer]) -> None:
    with Hostile(answer=answer) as server:
        with pytest.raises(TruncatedResult, match="it broke off, and the"):
            fetch(server)
        assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("now", "certain"),
    [("Wed, 01 Jul 2020 10:00:01 GMT", True), (CHANGED["Last-Modified"], False), ("", False), ("now", False)],
)
def test_a_file_that_changed_in_this_second_may_change_again(now: str, certain: bool) -> None:
    headers = {"accept-ranges": "bytes", "last-modified": CHANGED["Last-Modified"], "date": now}
    assert (Resumption(headers).headers(1) is not None) is certain


def test_a_length_that_nobody_has_said_is_not_compared() -> None:
    resumption = Resumption({"accept-ranges": "bytes", "etag": '"v1"'})
    headers = {"content-range": "bytes 5-9/*", "etag": '"v1"'}
    assert resumption.accepts(206, headers, 5, None)
    assert resumption.accepts(206, headers, 5, 10)
    assert not resumption.accepts(206, headers, 4, 10)
