"""Writes the documents that are not published anywhere, with the usual libraries."""

from __future__ import annotations

import io
import zipfile

import docx
import msoffcrypto.format.ooxml  # type: ignore[import-untyped]  # it has no types
import openpyxl
import openpyxl.chart
from PIL import Image, ImageDraw
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide
from pptx.util import Cm

from dev.environment import ROOT

MONTHS = ("January", "February", "March", "April", "May", "June")
PASSWORD = "a password that the Dag was not told"  # noqa: S105  # nobody is meant to open it
TITLE_ONLY = 5


def deck(slides: int, title: str) -> bytes:
    """
    Write a deck whose slides show a table, a chart and a picture in turn.

    :param slides: how many slides.
    :param title: what it is about.
    """
    presentation = Presentation()
    draw = (add_table, add_chart, add_picture)
    for number in range(1, slides + 1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[TITLE_ONLY])
        slide.shapes.title.text = f"{title}, part {number}"
        draw[number % len(draw)](slide, number)
    return saved(presentation)


def add_table(slide: Slide, number: int) -> None:
    """Put a table with half a year's figures on a slide."""
    table = slide.shapes.add_table(len(MONTHS) + 1, 3, Cm(2), Cm(4.5), Cm(21), Cm(10)).table
    rows = [("Month", "Documents", "Pages"), *((m, figure(number, i), figure(i, number)) for i, m in enumerate(MONTHS))]
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            table.cell(row, column).text = str(value)


def add_chart(slide: Slide, number: int) -> None:
    """Put a bar chart on a slide."""
    data = CategoryChartData()  # type: ignore[no-untyped-call]  # it has no types
    data.categories = MONTHS
    data.add_series("Documents", [figure(number, i) for i in range(len(MONTHS))])  # type: ignore[no-untyped-call]  # it has no types
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Cm(2), Cm(4.5), Cm(21), Cm(12), data)  # type: ignore[arg-type]  # as above


def add_picture(slide: Slide, number: int) -> None:
    """Put a picture on a slide."""
    picture = Image.new("RGB", (640, 360), (240, 244, 250))
    pen = ImageDraw.Draw(picture)
    for ring in range(12):
        edge = 14 * ring
        shade = ((40 * number + 12 * ring) % 256, (90 + 9 * ring) % 256, (200 - 11 * ring) % 256)
        pen.ellipse((140 + edge, edge, 500 - edge, 359 - edge), fill=shade)
    file = io.BytesIO()
    picture.save(file, "PNG")
    slide.shapes.add_picture(file, Cm(2), Cm(4.5), width=Cm(21))


def figure(a: int, b: int) -> int:
    """Return a number that looks counted and is the same each time."""
    return 100 + (37 * a + 101 * b) % 900


def saved(presentation: Deck) -> bytes:
    """Return a deck's bytes."""
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def report() -> bytes:
    """Write the big deck."""
    return deck(60, "Annual report")


def slide_show() -> bytes:
    """Write a deck that opens as a running show: the same package under another content type."""
    source = io.BytesIO(deck(6, "Welcome"))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            data = old.read(part)
            if part.filename == "[Content_Types].xml":
                data = data.replace(b"presentationml.presentation.main+xml", b"presentationml.slideshow.main+xml")
            new.writestr(part, data)
    return target.getvalue()


def workbook() -> bytes:
    """Write a workbook with two sheets, formulas and a chart."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Documents"
    sheet.append(["Month", "Decks", "Letters", "Scans", "All"])
    for row, month in enumerate(MONTHS, start=2):
        sheet.append([month, *(figure(row, column) for column in range(3)), f"=SUM(B{row}:D{row})"])
    chart = openpyxl.chart.BarChart()
    last = len(MONTHS) + 1
    figures = openpyxl.chart.Reference(sheet, min_col=2, max_col=4, min_row=1, max_row=last)
    chart.add_data(figures, titles_from_data=True)
    chart.set_categories(openpyxl.chart.Reference(sheet, min_col=1, min_row=2, max_row=last))
    sheet.add_chart(chart, "G2")
    details = book.create_sheet("Details")
    for row in range(1, 121):
        details.append([f"document-{row:03}.pptx", figure(row, 1), MONTHS[row % len(MONTHS)]])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def letter(text: str, title: str) -> bytes:
    """
    Write a text document.

    :param text: its paragraphs, with an empty line between two of them.
    :param title: its heading.
    """
    document = docx.Document()
    document.add_heading(title, level=1)
    for paragraph in text.split("\n\n"):
        document.add_paragraph(" ".join(paragraph.split()))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def licence() -> bytes:
    """Write the project's licence as a text document."""
    return letter((ROOT / "LICENSE").read_text(), "The licence of this project")


def damaged() -> bytes:
    """Write the first half of a deck, as a broken upload leaves it."""
    whole = deck(9, "Lost on the way")
    return whole[: len(whole) // 2]


def encrypted() -> bytes:
    """Write a text document that opens with a password only."""
    plain = io.BytesIO(letter("Nobody who reads this has guessed the password.", "Confidential"))
    target = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt(PASSWORD, target)
    return target.getvalue()
