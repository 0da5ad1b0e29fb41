"""The report as JSON Lines, and both forms of it for any documents and for many."""

from __future__ import annotations

import io
import json
import math
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_docconv.batch.report import ReportLine, write_html, write_jsonl
from tests.support.report_pages import HOSTILE, PLAIN, STATES, SUMMARY, hidden, page

# Every character that a Python string can hold, lone surrogates too.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(HOSTILE)
NUMBERS = st.none() | st.floats() | st.floats(0, 1e6)
RESULTS = st.fixed_dictionaries({"uri": TEXTS, "size": st.integers(0, 2**63), "sha256": TEXTS})
LINES = st.builds(
    ReportLine,
    source=TEXTS,
    state=st.sampled_from(STATES),
    target_format=TEXTS,
    results=st.lists(RESULTS, max_size=3).map(tuple),
    operation_id=st.none() | TEXTS,
    attempts=st.integers(0, 5),
    lost_replies=st.integers(0, 2),
    size=st.none() | st.integers(0, 2**63),
    source_sha256=st.none() | TEXTS,
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
    assert read == [harmless(msgspec.to_builtins(line)) for line in lines]
    assert all(tuple(values) == ReportLine.__struct_fields__ for values in read)
    assert not hidden(text.replace("\n", ""))


def harmless(value: Any) -> Any:
    match value:
        case dict():
            return {key: harmless(inner) for key, inner in value.items()}
        case list() | tuple():
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
            PLAIN,
            source=f"s3://bucket/{number}-{'x' * 200}",
            state=STATES[number % len(STATES)],
            lost_replies=number % 2,
        )


@pytest.mark.parametrize(
    "write",
    [
        lambda lines: write_jsonl(Null(), lines()),  # type: ignore[arg-type]  # All that is written to is write().
        lambda lines: write_html(Null(), "Report", SUMMARY, lines),  # type: ignore[arg-type]  # All that is written to is write().
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

    few, many_more = peak(1_000), peak(6_000)
    # Python's own lists of free objects fill up once; the documents between take more than 2 MB.
    assert many_more < few + 500_000
