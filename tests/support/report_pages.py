"""Report pages, and what a browser makes of them."""

from __future__ import annotations

import io
import unicodedata
from html.parser import HTMLParser
from typing import Any

from msgspec.structs import replace

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.report import ReportLine, write_html
from airflow_provider_docconv.transfer.delivery import DeliveredFile

STATES = tuple(DocumentState)
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>' onmouseover='alert(1)",
    "</style></title></textarea><h1>Delivered</h1>",
    "</td></tr></tbody></table><!-- ",
    "&lt;script&gt;&#x3c;b&#x3e;&amp",
    "]]><![CDATA[<?php ?>",
    "invoice\u202efdp.exe",
    "a\u2066b\u2069c\u200bd\ufeffe",
    "one\ntwo\r\nthree\u2028four\u0085five\x00\x1b[31m",
    "caf\udce9.pptx \ud83d\ude00",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
)
PLAIN = ReportLine(
    source="s3://bucket/decks/quarter.pptx",
    state=DocumentState.DELIVERED,
    target_format="pdf",
    results=({"uri": "s3://bucket/pdf/quarter.pdf", "size": 1234567, "sha256": "0123456789abcdef" * 4},),
    operation_id="operation-1",
    attempts=2,
    lost_replies=1,
    size=7654321,
    source_sha256="fedcba9876543210" * 4,
    seconds_at_service=63.2,
    seconds_waited=12.0,
    error="the service refused the document",
    error_type="DocumentRejected",
    remedy="repair it",
)
SUMMARY = {
    "documents": 5,
    "bytes_in": 1_500_000_000,
    "bytes_out": 999_999,
    "calls": {"start": 197, "status": 1610},
    "seconds": 312.4,
    "began": "2026-11-24T02:00:00+00:00",
    "report": "s3://bucket/pdf/report.jsonl",
}


class Page(HTMLParser):
    """A page as a browser reads it: its elements, and the text of the cells in each section."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.skeleton: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.text = ""
        self._section = ""
        self._in_body = self._in_cell = False
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skeleton.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.rows[self._section] = []
        elif tag == "tr":
            self.rows[self._section].append([])
        elif tag == "td":
            self.rows[self._section][-1].append("")
        self._in_body = self._in_body or tag == "body"
        self._in_cell = tag == "td" or (self._in_cell and tag != "tr")

    def handle_endtag(self, tag: str) -> None:
        self.skeleton.append(("/" + tag,))
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        self.text += data if self._in_body else ""
        if self._in_cell:
            self.rows[self._section][-1][-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    def body_rows(self, section: str) -> list[list[str]]:
        return [cells for cells in self.rows.get(section, []) if cells]


def page(*lines: ReportLine, title: str = "Report", summary: dict[str, Any] | None = None) -> Page:
    file = io.BytesIO()
    write_html(file, title, SUMMARY if summary is None else summary, lambda: iter(lines))
    return Page(file.getvalue())


def filled(text: str, state: DocumentState) -> ReportLine:
    """Return a document whose every text is the given one."""
    result = DeliveredFile(uri=text, size=1, sha256=text)
    return replace(
        PLAIN,
        source=text,
        state=state,
        target_format=text,
        results=(result,),
        operation_id=text,
        error=text,
        error_type=text,
        remedy=text,
    )


INVISIBLE = set("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def hidden(text: str) -> set[str]:
    """Return the characters that a browser does not show, or that change the order of others."""
    return {char for char in text if char in INVISIBLE or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")}


def visible(text: str) -> str:
    return "".join(f"[U+{ord(char):04X}]" if hidden(char) else char for char in text)
