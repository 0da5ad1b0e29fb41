"""Reading base64 out of JSON as it streams in."""

from __future__ import annotations

import base64
import json
import random

import pytest

from docconv_sandbox.bodies import Base64Field

DOCUMENT = random.Random(7).randbytes(3000)
ENCODED = base64.b64encode(DOCUMENT).decode()
SETTINGS = {"image": "QQ==", "text": 'a "quoted" \\ {[text', "list": [{"image": "QQ=="}, "]}"]}


def read(body: bytes, size: int) -> tuple[bytes, dict[str, object]]:
    found = bytearray()
    field = Base64Field("image", found.extend)
    for start in range(0, len(body), size):
        field.feed(body[start : start + size])
    return bytes(found), field.close()


@pytest.mark.parametrize("size", [*range(1, 20), 100, 1000, 100_000])
@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("escape", ["none", "slash", "unicode", "newline"])
def test_the_document_is_found(size: int, order: str, escape: str) -> None:
    text = {
        "none": ENCODED,
        "slash": ENCODED.replace("/", "\\/"),
        "unicode": ENCODED.replace("+", "\\u002B"),
        "newline": "\\r\\n".join(ENCODED[start : start + 76] for start in range(0, len(ENCODED), 76)),
    }[escape]
    settings = f'"settings" : {json.dumps(SETTINGS)}'
    image = f'"Image" :\n "{text}"'
    body = "{" + ", ".join([image, settings] if order == "first" else [settings, image]) + "}"
    found, rest = read(body.encode(), size)
    assert found == DOCUMENT
    assert rest == {"image": "", "settings": SETTINGS}


def test_many_small_pieces_are_read_in_one_go() -> None:
    # Each piece that is looked at twice makes this take minutes.
    rest = {f"key {number}": "text" for number in range(40_000)} | {"nested": [[]] * 50_000}
    text = "".join(f"\\u{ord(character):04x}" for character in ENCODED * 16)
    assert len(DOCUMENT) % 3 == 0
    found, read_rest = read(f'{json.dumps(rest)[:-1]}, "image": "{text}"}}'.encode(), 1 << 18)
    assert found == DOCUMENT * 16
    assert read_rest == {**rest, "image": ""}


def test_every_truncation_is_noticed() -> None:
    body = json.dumps({"image": base64.b64encode(b"a document").decode(), "settings": {}}).encode()
    for end in range(len(body)):
        with pytest.raises(ValueError):  # noqa: PT011  # whatever it says, it is one
            read(body[:end], 7)


@pytest.mark.parametrize(
    "body",
    [b'{"image": "QQ", "settings": {}}', b'{"image": "Q Q="}', b'{"image": "\\u00QQ"}', b'{"image": "Q\xff=="}'],
)
def test_bad_base64_is_noticed(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says, it is one
        read(body, 100)


def test_the_rest_may_not_be_huge() -> None:
    # The text has no end: it is refused as it comes.
    with pytest.raises(ValueError, match="too large"):
        Base64Field("image", lambda _: None).feed(b'{"x": "' + b"y" * (2 << 20))


def test_a_document_that_is_no_text_is_not_found() -> None:
    field = Base64Field("image", lambda _: None)
    field.feed(b'{"image": null}')
    assert field.close() == {"image": None}
    assert not field.found
