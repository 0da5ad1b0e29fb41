"""Request bodies: their length, their content, and that they can be sent again."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from email import message_from_bytes
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.services.bodies import (
    Base64Body,
    Body,
    BytesBody,
    FilePart,
    MultipartBody,
    form_body,
    json_body,
)
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import SourceNotFound
from tests.support.flows import document

KINDS: dict[str, Callable[[Document], Body]] = {
    "multipart": lambda source: MultipartBody([FilePart(source, "file", source.name)], {"pipeline": {"é": [1]}}),
    "base64": lambda source: Base64Body(source, "image", {"settings": {"a": True}, "é": None}),
}


class Dribble(io.BytesIO):
    """A file that gives less than it is asked for, as network files do."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7 if size is None or size < 0 else min(7, size))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_the_announced_length_is_the_produced_one_each_time(kind: str, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    body = KINDS[kind](document(content, 'a "quoted"\r\nnäme.pptx'))
    first, second = b"".join(body.chunks()), b"".join(body.chunks())
    assert first == second
    assert body.length == len(first)
    assert all(len(chunk) < 3 << 20 for chunk in body.chunks())


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_a_document_of_unknown_length_is_unknown(kind: str) -> None:
    body = KINDS[kind](document(b"abc", size=None))
    assert body.length is None
    assert b"".join(body.chunks())


@given(st.binary(max_size=100))
def test_base64_decodes_to_the_document(content: bytes) -> None:
    source = Document("a.djvu", lambda: Dribble(content), len(content))
    value = json.loads(b"".join(KINDS["base64"](source).chunks()))
    assert base64.b64decode(value["image"], validate=True) == content
    assert (value["settings"], value["é"]) == ({"a": True}, None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_is_of_what_was_read_last_to_its_end(kind: str) -> None:
    contents = [b"abc" * 500_000, b"xyz" * 500_000]
    source = Document("a.djvu", lambda: io.BytesIO(contents[0]), 1_500_000)
    body = KINDS[kind](source)
    assert source.sha256 is None
    for content in list(contents):
        assert list(body.chunks())
        assert source.sha256 == hashlib.sha256(content).hexdigest()
        contents.reverse()
    halfway = body.chunks()
    next(halfway), next(halfway), next(halfway)
    halfway.close()
    assert source.sha256 is None


@given(st.binary(max_size=100), st.text(max_size=30))
def test_a_form_holds_its_parts_whatever_the_file_is_called(content: bytes, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    body = KINDS["multipart"](document(content, name))
    raw = f"Content-Type: {body.content_type}\r\n\r\n".encode() + b"".join(body.chunks())
    pipeline, _ = message_from_bytes(raw).get_payload()
    assert (pipeline.get_filename(), json.loads(pipeline.get_payload())) == (None, {"é": [1]})
    headers, _, payload = b"".join(body.chunks()).partition(b'name="file"')[2].partition(b"\r\n\r\n")
    assert payload.endswith(f"\r\n--{body.boundary}--\r\n".encode())
    assert payload[: len(content)] == content
    assert headers.count(b"\r\n") == 1


def test_boundaries_differ() -> None:
    assert len({MultipartBody([FilePart(document(), "file", "a")]).boundary for _ in range(20)}) == 20


def test_small_bodies() -> None:
    assert json_body({"a": 1}) == BytesBody(b'{"a": 1}', "application/json")
    form = form_body({"client_secret": "a&b=c d/é"})
    assert b"".join(form.chunks()) == b"client_secret=a%26b%3Dc+d%2F%C3%A9"
    assert form.length == len(b"".join(form.chunks()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("now", [b"", b"short", b"rather long", b"x" * 5000])
def test_a_document_that_changes_while_it_is_read(kind: str, now: bytes) -> None:
    body, sent = KINDS[kind](document(now, "deck.pptx", size=7)), []
    with pytest.raises(SourceNotFound, match=r"deck\.pptx: the source changed while it was read"):
        sent.extend(body.chunks())
    # The service must be able to tell that it did not get everything.
    assert sum(map(len, sent)) < body.length


class Broken(io.BytesIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error


def fail(error: Exception) -> BinaryIO:
    raise error


@pytest.mark.parametrize("error", [OSError("gone"), PermissionError("gone"), RuntimeError("gone")])
@pytest.mark.parametrize("opener", [Broken, fail])
def test_a_document_that_can_not_be_read(opener: Callable[[Exception], BinaryIO], error: Exception) -> None:
    source = Document("deck.pptx", lambda: opener(error), 3)
    for read in (lambda: list(source.chunks()), lambda: source.read_at(0, 1)):
        with pytest.raises(SourceNotFound, match=r"deck\.pptx: the source can't be read \(.*gone"):
            read()


def test_a_document_is_read_where_asked() -> None:
    assert document(b"0123456789").read_at(3, 4) == b"3456"
    assert document(b"0123").read_at(3, 4) == b"3"
    assert document(b"0123").read_at(9, 4) == b""


@pytest.mark.parametrize(("path", "name", "folder"), [("a/b/c.pptx", "c.pptx", "a/b"), ("c.pptx", "c.pptx", "")])
def test_a_stored_document_knows_its_folder(path: str, name: str, folder: str) -> None:
    stored = RemoteDocument(path)
    assert (stored.name, stored.folder, stored.version) == (name, folder, "")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_shown(kind: str) -> None:
    body = KINDS[kind](document(b"SECRETCONTENT"))
    assert "SECRETCONTENT" not in repr(body)
    assert "SECRETCONTENT" not in repr(BytesBody(b"SECRETCONTENT"))
