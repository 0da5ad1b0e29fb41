"""Nothing from outside becomes markup, a link or a hidden text in a report's page."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from pages import HOSTILE, PLAIN, STATES, SUMMARY, Page, filled, hidden, page, visible

from airflow_provider_docconv.batch.page import write_html


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
