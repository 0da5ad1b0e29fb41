"""The list of all conversions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pendulum
import pytest
from airflow import settings
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import event, insert

from airflow_provider_docconv.plugins import conversions
from tests.support.api_server import Database, get, summary

STEPS = ("StartConversionOperator", "ConversionSensor", "DownloadResultOperator")


def rows(api: Any, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(api, "/docconv/conversions.json", **filters).json()["conversions"]
    return found


def add_single(database: Database, states: tuple[str | None, ...], map_index: int = -1, **values: Any) -> None:
    for step, operator, state in zip(("start", "wait", "download"), STEPS, states, strict=True):
        name = {"task_id": f"convert.{step}", "operator": operator, "map_index": map_index}
        database.add("weekly", state=state, **name, **values)


def test_a_batch_that_failed_shows_what_it_has_told(api: Any, database: Database) -> None:
    database.add("nightly", state="failed", xcoms={"summary": summary()})
    [row] = rows(api)
    assert (row["dag_id"], row["run_id"], row["task_id"], row["map_index"]) == ("nightly", "run-1", "convert", -1)
    assert (row["is_batch"], row["state"], row["documents"]) == (True, "failed", 3)
    assert row["counts"] == {"delivered": 2, "rejected": 1, "failed": 0, "skipped": 0, "unfinished": 0}
    assert row["calls"] == {"start": 2, "status": 7}
    assert row["connections"] == ["decks"]
    assert pendulum.parse(row["ended"]).diff(pendulum.parse(row["began"])).in_seconds() == 90


def test_a_batch_that_runs_shows_how_far_it_is(api: Any, database: Database) -> None:
    told = {
        "documents": 3,
        "delivered": 1,
        "in_flight": 1,
        "ended": 1,
        "calls": 4,
        "per_minute": 6.0,
        "seconds_left": 20,
    }
    xcoms = {"summary": summary(unfinished=3, delivered=0), "progress": {**told, "at": "2026-01-01T00:00:00Z"}}
    database.add("nightly", state="deferred", xcoms=xcoms)
    [row] = rows(api)
    assert (row["state"], row["task_state"], row["ended"]) == ("running", "deferred", None)
    assert {state: count for state, count in row["counts"].items() if count} == {
        "delivered": 1,
        "in_flight": 1,
        "ended": 1,
    }
    assert row["progress"] == {"per_minute": 6.0, "seconds_left": 20, "at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("value", [
    "text", 5, [], {"documents": "many"}, {"documents": -1}, {"calls": {"start": 1e300}}, {"seconds": "NaN"},
    {"calls_by_connection": {"a": []}}, {"documents": 2**70},
])  # fmt: skip
def test_an_xcom_of_another_form_is_no_summary(api: Any, database: Database, value: Any) -> None:
    database.add("nightly", state="failed", xcoms={"summary": value, "progress": value})
    [row] = rows(api)
    assert (row["documents"], row["calls"], row["state"]) == (None, {}, "failed")
    assert get(api, "/docconv/calls.json").json() == {"connections": [], "all": True}


@pytest.mark.parametrize(
    ("states", "state", "task_id"),
    [
        (("success", "success", "success"), "success", "convert.download"),
        (("success", "failed", "upstream_failed"), "failed", "convert.wait"),
        (("success", "deferred", None), "running", "convert.wait"),
        (("success", "success", None), "running", "convert.wait"),
        (("up_for_retry", None, None), "running", "convert.start"),
        (("skipped", "skipped", "skipped"), "skipped", "convert.download"),
    ],
)
def test_the_tasks_of_a_document_are_one_row(
    api: Any, database: Database, states: tuple[str | None, ...], state: str, task_id: str
) -> None:
    add_single(database, states, map_index=3, rendered_map_index="a.pptx")
    add_single(database, ("success",) * 3, map_index=4, rendered_map_index="b.pptx")
    found = {row["name"]: row for row in rows(api)}
    assert set(found) == {"a.pptx", "b.pptx"}
    row = found["a.pptx"]
    assert (row["state"], row["task_id"], row["is_batch"], row["documents"]) == (state, task_id, False, 1)
    assert [task["task_id"] for task in row["tasks"]] == ["convert.start", "convert.wait", "convert.download"]
    assert {row["name"] for row in rows(api, state=state)} == (
        {"a.pptx", "b.pptx"} if state == "success" else {"a.pptx"}
    )


def test_what_never_ran_is_left_out(api: Any, database: Database) -> None:
    add_single(database, ("upstream_failed", "upstream_failed", "upstream_failed"))
    add_single(database, (None, None, None), run_id="run-2")
    database.add("nightly", state="skipped", hostname="")
    assert rows(api) == []


def test_a_subclass_is_found_by_its_link(api: Any, database: Database) -> None:
    database.add("nightly", state="running", operator="OurOperator")
    assert rows(api) == []
    database.add("nightly", "run-0", operator="OurOperator", xcoms={"_link_ReportLink": "plugin/conversions/docconv/…"})
    assert {row["run_id"] for row in rows(api)} == {"run-0", "run-1"}


def test_the_filters(api: Any, database: Database) -> None:
    now = pendulum.now("UTC")
    odd = 'a"_%b'
    database.add("nightly", "today", state="failed", xcoms={"summary": summary()})
    database.add("nightly", "long-ago", began=now.subtract(days=20), xcoms={"summary": summary()})
    database.add("weekly", "today", xcoms={"summary": summary(calls_by_connection={odd: {"start": 1}})})
    database.add("weekly", "now", state="running")

    def runs(**filters: Any) -> set[tuple[str, str]]:
        return {(row["dag_id"], row["run_id"]) for row in rows(api, **filters)}

    assert runs() == {("nightly", "today"), ("weekly", "today"), ("weekly", "now")}
    assert runs(days=30) == runs(every=True) == runs() | {("nightly", "long-ago")}
    assert runs(dag_id="weekly") == {("weekly", "today"), ("weekly", "now")}
    assert runs(dag_id="week%") == set()
    assert runs(state="failed") == {("nightly", "today")}
    assert runs(state="running") == {("weekly", "now")}
    assert runs(conn_id="decks") == {("nightly", "today")}
    assert runs(conn_id=odd) == {("weekly", "today")}
    assert runs(conn_id="a%b") == set()
    assert get(api, "/docconv/conversions.json", state="broken").status_code == 422
    assert get(api, "/docconv/conversions.json", offset=-1).status_code == 422


def test_calls_are_added_up_by_connection(api: Any, database: Database) -> None:
    now = pendulum.now("UTC")
    for days in (1, 6, 8, 29, 31):
        calls = {"decks": {"start": days, "status": 1}}
        xcoms = {"summary": summary(calls_by_connection=calls)}
        database.add("nightly", f"run-{days}", began=now.subtract(days=days), xcoms=xcoms)
    assert get(api, "/docconv/calls.json").json() == {
        "connections": [
            {"connection": "decks", "week": {"start": 7, "status": 2}, "month": {"start": 44, "status": 4}}
        ],
        "all": True,
    }


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Note what is asked of the database."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)


def test_ten_thousand_conversions_take_as_many_queries_as_ten(api: Any, database: Database) -> None:
    def add(first: int, count: int) -> None:
        began = pendulum.now("UTC").subtract(minutes=1)
        ids = range(first, first + count)
        names = {number: {"dag_id": "nightly", "run_id": f"run-{number:05}"} for number in ids}
        run = {"state": "success", "run_type": "manual", "run_after": began, "end_date": began, "queued_at": began}
        task = {"task_id": "t", "map_index": -1, "state": "success", "operator": conversions.BATCH, "pool": "p",
                "start_date": began, "end_date": began, "try_number": 1, "max_tries": 0, "hostname": "h"}  # fmt: skip
        xcom = {"task_id": "t", "map_index": -1, "key": "summary", "value": summary(), "timestamp": began}
        with create_session() as session:
            session.execute(insert(DagRun.__table__), [{"id": number + 1, **names[number], **run} for number in ids])
            session.execute(insert(TaskInstance.__table__), [{**names[number], **task} for number in ids])
            many = [{"dag_run_id": number + 1, **names[number], **xcom} for number in ids]
            session.execute(insert(XComModel.__table__), many)

    add(0, 10)
    with counted_queries() as few:
        assert get(api, "/docconv/conversions.json").json()["total"] == 10
    with counted_queries() as few_calls:
        get(api, "/docconv/calls.json")
    add(10, 10_100)
    with counted_queries() as many:
        told = get(api, "/docconv/conversions.json", offset=9_950).json()
    assert len(many) == len(few)
    assert (told["total"], told["more"], len(told["conversions"])) == (conversions.MOST, True, told["size"])
    seen = {row["run_id"] for offset in (0, 50, 100) for row in rows(api, offset=offset)}
    assert len(seen) == 150
    with counted_queries() as many_calls:
        told = get(api, "/docconv/calls.json").json()
    assert len(many_calls) == len(few_calls)
    assert (told["all"], told["connections"][0]["week"]) == (False, {"start": 20_000, "status": 70_000})
