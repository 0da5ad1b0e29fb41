"""The table of a batch's documents: their order, their states, and what is known of them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.record import ConversionRequest, Entry, Progress
from airflow_provider_docconv.batch.table import UNDER_WAY, WAITING, Table
from airflow_provider_docconv.exceptions import ConversionFailed


@pytest.fixture
def table() -> Iterator[Table]:
    with Table() as table:
        yield table


def wanted(name: str, **values: Any) -> ConversionRequest:
    return ConversionRequest(
        f"s3://b/{name}.pptx", f"s3://b/pdf/{name}.pdf", "pdf", 0, "f", **{"versioned": True, **values}
    )


def fill(table: Table, *names: str) -> None:
    for name in names:
        assert table.add(wanted(name)) is None


def taken(table: Table, state: str, new_state: str) -> list[str]:
    found = []
    while row := table.next(state, new_state):
        found.append(row[0].source.removeprefix("s3://b/").removesuffix(".pptx"))
    return found


def test_documents_keep_the_order_of_their_listing(table: Table) -> None:
    names = ["c", "a", "b", "caf\udce9", "日本", "", "0"]
    fill(table, *names)
    rows = list(table.rows())
    assert [each for each, _, _ in rows] == [wanted(name) for name in names]
    assert all(entry == Entry(each.key, "f") and state == WAITING for each, entry, state in rows)
    assert len(table) == len(names)


def test_a_second_document_of_one_name_finds_the_first(table: Table) -> None:
    fill(table, "a", "b")
    second = replace(wanted("a"), source="s3://b/other.docx", item=3)
    assert table.add(second) == wanted("a")
    assert len(table) == 2
    assert [each for each, _, _ in table.rows()] == [wanted("a"), wanted("b")]


def test_what_is_wanted_can_be_looked_up(table: Table) -> None:
    odd = wanted("caf\udce9 ☃", size=2**60, versioned=False)
    table.add(odd)
    assert table.wanted(odd.key) == odd
    assert table.wanted("nothing") is None


def test_the_next_document_is_the_first_in_its_state_and_taken_once(table: Table) -> None:
    fill(table, "a", "b", "c", "d")
    table.save(Entry(wanted("c").key, "f"), UNDER_WAY)
    assert taken(table, UNDER_WAY, "taken") == ["c"]
    assert taken(table, WAITING, "taken") == ["a", "b", "d"]
    assert table.next(WAITING, "taken") is None
    assert table.counts() == {"taken": 4}


def test_documents_that_were_put_back_come_in_their_order(table: Table) -> None:
    fill(table, "a", "b", "c")
    table.next(WAITING, "taken")
    table.next(WAITING, "taken")
    table.put_back("taken", WAITING)
    assert taken(table, WAITING, "taken") == ["a", "b", "c"]


def test_what_has_become_of_a_document_is_kept(table: Table) -> None:
    fill(table, "a", "b")
    failed = Entry(wanted("b").key, "f", Progress.REJECTED, attempts=2).failed(
        ConversionFailed("no", service_message="😀")
    )
    table.save(failed, "rejected")
    table.save(Entry("unheard of", "f"), "delivered")
    assert [(entry, state) for _, entry, state in table.rows()] == [
        (Entry(wanted("a").key, "f"), WAITING),
        (failed, "rejected"),
    ]
    assert table.next("rejected", WAITING) == (wanted("b"), failed)


def test_documents_are_counted_by_state(table: Table) -> None:
    assert table.counts() == {}
    fill(table, *"abcde")
    for name, state in (("a", "delivered"), ("b", "delivered"), ("c", UNDER_WAY)):
        table.save(Entry(wanted(name).key, "f"), state)
    assert table.counts() == {"delivered": 2, UNDER_WAY: 1, WAITING: 2}
    assert table.counts()["rejected"] == 0


@given(st.permutations([(1, False), (2, True), (3, False), (4, True), (4, False), (5, False)]))
def test_the_latest_of_what_is_known_counts(told: list[tuple[int, bool]]) -> None:
    with Table() as table:
        for seq, own in told:
            table.know(Entry("k", f"f{seq}", seq=seq), own=own)
        assert table.known("k") == Entry("k", "f5", seq=5)
        assert table.known("nothing") is None


def test_of_two_entries_with_one_number_the_one_told_last_counts(table: Table) -> None:
    table.know(Entry("k", "first"), own=False)
    table.know(Entry("k", "second"), own=False)
    assert (table.known("k") or pytest.fail("it is not known")).fingerprint == "second"


@given(st.permutations([(seq, own) for seq in range(4) for own in (True, False)]))
def test_whoever_wrote_the_latest_remembers_it(told: list[tuple[int, bool]]) -> None:
    with Table() as table:
        for seq, own in told:
            table.know(Entry("k", "f", seq=seq), own=own)
        assert list(table.others()) == [Entry("k", "f", seq=3)]


def test_only_what_this_task_wrote_and_does_not_list_is_to_be_remembered(table: Table) -> None:
    fill(table, "listed")
    for name, own in (("listed", True), ("mine", True), ("theirs", False)):
        table.know(Entry(wanted(name).key, "f", seq=1), own=own)
    assert list(table.others()) == [Entry(wanted("mine").key, "f", seq=1)]


def test_the_largest_numbers_fit(table: Table) -> None:
    table.know(Entry("k", "f", seq=2**63 - 1), own=True)
    table.know(Entry("k", "g", seq=-(2**63)), own=True)
    assert table.known("k") == Entry("k", "f", seq=2**63 - 1)


def test_fifty_thousand_documents_take_no_memory_to_speak_of() -> None:
    script = """
        import psutil
        from dataclasses import replace
        from airflow_provider_docconv.batch.entries import Entry, ConversionRequest
        from airflow_provider_docconv.batch.table import Table
        from airflow_provider_docconv.decisions import Progress

        def wanted(number):
            name = f"{number:05d}" + "x" * 60
            return ConversionRequest(f"s3://c@b/in/{name}.pptx", f"s3://c@b/pdf/{name}.pdf", "pdf", 0, "f" * 64, True, number)

        used = psutil.Process().memory_info

        with Table() as table:
            table.add(wanted(0))
            before, most = used().rss, 0
            for number in range(50_000):
                table.know(Entry(f"other {number}", "f" * 64, Progress.STARTED, operation_id="o" * 36), own=True)
                table.add(wanted(number))
            most = used().rss
            while row := table.next("waiting", "taken"):
                result = {"uri": row[0].destination, "size": 5, "sha256": "0" * 64}
                table.save(replace(row[1], results=[result]), "delivered")
            most = max(most, used().rss)
            assert table.counts() == {"delivered": 50_000}
            for number, _ in enumerate(table.rows()):
                most = max(most, used().rss) if number % 1000 == 0 else most
            for number, _ in enumerate(table.others()):
                most = max(most, used().rss) if number % 1000 == 0 else most
            assert number == 49_999
            print(most - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    grown = int(result.stdout.splitlines()[-1])
    assert grown < 30 << 20, f"{grown >> 20} MiB"
