"""The text of a document, by its structure: headings, paragraphs, lists and tables; as Markdown, HTML, text or JSON."""

from __future__ import annotations

import csv
import html
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docconv_sandbox import formats
from docconv_sandbox.engines.base import Work
from docconv_sandbox.engines.decks import open_deck
from docconv_sandbox.engines.pages import open_pdf
from docconv_sandbox.errors import Cause, ConversionError

if TYPE_CHECKING:
    from docconv_sandbox.job import Job

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM")
_LARGEST_PART = 64 << 20
_MOST_ROWS = 100_000
_PICTURE = "<!-- image -->"


class Block(NamedTuple):
    """
    A part of a document.

    :param kind: ``h1`` to ``h6``, ``p``, ``li``, ``table`` or ``picture``.
    :param text: its text.
    :param rows: the rows of a table.
    """

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def extract(document: Path, source: str, job: Job, work: Work) -> tuple[Path, int]:
    """
    Extract a document's text into a file, and count its pages.

    :param document: the document.
    :param source: its format, by its content.
    :param job: the target and the pages.
    :param work: where to do it.
    """
    reader = _READERS.get(source)
    if reader is None:
        raise ConversionError(Cause.UNSUPPORTED, f"The sandbox extracts no text of {source} documents.")
    try:
        blocks = list(reader(document, job, work))
    except ConversionError:
        raise
    except Exception as error:  # Parsers raise all kinds for an unsound document; all mean the same.
        raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
    output = work.folder / f"document.{job.target}"
    output.write_text(_WRITERS[job.target](blocks), encoding="utf-8")
    pages = formats.count_pages(document, source)
    work.report(pages or 1, pages or 1, "Converted")
    return output, pages


def source_of(document: Path, name: str) -> str:
    """
    Tell a document's format, of which there are more than for other services.

    :param document: the document.
    :param name: the name it came with.
    """
    with document.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_IMAGES):
        return "image"
    claimed = formats.extension(name)
    if claimed in {"html", "md"} and b"\0" not in head and head:
        return claimed
    return formats.sniff(document, name)


# --- Reading ---


def _docx(document: Path, job: Job, work: Work) -> Iterator[Block]:
    body = _part(document, "word/document.xml").find(f"{_WORD}body")
    for element in body if body is not None else ():
        if element.tag == f"{_WORD}tbl":
            yield Block("table", rows=tuple(_word_row(row) for row in element.iter(f"{_WORD}tr")))
        elif element.tag == f"{_WORD}p" and (text := _word_text(element)):
            style = element.find(f"{_WORD}pPr/{_WORD}pStyle")
            name = "" if style is None else style.get(f"{_WORD}val", "")
            level = re.fullmatch(r"(?:Heading|berschrift)([1-6])", name)
            listed = name.startswith("List") or element.find(f"{_WORD}pPr/{_WORD}numPr") is not None
            yield Block("h1" if name == "Title" else f"h{level[1]}" if level else "li" if listed else "p", text)


def _word_row(row: Any) -> tuple[str, ...]:
    return tuple(" ".join(filter(None, map(_word_text, cell.iter(f"{_WORD}p")))) for cell in row.iter(f"{_WORD}tc"))


def _word_text(paragraph: Any) -> str:
    return _line("".join(" " if each.tag != f"{_WORD}t" else each.text or "" for each in paragraph.iter(
        f"{_WORD}t", f"{_WORD}tab", f"{_WORD}br"
    )))  # fmt: skip


def _pptx(document: Path, job: Job, work: Work) -> Iterator[Block]:
    for slide in open_deck(document).slides:
        title = slide.shapes.title
        for shape in slide.shapes:
            if shape.has_text_frame:
                kind = "h1" if title is not None and shape.shape_id == title.shape_id else "p"
                lines = [(each.level, _line(each.text)) for each in shape.text_frame.paragraphs]
                if kind == "h1":
                    lines = [(0, _line(" ".join(text for _, text in lines)))]
                many = kind == "p" and len(lines) > 1
                yield from (Block("li" if many else kind, text) for _, text in lines if text)
            elif shape.has_table:
                rows = shape.table.rows
                yield Block("table", rows=tuple(tuple(_line(cell.text) for cell in row.cells) for row in rows))
            elif shape.shape_type == 13:  # A picture, as MSO_SHAPE_TYPE numbers it.
                yield Block("picture")


def _xlsx(document: Path, job: Job, work: Work) -> Iterator[Block]:
    with zipfile.ZipFile(document) as archive:
        names = archive.namelist()
    shared = []
    if "xl/sharedStrings.xml" in names:
        shared = [
            "".join(text.text or "" for text in each.iter(f"{_SHEET}t"))
            for each in _part(document, "xl/sharedStrings.xml").iter(f"{_SHEET}si")
        ]
    titles = [each.get("name", "") for each in _part(document, "xl/workbook.xml").iter(f"{_SHEET}sheet")]
    sheets = sorted((name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)), key=_number)
    for title, name in zip(titles, sheets, strict=False):
        rows = [_sheet_row(row, shared) for row in islice(_part(document, name).iter(f"{_SHEET}row"), _MOST_ROWS)]
        if title:
            yield Block("h2", _line(title))
        if any(rows):
            yield Block("table", rows=tuple(rows))


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name))


def _sheet_row(row: Any, shared: list[str]) -> tuple[str, ...]:
    cells = []
    for cell in row.iter(f"{_SHEET}c"):
        value = cell.find(f"{_SHEET}v")
        text = "" if value is None else value.text or ""
        if cell.get("t") == "s" and text.isdecimal():
            text = shared[int(text)]
        elif cell.get("t") == "inlineStr":
            text = "".join(each.text or "" for each in cell.iter(f"{_SHEET}t"))
        cells.append(_line(text))
    return tuple(cells)


def _pdf(document: Path, job: Job, work: Work) -> Iterator[Block]:
    with open_pdf(document, work) as pdf:
        for number in job.chosen(len(pdf)) if job.selects else range(1, len(pdf) + 1):
            text = pdf[number - 1].get_textpage().get_text_range()
            paragraphs = [_line(each) for each in re.split(r"(?:\r?\n\s*){2,}", text)]
            yield from (Block("p", each) for each in paragraphs if each)
            if not any(paragraphs):
                yield Block("picture")


def _html(document: Path, job: Job, work: Work) -> Iterator[Block]:
    reader = _HtmlReader()
    reader.feed(document.read_text("utf-8", "replace"))
    reader.close()
    reader.end("p")
    yield from reader.blocks


def _csv(document: Path, job: Job, work: Work) -> Iterator[Block]:
    with document.open(encoding="utf-8", errors="replace", newline="") as file:
        yield Block("table", rows=tuple(tuple(map(_line, row)) for row in islice(csv.reader(file), _MOST_ROWS)))


def _plain(document: Path, job: Job, work: Work) -> Iterator[Block]:
    for text in re.split(r"(?:\r?\n[ \t]*){2,}", document.read_text("utf-8", "replace")):
        if heading := re.match(r"(#{1,6}) +(.*)", text):
            yield Block(f"h{len(heading[1])}", _line(heading[2]))
        elif line := _line(text):
            yield Block("p", line)


def _picture(document: Path, job: Job, work: Work) -> Iterator[Block]:
    yield Block("picture")


class _HtmlReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._rows: list[list[str]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in {"script", "style", "title"}:
            self._hidden += 1
        elif tag == "tr":
            self._rows.append([])
        elif tag == "img":
            self.blocks.append(Block("picture"))
        elif tag in {"p", "div", "li", "table", "h1", "h2", "h3", "h4", "h5", "h6"}:
            self.end("p")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "title"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in {"td", "th"} and self._rows:
            self._rows[-1].append(self._take())
        elif tag == "table" and self._rows:
            self.blocks.append(Block("table", rows=tuple(map(tuple, self._rows))))
            self._rows = []
        elif tag in {"p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6"}:
            self.end("p" if tag == "div" else tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text.append(data)

    def end(self, kind: str) -> None:
        if not self._rows and (text := self._take()):
            self.blocks.append(Block(kind, text))

    def _take(self) -> str:
        text = _line("".join(self._text))
        self._text = []
        return text


_Reader = Callable[[Path, "Job", Work], Iterator[Block]]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(("docx", "docm", "dotx"), _docx),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"), _pptx),
    **dict.fromkeys(("xlsx", "xlsm", "xltx"), _xlsx),
    **dict.fromkeys(("txt", "md"), _plain),
    "csv": _csv,
    "html": _html,
    "image": _picture,
    "pdf": _pdf,
}


def _part(document: Path, name: str) -> Any:
    from lxml import etree  # type: ignore[import-untyped]  # it has no types

    with zipfile.ZipFile(document) as archive, archive.open(name) as part:
        content = part.read(_LARGEST_PART)
    # Entities could fetch files, or grow without end.
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _line(text: str) -> str:
    return " ".join(text.split())


# --- Writing ---


def _markdown(blocks: list[Block]) -> str:
    parts = []
    for block in blocks:
        match block.kind:
            case "table":
                parts.append(_markdown_table(block.rows))
            case "picture":
                parts.append(_PICTURE)
            case "li":
                parts.append(f"- {block.text}")
            case "p":
                parts.append(block.text)
            case heading:
                parts.append(f"{'#' * int(heading[1])} {block.text}")
    text = "\n\n".join(parts)
    return re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", text) + ("\n" if text else "")


def _markdown_table(rows: tuple[tuple[str, ...], ...]) -> str:
    width = max(map(len, rows), default=0)
    lines = ["| " + " | ".join([*(cell.replace("|", "\\|") for cell in row), *[""] * (width - len(row))]) + " |"
             for row in rows]  # fmt: skip
    return "\n".join([*lines[:1], "|" + "---|" * width, *lines[1:]])


def _web_page(blocks: list[Block]) -> str:
    parts = []
    for block in blocks:
        if block.kind == "table":
            cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in block.rows)
            parts.append(f"<table>{''.join(f'<tr>{each}</tr>' for each in cells)}</table>")
        elif block.kind == "picture":
            parts.append(_PICTURE)
        else:
            parts.append(f"<{block.kind}>{html.escape(block.text)}</{block.kind}>")
    return "<!DOCTYPE html>\n<html>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"


def _text(blocks: list[Block]) -> str:
    lines = ["\n".join("\t".join(row) for row in block.rows) if block.rows else block.text for block in blocks]
    return "\n\n".join(filter(None, lines)) + "\n"


def _json(blocks: list[Block]) -> str:
    labels = {"p": "text", "li": "list_item"}
    texts = [{"label": labels.get(each.kind, "section_header"), "text": each.text} for each in blocks if each.text]
    tables = [{"label": "table", "data": {"grid": each.rows}} for each in blocks if each.rows]
    return json.dumps({"schema_name": "DoclingDocument", "version": "1.0.0", "texts": texts, "tables": tables})


def _doctags(blocks: list[Block]) -> str:
    tags = {"p": "text", "li": "list_item", "picture": "picture"}
    lines = []
    for block in blocks:
        tag = tags.get(block.kind) or f"section_header_level_{block.kind[1]}"
        if block.kind == "table":
            rows = "".join("".join(f"<fcel>{html.escape(cell)}" for cell in row) + "<nl>" for row in block.rows)
            lines.append(f"<otsl>{rows}</otsl>")
        else:
            lines.append(f"<{tag}>{html.escape(block.text)}</{tag}>")
    return "<doctag>" + "\n".join(lines) + "</doctag>"


_WRITERS: dict[str, Callable[[list[Block]], str]] = {
    "md": _markdown,
    "html": _web_page,
    "text": _text,
    "json": _json,
    "doctags": _doctags,
}
