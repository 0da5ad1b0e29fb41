"""Documents made on the spot, so that no one else's work lies in this repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msoffcrypto
import openpyxl
from docx import Document
from odf.draw import Frame, Page, TextBox
from odf.opendocument import OpenDocumentPresentation, OpenDocumentText
from odf.style import MasterPage, PageLayout
from odf.text import P
from pptx import Presentation

SCAN = Path(__file__).parents[2] / "tests" / "data" / "project_scan.djvu"
PASSWORD = "correct horse"
# For the engine echo, which does not read them.
DECK = b"PK\x03\x04 a deck, or near enough"
NEAR_SCAN = b"AT&TFORM\0\0\0\0DJVU a scan, or near enough"


def sha256(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def pptx(path: Path, slides: int = 3) -> Path:
    presentation = Presentation()
    for number in range(1, slides + 1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Slide number {number}"
        slide.placeholders[1].text = "Nothing lost, nothing paid twice."
    presentation.save(path)
    return path


def docx(path: Path, pages: int = 3) -> Path:
    document = Document()
    for number in range(1, pages + 1):
        document.add_heading(f"Page number {number}")
        if number < pages:
            document.add_page_break()
    document.save(path)
    return path


def xlsx(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["documents", 42])
    book.save(path)
    return path


def odp(path: Path) -> Path:
    document = OpenDocumentPresentation()
    layout = PageLayout(name="layout")
    document.automaticstyles.addElement(layout)
    master = MasterPage(name="master", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    page = Page(masterpagename=master)
    document.presentation.addElement(page)
    frame = Frame(width="600pt", height="60pt", x="40pt", y="10pt")
    page.addElement(frame)
    box = TextBox()
    frame.addElement(box)
    box.addElement(P(text="An open slide"))
    document.save(path)
    return path


def odt(path: Path) -> Path:
    document = OpenDocumentText()
    document.text.addElement(P(text="An open text"))
    document.save(path)
    return path


def encrypted(plain: Path, path: Path) -> Path:
    with plain.open("rb") as source, path.open("wb") as target:
        msoffcrypto.OfficeFile(source).encrypt(PASSWORD, target)
    return path


def truncated(whole: Path, path: Path) -> Path:
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path
