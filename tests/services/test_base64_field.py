"""The base64 string that is taken out of a JSON document while it streams past."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.services.bodies import Base64Field
from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DocConvError,
    OperationNotFound,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.operations import Decoder
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import OPERATION

PATH = ("results", 0, "data")
# Every character of the alphabet, whatever the padding.
CONTENT = bytes(range(256)) * 2 + b"\xfb\xff\xfe" * 5
STYLES = {
    "plain": lambda text: text,
    "slashes": lambda text: text.replace("/", "\\/"),
    ".NET": lambda text: "".join(rf"\u{ord(char):04X}" if char in "+/=" else char for char in text),
    "all escaped": lambda text: "".join(rf"\u{ord(char):04x}" for char in text),
    "wrapped": lambda text: "\\r\\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\\n",
}
DECOYS = {
    "results": [
        {"type": 'a "data": "QUJD" {[', "data": "@@", "more": {"data": "decoy", "results": [1, {"data": "x"}]}}
    ],
    "data": "decoy",
    "résults\\": {"0": {"data": "decoy"}, "results": [{"data": "decoy"}]},
    "error": {"messages": ["]}", '{"results": [{"data": "QUJD"}]}', "\\", '\\"'], "warnings": None},
    "taskStatus": "Completed",
    "numbers": [1, -2.5e3, True, None, [], {}, [[{}], "data"]],
}


def written(content: bytes, style: str = "plain") -> bytes:
    text = STYLES[style](base64.b64encode(content).decode())
    return json.dumps(DECOYS).replace('"@@"', f'"{text}"').encode()


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def decode(data: bytes, sizes: list[int]) -> tuple[bytes, object]:
    field = Base64Field(PATH)
    content = b"".join([field.feed(piece) for piece in pieces(data, sizes)])
    rest = field.close()
    assert field.found
    return content, rest


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [*range(1, 10), 13, 39, 1000])
def test_any_chunk_size_and_escape_style(style: str, size: int) -> None:
    content, rest = decode(written(CONTENT, style), [size])
    assert content == CONTENT
    assert rest == json.loads(json.dumps(DECOYS).replace("@@", ""))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("ahead", range(6))
def test_a_piece_that_is_longer_than_what_is_decoded_at_once(ahead: int, style: str) -> None:
    content = CONTENT * 450
    assert decode(b" " * ahead + written(content, style), [1 << 20])[0] == content


def test_line_breaks_beside_escapes_are_no_damage() -> None:
    text = base64.b64encode(CONTENT).decode().replace("+", "\\u002B\n")
    assert decode(f'{{"results": [{{"data": "{text}"}}]}}'.encode(), [100])[0] == CONTENT


@given(st.binary(max_size=300), st.sampled_from(sorted(STYLES)), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_any_content_in_any_pieces(content: bytes, style: str, sizes: list[int]) -> None:
    assert decode(written(content, style), sizes)[0] == content


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [1, 7, 5000])
def test_every_truncation_is_noticed(style: str, size: int) -> None:
    whole = written(b"\xfb\xff\xfe some content", style)
    for end in range(len(whole)):
        with pytest.raises(ValueError):  # noqa: PT011 - each place has its own words
            decode(whole[:end], [size])


DAMAGED = [
    '"QUJ*"',
    '"QUJDR"',
    '"QQ==QUJD"',
    '"QQ==QQ=="',
    '"=QQQ"',
    '"QQ=Q"',
    '"QUJD\\\\"',
    '"QUJD\\"QUJD"',
    '"QUJD\\u0022"',
    '"QUJD\\u12"',
    '"QUJD\\u00e9"',
    '"QUJD\\u00a0"',
    '"QUJD\\ud83d"',
    '"QUJDé"',
    '"QUJD\\',
    '"QUJD" "QUJD"',
    '"QUJD", "data": "QUJD"',
]


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
@pytest.mark.parametrize("string", DAMAGED)
def test_damaged_base64_is_refused(string: str, size: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own words
        decode(f'{{"results": [{{"data": {string}}}]}}'.encode(), [size])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html></html>",
        b"{",
        b"}",
        b"]",
        b"[}",
        b"{]",
        b'{"a" 1}',
        b'{"\xff": 1}',
        b'{"a": tru}',
        b"\x00",
        b"{}{}",
    ],
)
def test_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own words
        decode(data, [1000])


@given(st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_give_json_or_a_value_error(data: bytes, size: int) -> None:
    field = Base64Field(PATH)
    try:
        for piece in pieces(data, [size]):
            field.feed(piece)
        rest = field.close()
    except ValueError:
        return
    assert rest == json.loads(data)


@given(st.integers(1, 9), st.recursive(st.none() | st.text(max_size=5), lambda x: st.dictionaries(st.text(), x)))
def test_json_without_the_string_is_kept_as_it_is(size: int, value: object) -> None:
    field = Base64Field(PATH)
    fed = [field.feed(piece) for piece in pieces(json.dumps(value).encode(), [size])]
    assert (b"".join(fed), field.close(), field.found) == (b"", value, False)


def feed_for_ever(field: Base64Field, piece: bytes) -> None:
    for _ in range(100):
        field.feed(piece)


@pytest.mark.parametrize("endless", [b" ", b"[1,", b"1", b'"x', b'{"a":{"b":', b'{"results":[{"data":"\\'])
def test_memory_does_not_grow_with_what_is_sent(endless: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own words
        feed_for_ever(Base64Field(PATH), endless * 60_000)


def test_memory_does_not_grow_with_the_string() -> None:
    field = Base64Field(PATH)
    field.feed(b'{"results": [{"data": "')
    piece = b"QUJD" * 25_000 + b"Q"
    given = 0
    for _ in range(120):
        given += len(field.feed(piece))
    assert given == (len(piece) * 120 // 4) * 3
    held = sum(len(value) for value in vars(field).values() if isinstance(value, bytes | bytearray | str))
    assert held < 100


def fed_whole(data: bytes) -> bytes:
    found = decoder()
    content = found.feed(data)
    found.close()
    return content


def decoder() -> Decoder:
    with pytest.raises(StopIteration) as end:
        next(create_service(SERVICES["aspose_ocr"]).results(OPERATION))
    return end.value.value[0].decoder()


def answer(word: object, data: object, error: object = None) -> bytes:
    return json.dumps({"taskStatus": word, "results": [{"type": "Pdf", "data": data}], "error": error}).encode()


ANSWERS = {
    "not there any more": (answer("NotExist", None), OperationNotFound, OPERATION),
    "not ready": (answer("Processing", None), ConversionFailed, "Processing"),
    "failed": (answer("Error", None, {"messages": ["Page 3 is bad."]}), ConversionFailed, "Page 3 is bad."),
    "no result": (b'{"taskStatus": "Completed", "results": []}', ConversionFailed, OPERATION),
    "null": (answer("Completed", None), ConversionFailed, OPERATION),
    "no object": (b"[]", ConversionFailed, OPERATION),
    "cut in the string": (answer("Completed", "QUJD")[:-60], TruncatedResult, "incomplete"),
    "cut after the string": (answer("Completed", "QUJD")[:-1], TruncatedResult, "incomplete"),
    "html": (b"<html>", TruncatedResult, OPERATION),
    "no base64": (answer("Completed", "!!!!"), UnexpectedReply, OPERATION),
}


@pytest.mark.parametrize(("data", "kind", "words"), ANSWERS.values(), ids=list(ANSWERS))
def test_what_the_decoder_of_ocr_says(data: bytes, kind: type[DocConvError], words: str) -> None:
    with pytest.raises(kind, match=words):
        fed_whole(data)


def test_a_warning_beside_a_result_is_no_error() -> None:
    assert fed_whole(answer("Completed", "QUJD", {"messages": ["Skewed."], "warnings": ["!"]})) == b"ABC"
