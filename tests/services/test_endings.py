"""A file that was cut off is told from a whole one by its end."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_docconv.services.errors import TruncatedResult
from airflow_provider_docconv.services.filetypes import TAIL, Inspection


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(file, kind)
    return file.getvalue()


def archive(comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("page.png", b"x" * 5000)
        made.comment = comment
    return file.getvalue()


WHOLE = {
    "PDF": b"%PDF-1.7\n" + b"x" * 5000 + b"\n%%EOF\n",
    "PDF after other bytes": b"\xef\xbb\xbf\r\n%PDF-1.4" + b"x" * 5000 + b"%%EOF",
    "PDF before other bytes": b"%PDF-1.4" + b"x" * 5000 + b"%%EOF" + b"\0" * 900,
    "ZIP": archive(),
    "ZIP with the longest comment": archive(b"c" * 0xFFFF),
    "PNG": picture("PNG"),
    "JPEG": picture("JPEG"),
    "DjVu": b"AT&TFORM" + struct.pack(">I", 5000) + b"DJVM".ljust(5000, b"x"),
    "XML": b'<?xml version="1.0"?><a>' + b"x" * 5000 + b"</a>\r\n",
    "SVG": b"\n<svg xmlns='x'>" + b"x" * 5000 + b"</svg>",
}


def inspect(content: bytes, piece: int = 700) -> Inspection:
    inspection = Inspection("the result")
    for at in range(0, len(content), piece):
        inspection.feed(content[at : at + piece])
    return inspection


@pytest.mark.parametrize("piece", [1, 700, 1 << 20])
@pytest.mark.parametrize("content", WHOLE.values(), ids=list(WHOLE))
def test_a_whole_file(content: bytes, piece: int) -> None:
    inspection = inspect(content, piece)
    inspection.require_whole()
    assert (inspection.size, inspection.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("content", WHOLE.values(), ids=list(WHOLE))
def test_a_file_that_was_cut_off(content: bytes, share: float) -> None:
    # Of what may follow the end of a file, anything may be missing.
    whole = content.rstrip(b"\0\r\nc")
    with pytest.raises(TruncatedResult, match="the result is incomplete: the "):
        inspect(whole[: int(len(whole) * share)]).require_whole()


@pytest.mark.parametrize("content", [b"plain text", b"GIF89a", b"II*\0", b"{\\rtf1", b"<p>", b"\xd0\xcf\x11\xe0", b""])
def test_of_other_kinds_no_end_is_known(content: bytes) -> None:
    inspection = inspect(content)
    inspection.require_whole()
    assert inspection.size == len(content)


def test_a_djvu_file_that_ends_in_its_header() -> None:
    with pytest.raises(TruncatedResult, match="ends in its header"):
        inspect(b"AT&TFORM\0\0").require_whole()


@given(st.lists(st.binary(max_size=3 * 1024), max_size=40), st.sampled_from([b"%PDF-1.7", b"PK\x03\x04", b"<svg>"]))
def test_the_pieces_do_not_matter(pieces: list[bytes], head: bytes) -> None:
    def verdict(parts: list[bytes]) -> str:
        inspection = Inspection("x")
        for part in parts:
            inspection.feed(part)
        try:
            inspection.require_whole()
        except TruncatedResult as error:
            return str(error)
        return "whole"

    content = head + b"".join(pieces) + b"%%EOF"
    assert verdict([head, *pieces, b"%%EOF"]) == verdict([content]) == verdict([content[:TAIL], content[TAIL:]])
