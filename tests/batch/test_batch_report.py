from __future__ import annotations

import io
import json
import math
import re
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.report import ReportLine, write_html, write_jsonl

STATES = ("delivered", "skipped", "rejected", "failed", "unfinished")
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
    state="delivered",
    target_format="pdf",
    results=[{"uri": "s3://bucket/pdf/quarter.pdf", "size": 1234567, "sha256": "0123456789abcdef" * 4}],
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
    "report": "s3://bucket/pdf/report.html",
}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the text of the cells in each section."""

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


def filled(text: str, state: str) -> ReportLine:
    """A document of which every text is one from outside."""
    result = {"uri": text, "size": 1, "sha256": text}
    return replace(
        PLAIN,
        source=text,
        state=state,
        target_format=text,
        results=[result],
        operation_id=text,
        error=text,
        error_type=text,
        remedy=text,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_becomes_markup(text: str) -> None:
    def made_of(text: str) -> Page:
        summary = {**SUMMARY, "began": text, "report": text, "calls": {text: 1}}
        lines = [filled(text, state) for state in (*STATES, text)]
        return page(*lines, title=text, summary=summary)

    hostile, plain = made_of(text), made_of("plain")
    assert hostile.skeleton == plain.skeleton
    of_ours = [attribute for attribute in plain.attributes if attribute[2] != "plain"]
    assert [attribute for attribute in hostile.attributes if attribute in of_ours] == of_ours
    theirs = [attribute for attribute in hostile.attributes if attribute not in of_ours]
    assert {(tag, name) for tag, name, _ in theirs} == {("code", "title")}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_hide_is_shown(text: str) -> None:
    seen = page(filled(text, "rejected"), title=text)
    assert not hidden(seen.text.replace("\n", ""))
    assert visible(text) in seen.body_rows("to-do")[0][0]


INVISIBLE = set("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def hidden(text: str) -> set[str]:
    """Characters that a browser shows as nothing, or that change the order of others."""
    return {char for char in text if char in INVISIBLE or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")}


def visible(text: str) -> str:
    return "".join(f"[U+{ord(char):04X}]" if hidden(char) else char for char in text)


def test_an_error_of_several_lines_is_one() -> None:
    assert (
        page(replace(PLAIN, state="failed", error="one\n  two\tthree"))
        .body_rows("to-do")[0][2]
        .startswith("One two three")
    )


def test_a_text_without_end_is_shortened_but_keeps_its_end() -> None:
    (cells,) = page(replace(PLAIN, source="s3://b/" + "x" * 100_000 + ".pptx")).body_rows("delivered")
    assert cells[0].startswith("s3://b/xxx")
    assert ".pptx" in cells[0]
    assert len(cells[0]) < 2000


def test_each_document_is_in_its_table() -> None:
    seen = page(*(replace(PLAIN, state=state, source=f"s3://bucket/{state}.pptx") for state in reversed(STATES)))
    names = {section: [cells[0].split(" ")[0] for cells in seen.body_rows(section)] for section in seen.rows}
    assert names == {
        "lost-replies": [],
        "to-do": [f"s3://bucket/{state}.pptx" for state in ("rejected", "failed", "unfinished")],
        "delivered": ["s3://bucket/delivered.pptx"],
        "skipped": ["s3://bucket/skipped.pptx"],
    }
    assert seen.body_rows("to-do")[0][1:] == [
        "rejected",
        "The service refused the document DocumentRejected",
        "Repair it",
    ]
    assert seen.body_rows("delivered")[0][1:] == ["s3://bucket/pdf/quarter.pdf", "1.2 MB", "1 min 03 s", "0123456789ab"]
    assert ("code", "title", "0123456789abcdef" * 4) in seen.attributes
    assert "1 document needs a person, the next try or night converts 2 more." in seen.text
    assert ("details", "open", "") not in seen.attributes


def test_the_operation_of_a_document_to_do_is_named() -> None:
    assert "operation operation-1" in page(replace(PLAIN, state="failed")).body_rows("to-do")[0][0]


@pytest.mark.parametrize(("operation_id", "said"), [("7", "Still at the service when"), (None, "Not begun when")])
def test_an_unfinished_document_says_how_far_it_came(operation_id: str | None, said: str) -> None:
    line = replace(PLAIN, state="unfinished", operation_id=operation_id, error=None, error_type=None, remedy=None)
    assert page(line).body_rows("to-do")[0][2].startswith(said)


def test_a_state_of_a_later_version_is_not_lost() -> None:
    assert [cells[1] for cells in page(replace(PLAIN, state="parked")).body_rows("to-do")] == ["parked"]


def test_each_of_several_results_has_a_row() -> None:
    results = [{"uri": f"s3://bucket/page-{number}.png", "size": number, "sha256": "ab"} for number in (2, 3, 4)]
    rows = page(replace(PLAIN, results=results)).body_rows("delivered")
    assert [cells[1:3] for cells in rows] == [
        [f"s3://bucket/page-{number}.png", f"{number} bytes"] for number in (2, 3, 4)
    ]
    assert [bool(cells[0]) for cells in rows] == [True, False, False]


@pytest.mark.parametrize("state", STATES)
def test_a_lost_reply_is_noticed_in_every_state(state: str) -> None:
    lost = replace(PLAIN, state=state, source="s3://bucket/lost.pptx")
    seen = page(replace(PLAIN, lost_replies=0), lost)
    assert "lost-replies" in seen.rows
    assert "may have been paid twice" in seen.text
    notice = seen.text.partition("The reply to one start never came")[2].partition("To do")[0]
    assert "s3://bucket/lost.pptx" in notice
    assert "quarter.pptx" not in notice


def test_without_a_lost_reply_there_is_no_notice() -> None:
    seen = page(*(replace(PLAIN, state=state, lost_replies=0) for state in STATES))
    assert "lost-replies" not in seen.rows
    assert "paid twice" not in seen.text


@pytest.mark.parametrize(
    ("uri", "linked"),
    [
        ("https://files.example.com/decks/a%20b.pptx?v=1&w='2'#x", True),
        ("HTTP://127.0.0.1:8000/a.pptx", True),
        ("https://bank.example@evil.example/a.pptx", False),
        ("https://evil.example\\@bank.example/a.pptx", False),
        ('https://evil.example/" onclick="alert(1)', False),
        ("https://evil.example/\u202efdp.exe", False),
        ("https://evil.example/a b", False),
        ("https://evil.example/a\n", False),
        (" https://evil.example/", False),
        ("javascript:alert(1)//https://a.example/", False),
        ("JAVASCRIPT:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("s3://aws_default@bucket/a.pptx", False),
        ("//evil.example/a", False),
        ("#to-do", False),
    ],
)
def test_only_web_addresses_are_links(uri: str, linked: bool) -> None:
    seen = page(replace(PLAIN, source=uri, state="skipped"), summary={"report": uri})
    links = [value for _, name, value in seen.attributes if name == "href" and not value.startswith("#")]
    assert links == [uri] * 3 if linked else not links
    rels = [value for _, name, value in seen.attributes if name == "rel"]
    assert rels == ["noopener noreferrer"] * len(links)


def test_the_page_loads_nothing() -> None:
    file = io.BytesIO()
    write_html(file, "Report", SUMMARY, lambda: iter([PLAIN]))
    seen = Page(file.getvalue())
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, *_ in seen.skeleton}
    assert not {"src", "srcset", "background"} & {name for _, name, _ in seen.attributes}
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert not re.search(rb"url\(|@import", file.getvalue())
    (policy,) = (value for tag, name, value in seen.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_top_sums_up_the_night() -> None:
    text = page(PLAIN).text
    for words in (
        "Began 2026-11-24 02:00:00 UTC, took 5 min 12 s",
        "Nothing is left to do.",
        "1.5 GB",
        "1.0 MB",
        "1,807 197 start, 1,610 status",
        "This report: s3://bucket/pdf/report.html",
    ):
        assert words in text


@pytest.mark.parametrize("key", [*SUMMARY, None])
def test_any_key_of_the_summary_may_be_missing(key: str | None) -> None:
    assert len(page(PLAIN, summary={k: v for k, v in SUMMARY.items() if key and k != key}).body_rows("delivered")) == 1


@pytest.mark.parametrize("odd", [None, math.nan, math.inf, -1, "<b>", [], {}, 10**400])
def test_an_odd_summary_breaks_nothing(odd: Any) -> None:
    for summary in (dict.fromkeys(SUMMARY, odd), {**SUMMARY, "calls": {"start": odd}}):
        seen = page(PLAIN, summary=summary)
        assert ("b",) in seen.skeleton
        assert not re.search(r"nan|inf\b", seen.text, re.IGNORECASE)


def test_an_empty_batch_is_said_to_be_one() -> None:
    seen = page(summary={})
    assert "There were no documents." in seen.text
    assert not any(seen.rows.values())


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3725, "1 h 02 min"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_durations_are_short(seconds: float | None, shown: str) -> None:
    assert page(replace(PLAIN, seconds_at_service=seconds)).body_rows("delivered")[0][3] == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (2**59, "576 PB"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (10_000, "10 kB"),
        (2_345_678, "2.3 MB"),
        (None, "–"),
    ],
)
def test_sizes_are_short(size: int | None, shown: str) -> None:
    assert page(replace(PLAIN, results=[{"uri": "u", "size": size}])).body_rows("delivered")[0][2] == shown


# Every character that a string of Python can hold, lone surrogates too.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(HOSTILE)
NUMBERS = st.none() | st.floats() | st.floats(0, 1e6)
RESULTS = st.fixed_dictionaries({"uri": TEXTS, "size": st.integers(0, 2**63), "sha256": TEXTS})
LINES = st.builds(
    ReportLine,
    source=TEXTS,
    state=st.sampled_from(STATES) | TEXTS,
    target_format=TEXTS,
    results=st.lists(RESULTS, max_size=3),
    operation_id=st.none() | TEXTS,
    attempts=st.integers(0, 5),
    lost_replies=st.integers(0, 2),
    size=st.none() | st.integers(0, 2**63),
    seconds_at_service=NUMBERS,
    seconds_waited=NUMBERS,
    error=st.none() | TEXTS,
    error_type=st.none() | TEXTS,
    remedy=st.none() | TEXTS,
)


@given(st.lists(LINES, max_size=4))
def test_json_lines_come_back(lines: list[ReportLine]) -> None:
    file = io.BytesIO()
    write_jsonl(file, lines)
    text = file.getvalue().decode()
    # Also for those who divide lines as Python does, at more than line feeds.
    read = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert read == [harmless(asdict(line)) for line in lines]
    assert all(list(values) == [field.name for field in fields(ReportLine)] for values in read)
    assert not hidden(text.replace("\n", ""))


def harmless(value: Any) -> Any:
    match value:
        case dict():
            return {key: harmless(inner) for key, inner in value.items()}
        case list():
            return [harmless(inner) for inner in value]
        case str():
            return value.encode(errors="backslashreplace").decode()
        case float() if not math.isfinite(value):
            return None
    return value


def test_json_lines_are_legible() -> None:
    file = io.BytesIO()
    write_jsonl(file, [replace(PLAIN, source="s3://b/Übersicht-年度.pptx")])
    assert "Übersicht-年度".encode() in file.getvalue()


@given(st.lists(LINES, max_size=6), TEXTS)
def test_every_page_has_a_row_for_each_document(lines: list[ReportLine], title: str) -> None:
    seen = page(*lines, title=title)
    delivered = [max(1, len(line.results)) for line in lines if line.state == "delivered"]
    assert len(seen.body_rows("delivered")) == sum(delivered)
    assert len(seen.body_rows("skipped")) == sum(line.state == "skipped" for line in lines)
    assert len(seen.body_rows("to-do")) == sum(line.state not in ("delivered", "skipped") for line in lines)
    assert ("lost-replies" in seen.rows) == any(line.lost_replies for line in lines)
    assert not hidden(seen.text.replace("\n", ""))


class Null(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def many(count: int) -> Iterator[ReportLine]:
    for number in range(count):
        yield replace(
            PLAIN, source=f"s3://bucket/{number}-{'x' * 200}", state=STATES[number % 5], lost_replies=number % 2
        )


@pytest.mark.parametrize(
    "write",
    [
        lambda lines: write_jsonl(Null(), lines()),  # type: ignore[arg-type]
        lambda lines: write_html(Null(), "Report", SUMMARY, lines),  # type: ignore[arg-type]
    ],
    ids=["jsonl", "html"],
)
def test_memory_does_not_grow_with_the_documents(write: Callable[[Callable[[], Iterable[ReportLine]]], None]) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            write(lambda: many(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many_more = peak(2_000), peak(20_000)
    # Python's own lists of free objects fill up once; the documents between are more than 7 MB.
    assert many_more < few + 500_000
