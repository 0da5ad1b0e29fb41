"""The pages that documents tell, written by the programs that people have."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pypdf
import pytest
from docx import Document as WordDocument
from pptx import Presentation

from airflow_provider_docconv.batch.estimate import Estimate, count_pages
from airflow_provider_docconv.services.documents import Document


def document(content: bytes, name: str = "a") -> Document:
    return Document(name, lambda: io.BytesIO(content), len(content))


def presentation(slides: int) -> bytes:
    made, file = Presentation(), io.BytesIO()
    for _ in range(slides):
        made.slides.add_slide(made.slide_layouts[6])
    made.save(file)
    return file.getvalue()


def pdf(pages: int, password: str | None = None) -> bytes:
    writer, file = pypdf.PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(file)
    return file.getvalue()


def word(pages: int | None) -> bytes:
    """Write a document as Word saves it: python-docx notes no pages, so they are added as Word does."""
    file, noted = io.BytesIO(), io.BytesIO()
    WordDocument().save(file)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(noted, "w") as new:
        for each in old.infolist():
            content = old.read(each)
            if each.filename == "docProps/app.xml":
                content = content.replace(b"<Pages>1</Pages>", b"" if pages is None else b"<Pages>%d</Pages>" % pages)
            new.writestr(each, content)
    return noted.getvalue()


def text(pages: int) -> bytes:
    from odf.opendocument import OpenDocumentText

    made, file = OpenDocumentText(), io.BytesIO()
    made.save(file)
    noted = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(noted, "w") as new:
        for each in old.infolist():
            content = old.read(each)
            if each.filename == "meta.xml":
                statistic = b'<meta:document-statistic meta:page-count="%d"/></office:meta>' % pages
                content = content.replace(b"</office:meta>", statistic)
            new.writestr(each, content)
    return noted.getvalue()


def workbook() -> bytes:
    file = io.BytesIO()
    openpyxl.Workbook().save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "pages"),
    [
        (presentation(3), 3),
        (presentation(12), 12),
        (pdf(7), 7),
        (word(23), 23),
        (word(None), None),
        (text(5), 5),
        (workbook(), None),
        (b"plain text", None),
        (b"", None),
    ],
    ids=["3 slides", "12 slides", "pdf", "word", "word without", "odt", "xlsx", "text", "empty"],
)
def test_what_a_file_tells(content: bytes, pages: int | None) -> None:
    assert count_pages(document(content)) == pages


def broken() -> list[bytes]:
    whole = [pdf(3), presentation(3)]
    return [
        *(content[: len(content) // 2] for content in whole),
        b"%PDF-1.7\n" + b"\xff" * 5000,
        b"%PDF-1.7\n1 0 obj<</Type/Pages/Count 99999999999999>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        b"PK\x03\x04" + b"\0" * 5000,
        whole[1].replace(b"ppt/slides/slide1.xml", b"ppt/slides/slide1\xff\xff\xff\xff"),
        word(9_999_999),
        pdf(2, "secret"),
    ]


@pytest.mark.parametrize("content", broken())
def test_what_is_broken_or_hostile_tells_nothing_or_something_plausible(content: bytes) -> None:
    found = count_pages(document(content))
    assert found is None or 0 < found <= 3


def test_a_member_that_unpacks_to_gigabytes_is_read_in_part_only(tmp_path: Path) -> None:
    file = tmp_path / "bomb.docx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package, package.open("docProps/app.xml", "w") as part:
        for _ in range(64):
            part.write(b" " * (1 << 20))
        part.write(b"<Pages>5</Pages>")
    assert count_pages(document(file.read_bytes())) is None


@pytest.mark.parametrize(
    ("estimate", "sentence"),
    [
        (
            Estimate(1200, 0, {"start": 100, "status": 400, "result": 100}),
            "1,200 pages or slides; calls: about 100 start, about 400 status, about 100 result",
        ),
        (Estimate(0, 3, {}), "0 pages or slides and 3 documents of unknown length; calls: none"),
    ],
)
def test_the_sentence(estimate: Estimate, sentence: str) -> None:
    assert str(estimate) == sentence
