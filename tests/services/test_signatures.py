"""What is refused before it is sent and paid, judged by the first bytes."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.services.errors import DocumentRejected
from airflow_provider_docconv.services.filetypes import (
    OLE,
    ZIP,
    extension,
    fits,
    fits_result,
    is_image_archive,
    kind_of,
    require_convertible,
)
from tests.support.flows import document


def ole(*, encrypted: bool, shift: int = 9, sector: int = 1) -> bytes:
    """Build the parts of an OLE compound file that tell an encrypted Office file (MS-CFB 2.2, 2.6.1)."""
    header = bytearray(OLE.ljust(512, b"\0"))
    struct.pack_into("<H", header, 30, shift)
    struct.pack_into("<I", header, 48, sector)
    entry = ("EncryptedPackage" if encrypted else "WordDocument").encode("utf-16-le").ljust(64, b"\0")
    return bytes(header).ljust((sector + 1) << shift, b"\0") + b"\0" * 128 + entry


GOOD = {
    "deck.pptx": ZIP + b"...",
    "old.pptx": ole(encrypted=False),
    "letter.DOCX": b"PK\x05\x06",
    "open.odt": ZIP,
    "scan.djvu": b"AT&TFORM",
    "paper.pdf": b"\r\n%PDF-1.7",
    "notes.txt": b"anything",
    "letter.doc": b"{\\rtf1",
    "nothing": b"x",
    ".pptx": b"x",
}


@pytest.mark.parametrize(("name", "content"), GOOD.items())
def test_what_a_service_may_be_able_to_convert_is_sent(name: str, content: bytes) -> None:
    require_convertible(document(content, name), "X", has_password=False)


BAD = {
    "empty.pptx": (b"", "is empty"),
    "empty": (b"", "is empty"),
    "page.docx": (b"\n<!DOCTYPE html><p>", "it is an HTML page"),
    "paper.pptx": (b"%PDF-1.7", "it is a PDF"),
    "scan.pdf": (b"AT&TFORM", "it is a DjVu file"),
    "deck.djvu": (ZIP, "it is a ZIP archive"),
    "deck.djv": (OLE, "it is an old binary Office file"),
    "noise.xlsx": (b"\x00\x01noise", r"it begins with b'\\x00\\x01noise'"),
    "secret.docx": (ole(encrypted=True), "is encrypted"),
    "large.pptx": (ole(encrypted=True, shift=12, sector=300), "is encrypted"),
}


@pytest.mark.parametrize(("name", "content", "words"), [(name, *rest) for name, rest in BAD.items()])
def test_what_no_service_could_convert_is_refused(name: str, content: bytes, words: str) -> None:
    with pytest.raises(DocumentRejected, match=words) as raised:
        require_convertible(document(content, name), "X Cloud", has_password=False)
    text = str(raised.value)
    assert text.startswith(f"{name}: ")
    assert "was not sent to X Cloud" in text


def test_an_encrypted_document_with_its_password_is_sent() -> None:
    require_convertible(document(ole(encrypted=True), "a.docx"), "X", has_password=True)


@given(st.binary(max_size=600), st.sampled_from(["a.docx", "a.pdf", "a.djvu", "a.bin"]), st.booleans())
def test_any_bytes_are_sent_or_refused(content: bytes, name: str, with_header: bool) -> None:
    whole = OLE + content.ljust(600, b"\1") if with_header else content
    with contextlib.suppress(DocumentRejected):
        require_convertible(document(whole, name), "X", has_password=False)


@pytest.mark.parametrize(
    ("name", "head", "archive"),
    [
        ("pages.png", ZIP, True),
        ("pages", ZIP, True),
        ("a.tiff", ZIP, True),
        ("a.html", ZIP, True),
        ("deck.pptx", ZIP, False),
        ("letter.ODT", ZIP, False),
        ("pages.zip", ZIP, False),
        ("page.png", b"\x89PNG", False),
    ],
)
def test_a_zip_of_pages_is_known_by_its_content(name: str, head: bytes, archive: bool) -> None:
    assert is_image_archive(name, head) is archive


KINDS = {
    b"%PDF-1.4": "pdf",
    ZIP: "zip",
    b"\x89PNG": "png",
    b"\xff\xd8\xff\xe0": "jpg",
    b"GIF89a": "gif",
    b"MM\0*": "tiff",
    b"AT&TFORM": "djvu",
    b"a text": "",
    b"": "",
}


def test_kinds_and_extensions() -> None:
    assert {head: kind_of(head) for head in KINDS} == KINDS
    assert [extension(name) for name in ("a.PDF", "a.tar.gz", ".hidden", "none", "a.")] == ["pdf", "gz", "", "", ""]


@pytest.mark.parametrize("end", ["html", "svg", "xml", "fodp"])
@pytest.mark.parametrize("head", [b"<svg>", b"\xef\xbb\xbf \r\n<!DOCTYPE html>", "<html>".encode("utf-16")])
def test_markup_begins_with_a_tag(end: str, head: bytes) -> None:
    assert fits_result(end, head)
    assert not fits_result(end, b'{"error": "Please log in"}')
    assert fits(end, b"a page that a person has written")
