"""What a ZIP archive is, by its first bytes: the real writers' documents, and archives of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import docx
import openpyxl
import pptx
import pytest

from airflow_provider_docconv.services.filetypes import is_image_archive, kind_of, package_kind

HEAD = 1 << 20
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def saved(save: Callable[[Any], Any]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def typed(media_type: str) -> bytes:
    return packed({"mimetype": media_type.encode(), "content.xml": b"<x/>"})


DECK = saved(pptx.Presentation().save)
KINDS = {
    "pptx": DECK,
    "docx": saved(docx.Document().save),
    "xlsx": saved(openpyxl.Workbook().save),
    "odt": typed(f"{OPEN_DOCUMENT}text"),
    "ott": typed(f"{OPEN_DOCUMENT}text-template"),
    "odp": typed(f"{OPEN_DOCUMENT}presentation"),
    "ods": typed(f"{OPEN_DOCUMENT}spreadsheet"),
    "epub": typed("application/epub+zip"),
}
ARCHIVES = {
    "pages": packed({"1.png": b"\x89PNG"}),
    "decks": packed({"slide_1.pptx": DECK, "slide_2.pptx": DECK}),
    "other": typed("application/x-other"),
    "another": typed(f"{OPEN_DOCUMENT}text-web"),
    "no parts": packed({"[Content_Types].xml": b"<x/>"}),
    "no name": b"PK\x03\x04",
    "half a name": packed({"[Content_Types].xml": b"<x/>"})[:40],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_no_mere_archive(kind: str) -> None:
    head = KINDS[kind][:HEAD]
    assert kind_of(head) == kind
    assert not is_image_archive(f"a.{kind}", head)


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=list(ARCHIVES))
def test_an_archive_is_one(content: bytes) -> None:
    assert package_kind(content) == "zip"
    assert not is_image_archive("a.zip", content)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_decks_is_no_deck(method: int) -> None:
    archive = packed({"slide_1.pptx": DECK}, method)
    assert is_image_archive("deck.pptx", archive[:1024])
    assert not is_image_archive("deck.pptx", packed({"ppt/embeddings/figures.xlsx": b"PK"}, method))
