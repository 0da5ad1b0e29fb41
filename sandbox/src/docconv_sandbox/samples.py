"""Tiny documents of each kind, made on the spot: valid ones, an encrypted one and a broken one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

#: Opens ``encrypted.pptx``.
PASSWORD = "open sesame"  # noqa: S105  # it guards a sample
_TEXT = "A sample document"
_TYPES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>"""
_OVERRIDE = '<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}+xml"/>'
_RELATIONS = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Target="{target}"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"/></Relationships>"""
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ITS_ID = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_samples(folder: Path) -> list[Path]:
    """
    Write the documents, and return where they are.

    :param folder: made when it is missing; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in _SAMPLES.items():
        path = folder / name
        path.write_bytes(make())
        written.append(path)
    return written


def presentation() -> bytes:
    """Make a presentation with two slides."""
    from pptx import Presentation

    made, file = Presentation(), io.BytesIO()
    for number in (1, 2):
        slide = made.slides.add_slide(made.slide_layouts[5])
        slide.shapes.title.text = f"{_TEXT}, slide {number}"
    made.save(file)
    return file.getvalue()


def encrypted() -> bytes:
    """Make a presentation that :data:`PASSWORD` opens."""
    from msoffcrypto.format.ooxml import OOXMLFile  # type: ignore[import-untyped]  # it has no types

    file = io.BytesIO()
    OOXMLFile(io.BytesIO(presentation())).encrypt(PASSWORD, file)
    return file.getvalue()


def text_document() -> bytes:
    """Make a text document with one paragraph."""
    body = f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:t>{_TEXT}</w:t></w:r></w:p></w:body></w:document>'
    return _package("word/document.xml", "wordprocessingml.document.main", {"word/document.xml": body})


def workbook(text: str = _TEXT) -> bytes:
    """
    Make a workbook with one cell.

    :param text: what is in it.
    """
    book = f"""<workbook xmlns="{_SHEET}" xmlns:r="{_ITS_ID}">
<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"""
    cell = f'<c r="A1" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
    sheet = f'<worksheet xmlns="{_SHEET}"><sheetData><row r="1">{cell}</row></sheetData></worksheet>'
    relations = _RELATIONS.format(kind="worksheet", target="worksheets/sheet1.xml")
    parts = {"xl/workbook.xml": book, "xl/worksheets/sheet1.xml": sheet, "xl/_rels/workbook.xml.rels": relations}
    return _package("xl/workbook.xml", "spreadsheetml.sheet.main", parts)


def pdf() -> bytes:
    """Make a PDF with an empty page."""
    import pypdfium2  # type: ignore[import-untyped]  # it has no types

    made, file = pypdfium2.PdfDocument.new(), io.BytesIO()
    made.new_page(595, 842)
    made.save(file)
    return file.getvalue()


def picture(kind: str) -> bytes:
    """
    Make a picture of a scanned page.

    :param kind: its format, as Pillow names it.
    """
    from PIL import Image, ImageDraw

    page, file = Image.new("RGB", (600, 200), "white"), io.BytesIO()
    ImageDraw.Draw(page).text((40, 80), _TEXT, fill="black", font_size=40)
    page.save(file, kind)
    return file.getvalue()


def scan() -> bytes:
    """Make a DjVu scan: an empty page."""
    width, height = 600, 200
    info = (
        width.to_bytes(2, "big")
        + height.to_bytes(2, "big")
        + bytes([24, 0])
        + (300).to_bytes(2, "little")
        + b"\x16\x00"
    )
    content = b"DJVUINFO" + len(info).to_bytes(4, "big") + info
    return b"AT&TFORM" + len(content).to_bytes(4, "big") + content


def _package(main: str, kind: str, parts: dict[str, str]) -> bytes:
    overrides = _OVERRIDE.format(part=main, kind=kind)
    if "worksheets" in "".join(parts):
        overrides += _OVERRIDE.format(part="xl/worksheets/sheet1.xml", kind="spreadsheetml.worksheet")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", _TYPES.format(overrides=overrides))
        package.writestr("_rels/.rels", _RELATIONS.format(kind="officeDocument", target=main))
        for name, text in parts.items():
            package.writestr(name, text)
    return file.getvalue()


_SAMPLES: dict[str, Callable[[], bytes]] = {
    "deck.pptx": presentation,
    "encrypted.pptx": encrypted,
    "broken.pptx": lambda: presentation()[:2000],
    "text.docx": text_document,
    "table.xlsx": workbook,
    "page.pdf": pdf,
    "page.png": lambda: picture("PNG"),
    "page.jpg": lambda: picture("JPEG"),
    "page.tiff": lambda: picture("TIFF"),
    "scan.djvu": scan,
}
