"""A text inside a JSON document, decoded while it streams."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.services.bodies import TextField

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text('\\"/\n\t\u007f\U0001f600aé', max_size=30)


def decode(document: bytes, cuts: list[int]) -> tuple[bytes, TextField]:
    field = TextField(("document", "md"), ("document", "html"))
    places = sorted({0, len(document), *(cut % (len(document) + 1) for cut in cuts)})
    pieces = [document[begin:end] for begin, end in pairwise(places)]
    return b"".join(map(field.feed, pieces)), field


@given(TEXTS, st.sampled_from(["md", "html"]), st.booleans(), st.lists(st.integers(0, 500)))
def test_any_text_in_any_pieces(text: str, key: str, ascii_only: bool, cuts: list[int]) -> None:
    value = {"md": {"document": {"md": "no"}}, "document": {"name": text, key: text, "x": None}, "status": "success"}
    decoded, field = decode(json.dumps(value, ensure_ascii=ascii_only).encode(), cuts)
    assert decoded == text.encode()
    rest = {**value, "document": {"name": text, key: "", "x": None}}
    assert (field.found, field.close()) == (True, rest)


@given(TEXTS)
def test_every_byte_apart(text: str) -> None:
    document = json.dumps({"document": {"md": text}}).encode()
    assert decode(document, list(range(len(document))))[0] == text.encode()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"\ud83d", b"?"),
        (rb"\ud83dx", b"?x"),
        (rb"\ud83d\n", b"?\n"),
        (rb"\ude00\ud83d", b"??"),
        (rb"\ud83d\ud83d\ude00", "?😀".encode()),
        (b"\xff", "\ufffd".encode()),
        (rb"\\ud83d", rb"\ud83d"),
    ],
)
def test_what_is_not_a_character(written: bytes, read: bytes) -> None:
    document = b'{"document": {"md": "' + written + b'"}}'
    for cut in range(len(document)):
        assert decode(document, [cut])[0] == read


@pytest.mark.parametrize("document", [b'{"document": {"md": "a\\x"}}', b'{"document": {"md": "\\u12g4"}}'])
def test_what_is_not_json(document: bytes) -> None:
    with pytest.raises(ValueError, match="escape"):
        decode(document, [])


def test_null_is_not_a_text() -> None:
    decoded, field = decode(b'{"document": {"md": null}, "status": "failure"}', [])
    assert (decoded, field.found, field.close()["status"]) == (b"", False, "failure")


def test_a_text_that_is_cut_off() -> None:
    _, field = decode(b'{"document": {"md": "abc', [])
    with pytest.raises(ValueError, match="ended early"):
        field.close()
