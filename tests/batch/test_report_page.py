"""What the report's page says, and that nothing from outside becomes markup, a link or hidden text in it."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.report import write_html
from tests.support.report_pages import HOSTILE, PLAIN, STATES, SUMMARY, Page, filled, hidden, page, visible


def test_an_error_of_several_lines_is_one() -> None:
    assert (
        page(replace(PLAIN, state=DocumentState.FAILED, error="one\n  two\tthree"))
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
        "to-do": [f"s3://bucket/{state}.pptx" for state in ("rejected", "failed", "started", "sent", "waiting")],
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
    assert "1 document needs attention; the next try or run picks up 4 more." in seen.text
    assert ("details", "open", "") not in seen.attributes


def test_the_operation_of_a_document_to_do_is_named() -> None:
    assert "operation operation-1" in page(replace(PLAIN, state=DocumentState.FAILED)).body_rows("to-do")[0][0]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DocumentState.WAITING, "Not started when"),
        (DocumentState.SENT, "Sent to the service, whose reply had not arrived when"),
        (DocumentState.STARTED, "Still at the service when"),
    ],
)
def test_an_unfinished_document_says_how_far_it_came(state: DocumentState, words: str) -> None:
    (cells,) = page(replace(PLAIN, state=state, error=None, error_type=None, remedy=None)).body_rows("to-do")
    assert cells[1] == "unfinished"
    assert cells[2] == f"{words} the task stopped"


def test_each_of_several_results_has_a_row() -> None:
    results = [{"uri": f"s3://bucket/page-{number}.png", "size": number, "sha256": "ab"} for number in (2, 3, 4)]
    rows = page(replace(PLAIN, results=results)).body_rows("delivered")
    assert [cells[1:3] for cells in rows] == [
        [f"s3://bucket/page-{number}.png", f"{number} bytes"] for number in (2, 3, 4)
    ]
    assert [bool(cells[0]) for cells in rows] == [True, False, False]


@pytest.mark.parametrize("state", STATES)
def test_a_lost_reply_is_noticed_in_every_state(state: DocumentState) -> None:
    lost = replace(PLAIN, state=state, source="s3://bucket/lost.pptx")
    seen = page(replace(PLAIN, lost_replies=0), lost)
    assert "lost-replies" in seen.rows
    assert "may have been paid for twice" in seen.text
    notice = seen.text.partition("The reply to one start never arrived")[2].partition("To do")[0]
    assert "s3://bucket/lost.pptx" in notice
    assert "quarter.pptx" not in notice


def test_a_document_that_lost_several_replies_says_how_many() -> None:
    lines = [replace(PLAIN, source=f"s3://bucket/{count}.pptx", lost_replies=count) for count in (1, 2)]
    notice = page(*lines).text.partition("The replies to 3 starts never arrived")[2].partition("To do")[0]
    assert "s3://bucket/2.pptx 2 times" in notice
    assert notice.count("times") == 1


def test_without_a_lost_reply_there_is_no_notice() -> None:
    seen = page(*(replace(PLAIN, state=state, lost_replies=0) for state in STATES))
    assert "lost-replies" not in seen.rows
    assert "paid for twice" not in seen.text


def test_the_top_sums_up_the_night() -> None:
    text = page(PLAIN).text
    for words in (
        "Started 2026-11-24 02:00:00 UTC, took 5 min 12 s",
        "Nothing is left to do.",
        "1.5 GB",
        "1.0 MB",
        "1,807 197 start, 1,610 status",
        "As JSON Lines: s3://bucket/pdf/report.jsonl",
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
    assert (
        page(replace(PLAIN, results=({"uri": "u", "size": size, "sha256": ""},))).body_rows("delivered")[0][2] == shown
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_becomes_markup(text: str) -> None:
    def made_of(text: str) -> Page:
        summary = {**SUMMARY, "began": text, "report": text, "calls": {text: 1}}
        lines = [filled(text, state) for state in STATES]
        return page(*lines, title=text, summary=summary)

    hostile, plain = made_of(text), made_of("plain")
    assert hostile.skeleton == plain.skeleton
    of_ours = [attribute for attribute in plain.attributes if attribute[2] != "plain"]
    assert [attribute for attribute in hostile.attributes if attribute in of_ours] == of_ours
    theirs = [attribute for attribute in hostile.attributes if attribute not in of_ours]
    assert {(tag, name) for tag, name, _ in theirs} == {("code", "title")}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_hide_is_shown(text: str) -> None:
    seen = page(filled(text, DocumentState.REJECTED), title=text)
    assert not hidden(seen.text.replace("\n", ""))
    assert visible(text) in seen.body_rows("to-do")[0][0]


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
    seen = page(replace(PLAIN, source=uri, state=DocumentState.SKIPPED), summary={"report": uri})
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
