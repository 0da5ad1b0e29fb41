"""Which documents have arrived, given what was seen and told before."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.triggers.documents import Arrivals

A, B = {"a.pptx": "4 v1"}, {"b.pptx": "4 v1"}
CHANGED = {"a.pptx": "4 v2"}


def told(*listings: dict[str, str], watermark: str | None = None) -> list[int]:
    arrivals = Arrivals(watermark)
    return [arrivals.count(listing) for listing in listings]


def watermark_of(*listings: dict[str, str]) -> str:
    arrivals = Arrivals()
    for listing in listings:
        arrivals.count(listing)
    assert arrivals.watermark
    return arrivals.watermark


@pytest.mark.parametrize(
    ("listings", "expected"),
    [
        ([{}, {}, {}], [0, 0, 0]),
        ([A, A, A], [0, 1, 0]),
        ([A | B, A | B], [0, 2]),
        ([A, A | B, A | B], [0, 1, 1]),
        ([A, A, CHANGED, CHANGED, CHANGED], [0, 1, 0, 1, 0]),
        ([A, CHANGED, CHANGED], [0, 0, 1]),
        ([A | B, A | B, A, A, {}, {}], [0, 2, 0, 0, 0, 0]),
        ([A, A, {}, A, A], [0, 1, 0, 0, 1]),
    ],
    ids=[
        "nothing is there",
        "one is there",
        "two are there",
        "another comes",
        "one is rewritten",
        "one grows",
        "one goes",
        "one comes back",
    ],
)
def test_a_document_is_told_once_it_has_settled(listings: list[dict[str, str]], expected: list[int]) -> None:
    assert told(*listings) == expected


def test_a_document_that_never_settles_is_never_told_and_hides_no_other() -> None:
    growing = [{"big.pptx": str(size)} for size in range(5)]
    assert told(*(A | each for each in growing)) == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ([A | B, A | B], [0, 0]),
        ([A | B, A | B | {"c": ""}, A | B | {"c": ""}], [0, 0, 1]),
        ([A | B, A | B, CHANGED | B, CHANGED | B], [0, 0, 0, 1]),
        # Only a digest is kept: what differs from it can't be told in detail.
        ([A, A], [0, 1]),
        ([CHANGED | B, CHANGED | B], [0, 2]),
        ([{}, {}, {}], [0, 0, 0]),
        ([{}, {}, A | B, A | B], [0, 0, 0, 2]),
    ],
    ids=[
        "nothing is new",
        "another comes",
        "one is rewritten",
        "one was taken",
        "one was rewritten",
        "all were taken",
        "all were taken and come back",
    ],
)
def test_a_new_process_knows_what_was_told(now: list[dict[str, str]], expected: list[int]) -> None:
    before = watermark_of(A | B, A | B)
    assert told(*now, watermark=json.loads(json.dumps(before))) == expected


def test_the_watermark_follows_what_is_there_though_nothing_is_told() -> None:
    # Otherwise a restart would take a folder that was tidied up for one with arrivals.
    assert watermark_of(A | B, A | B, A, A) == watermark_of(A, A) != watermark_of(A | B, A | B)


def test_the_watermark_does_not_depend_on_the_order_of_a_listing_and_is_small() -> None:
    many = {f"{number:05}.pptx": "4 v1" for number in range(10_000)}
    backwards = dict(reversed(many.items()))
    assert watermark_of(many, backwards) == watermark_of(backwards, many)
    assert len(watermark_of(many, many)) == 64


def test_names_no_program_expects_are_only_names() -> None:
    odd = {"\udce9.pptx": "1", "a\0b": "1", 'quote".pptx': "1", "☃": ""}
    assert told(odd, odd) == [0, 4]
    assert watermark_of({"a": "b c"}, {"a": "b c"}) != watermark_of({"a b": "c"}, {"a b": "c"})


FOLDERS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("123"))


@given(st.lists(FOLDERS, max_size=8), FOLDERS, st.integers(0, 9))
def test_no_document_is_missed_whatever_happens(
    history: list[dict[str, str]], last: dict[str, str], restart: int
) -> None:
    """Whoever reads the folder at each event, and at no other time, has read all that stays in it."""
    arrivals, read = Arrivals(), dict[str, str]()
    for at, listing in enumerate([*history, last, last, last]):
        if at == restart:
            arrivals = Arrivals(arrivals.watermark)
        if arrivals.count(listing):
            read |= listing
    assert last.items() <= read.items()
    assert arrivals.count(last) == 0
