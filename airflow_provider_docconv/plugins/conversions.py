"""The conversions of all Dags, as Airflow's database knows them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
import pendulum
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select, tuple_
from sqlalchemy.orm import Session

from airflow_provider_docconv.triggers.progress import PROGRESS, SUMMARY

BATCH = "ConvertDocumentsOperator"
#: The operators of a single conversion, in the order of its steps.
SINGLE = (
    "StartConversionOperator",
    "MergePresentationsOperator",
    "SplitPresentationOperator",
    "ConversionSensor",
    "DownloadResultOperator",
)
# A subclass has another name, but its tasks have one of these links.
_LINKS = ("_link_ReportLink", "_link_ServiceLink")
#: The states in which a task has still something to do.
ACTIVE = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_retry", "up_for_reschedule")
#: The states of a conversion, as the page filters them.
STATES = ("failed", "running", "success", "skipped")
#: How many conversions are counted, and how many summaries are added up.
MOST = 10_000
# How many different Dags are offered to choose from.
_MOST_DAGS = 1000

_ti = TaskInstance.__table__.c
_xcom = XComModel.__table__.c
_fields = RenderedTaskInstanceFields.__table__.c
_run = DagRun.__table__.c
# All tasks of a single conversion are one row; a batch is a row of its own.
_part = case((_ti.operator.in_(SINGLE), ""), else_=_ti.task_id)


# What a browser can count, too.
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_Amount = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]


class Summary(msgspec.Struct, frozen=True):
    """
    What a batch tells of itself in the XCom ``summary``; see :meth:`Batch.summary`.

    A Dag's author could have pushed anything, so it is checked when it is read.
    """

    documents: _Count = 0
    delivered: _Count = 0
    skipped: _Count = 0
    rejected: _Count = 0
    failed: _Count = 0
    unfinished: _Count = 0
    left_out: dict[str, _Count] = {}
    left_at_service: _Count = 0
    sources_gone: _Count = 0
    results_deleted: _Count = 0
    lost_replies: _Count = 0
    bytes_in: _Count = 0
    bytes_out: _Count = 0
    calls: dict[str, _Count] = {}
    calls_by_connection: dict[str, dict[str, _Count]] = {}
    began: str = ""
    seconds: _Amount = 0.0
    report: str = ""
    page: str = ""
    record: str = ""
    record_task: str = ""
    run: str = ""


class Progress(msgspec.Struct, frozen=True):
    """How far a task is, in its XCom ``progress``: a batch has the first fields, a single conversion the last two."""

    documents: _Count = 0
    delivered: _Count = 0
    rejected: _Count = 0
    failed: _Count = 0
    skipped: _Count = 0
    in_flight: _Count = 0
    ended: _Count = 0
    waiting: _Count = 0
    calls: _Count = 0
    per_minute: _Amount | None = None
    seconds_left: _Amount | None = None
    at: str = ""
    polls: _Count = 0
    state: str = ""


class Task(NamedTuple):
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    operator: str | None
    state: str | None
    start_date: datetime | None
    end_date: datetime | None
    try_number: int
    max_tries: int
    rendered_map_index: str | None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What identifies it."""
        return self[:4]

    @property
    def is_active(self) -> bool:
        """Whether it has still something to do."""
        return self.state in ACTIVE

    @property
    def part(self) -> tuple[str, str, int, str]:
        """What identifies its conversion."""
        single = self.operator in SINGLE
        return self.dag_id, self.run_id, self.map_index, self.task_id.rpartition(".")[0] if single else self.task_id


_TASK = tuple(_ti[name] for name in Task._fields)


class Filters(NamedTuple):
    """
    Which conversions are shown.

    :param dag_id: the Dag, empty for all
    :param conn_id: the connection, empty for all
    :param state: one of :data:`STATES`, empty for all
    :param days: how far back, None for everything
    """

    dag_id: str = ""
    conn_id: str = ""
    state: str = ""
    days: float | None = None


def dags_with_conversions(session: Session, days: float | None) -> set[str]:
    """
    Return the Dags that have conversions.

    :param session: the session
    :param days: how far back to look, None for everything
    """
    found = select(_ti.dag_id).where(_is_conversion()).distinct().limit(_MOST_DAGS)
    return set(session.scalars(_recent(found, days)))


def count_conversions(session: Session, dag_ids: Collection[str], filters: Filters) -> int:
    """
    Return how many conversions there are, at most one more than :data:`MOST`.

    :param session: the session
    :param dag_ids: the Dags that may be shown
    :param filters: which of their conversions
    """
    groups = _groups(dag_ids, filters).limit(MOST + 1).subquery()
    return session.scalar(select(func.count()).select_from(groups)) or 0


def list_conversions(
    session: Session, dag_ids: Collection[str], filters: Filters, offset: int, limit: int
) -> list[dict[str, Any]]:
    """
    Return conversions as plain JSON values, the newest first.

    :param session: the session
    :param dag_ids: the Dags that may be shown
    :param filters: which of their conversions
    :param offset: how many to leave out
    :param limit: how many to return at most
    """
    began = func.min(_ti.start_date)
    # What has not begun comes first.
    newest: tuple[Any, ...] = (case((began.is_(None), 0), else_=1), began.desc(), _ti.dag_id, _ti.run_id, _ti.map_index)
    groups = session.execute(_groups(dag_ids, filters).order_by(*newest).offset(offset).limit(limit)).all()
    if not groups:
        return []
    keys = {(group.dag_id, group.run_id, group.map_index) for group in groups}
    wanted = {(group.dag_id, group.run_id, group.map_index, group.part): place for place, group in enumerate(groups)}
    found = select(*_TASK).where(tuple_(_ti.dag_id, _ti.run_id, _ti.map_index).in_(keys), _is_conversion())
    conversions: dict[tuple[str, str, int, str], list[Task]] = defaultdict(list)
    places: dict[tuple[str, str, int, str], int] = {}
    for task in map(Task._make, session.execute(found)):
        group = (*task.part[:3], "" if task.operator in SINGLE else task.task_id)
        if group in wanted:
            conversions[task.part].append(task)
            places[task.part] = wanted[group]
    tasks = [task for each in conversions.values() for task in each]
    values, conn_ids = read_xcoms(session, tasks, SUMMARY, PROGRESS), read_connections(session, tasks)
    return [
        describe(conversions[part], values, conn_ids) for part in sorted(conversions, key=lambda part: places[part])
    ]


def find_conversion(session: Session, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[Task]:
    """
    Return a task and the others of its conversion, itself first; nothing if it is no task that converts.

    :param session: the session
    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: which instance of a mapped task, -1 for a plain one
    """
    place = and_(_ti.dag_id == dag_id, _ti.run_id == run_id, _ti.map_index == map_index)
    found = session.execute(select(*_TASK).where(place, _ti.task_id == task_id, _is_conversion())).first()
    if found is None:
        return []
    task = Task._make(found)
    if task.operator not in SINGLE:
        return [task]
    others = map(Task._make, session.execute(select(*_TASK).where(place, _ti.operator.in_(SINGLE))))
    return [task, *(each for each in others if each.part == task.part and each.key != task.key)]


def read_xcoms(session: Session, tasks: Iterable[Task], *keys: str) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """
    Return the XComs of tasks, by task and key.

    :param session: the session
    :param tasks: the tasks
    :param keys: the XComs' keys
    """
    values: dict[tuple[str, str, str, int], dict[str, Any]] = defaultdict(dict)
    columns = (_xcom.dag_id, _xcom.run_id, _xcom.task_id, _xcom.map_index)
    found = select(*columns, _xcom.key, _xcom.value)
    found = found.where(tuple_(*columns).in_([task.key for task in tasks]), _xcom.key.in_(keys))
    for row in session.execute(found):
        values[row[:4]][row.key] = XComModel.deserialize_value(row)
    return values


def read_connections(session: Session, tasks: Iterable[Task]) -> dict[tuple[str, str, str, int], set[str]]:
    """
    Return the connections that tasks were given, as far as Airflow still has the fields that it has rendered.

    :param session: the session
    :param tasks: the tasks
    """
    columns = (_fields.dag_id, _fields.run_id, _fields.task_id, _fields.map_index)
    found = select(*columns, _fields.rendered_fields).where(tuple_(*columns).in_([task.key for task in tasks]))
    given: dict[tuple[str, str, str, int], set[str]] = {}
    for row in session.execute(found):
        conn_id = row.rendered_fields.get("conn_id") if isinstance(row.rendered_fields, Mapping) else None
        several = list(conn_id.values()) if isinstance(conn_id, Mapping) else [conn_id]
        given[row[:4]] = {each for each in several if isinstance(each, str) and each}
    return given


def last_summary(session: Session, task: Task) -> Summary | None:
    """
    Return the newest summary of a batch in any run, which names the folder of its record.

    :param session: the session
    :param task: the batch's task
    """
    same = and_(_xcom.dag_id == task.dag_id, _xcom.task_id == task.task_id, _xcom.map_index == task.map_index)
    found = select(_xcom.value).where(same, _xcom.key == SUMMARY).order_by(_xcom.timestamp.desc()).limit(1)
    row = session.execute(found).first()
    return read_summary(XComModel.deserialize_value(row)) if row else None


def sum_calls(session: Session, dag_ids: Collection[str]) -> dict[str, Any]:
    """
    Return the calls of batches over the last 7 and 30 days by connection, and whether that is all.

    :param session: the session
    :param dag_ids: the Dags that may be shown
    """
    now = pendulum.now("UTC")
    found = select(_xcom.value, _xcom.timestamp).where(
        _xcom.key == SUMMARY, _xcom.timestamp >= now - timedelta(days=30), _xcom.dag_id.in_(dag_ids)
    )
    totals: dict[str, list[Counter[str]]] = defaultdict(lambda: [Counter(), Counter()])
    read = 0
    for row in session.execute(found.order_by(_xcom.timestamp.desc()).limit(MOST + 1)):
        read += 1
        summary = read_summary(XComModel.deserialize_value(row))
        for conn_id, calls in (summary.calls_by_connection if summary and read <= MOST else {}).items():
            totals[conn_id][1] += Counter(calls)
            if row.timestamp >= now - timedelta(days=7):
                totals[conn_id][0] += Counter(calls)
    rows = [
        {"connection": conn_id, "week": dict(week), "month": dict(month)} for conn_id, (week, month) in totals.items()
    ]
    return {"connections": sorted(rows, key=lambda row: -sum(row["month"].values())), "all": read <= MOST}


def read_summary(value: object) -> Summary | None:
    """Return a summary, None if it is none."""
    try:
        return msgspec.convert(value, Summary) if isinstance(value, Mapping) else None
    except msgspec.ValidationError:
        return None


def read_progress(value: object) -> Progress | None:
    """Return a progress, None if it is none."""
    try:
        return msgspec.convert(value, Progress) if isinstance(value, Mapping) else None
    except msgspec.ValidationError:
        return None


def describe(
    tasks: Sequence[Task],
    xcoms: Mapping[tuple[str, str, str, int], Mapping[str, Any]],
    conn_ids: Mapping[tuple[str, str, str, int], Collection[str]],
) -> dict[str, Any]:
    """
    Return a conversion as plain JSON values.

    :param tasks: its tasks
    :param xcoms: their XComs
    :param conn_ids: their connections
    """
    main = min(tasks, key=_importance)
    values = xcoms.get(main.key, {})
    summary, progress = read_summary(values.get(SUMMARY)), read_progress(values.get(PROGRESS))
    starts = [task.start_date for task in tasks if task.start_date]
    ends = [task.end_date for task in tasks if task.end_date]
    state = state_of(tasks)
    given = set().union(*(conn_ids.get(task.key, ()) for task in tasks))
    is_batch = main.operator == BATCH or summary is not None
    row: dict[str, Any] = {
        "dag_id": main.dag_id,
        "run_id": main.run_id,
        "task_id": main.task_id,
        "map_index": main.map_index,
        "name": next((task.rendered_map_index for task in tasks if task.rendered_map_index), None),
        "is_batch": is_batch,
        "state": state,
        "task_state": main.state,
        "began": min(starts).isoformat() if starts else None,
        "ended": max(ends).isoformat() if ends and state != "running" else None,
        "tasks": [{"task_id": task.task_id, "state": task.state} for task in sorted(tasks, key=_step)],
        "connections": sorted(summary.calls_by_connection if summary and summary.calls_by_connection else given),
    }
    if not is_batch:
        word = {"failed": "failed", "success": "delivered", "skipped": "skipped"}.get(state, "in_flight")
        row |= {"counts": {word: 1}, "documents": 1, "calls": {}}
    else:
        row |= _progress_of(main, summary, progress)
    return row


def state_of(tasks: Iterable[Task]) -> str:
    """Return the state of a conversion, one of :data:`STATES`."""
    states = {task.state for task in tasks}
    if states & {"failed", "upstream_failed"}:
        return "failed"
    if not states.isdisjoint((*ACTIVE, None)):
        return "running"
    return "success" if "success" in states else "skipped"


def _progress_of(task: Task, summary: Summary | None, progress: Progress | None) -> dict[str, Any]:
    """Return how many documents of a batch are in which state, and what it has cost."""
    if progress and task.is_active:
        names = ("delivered", "rejected", "failed", "skipped", "in_flight", "ended", "waiting")
        counts = {name: getattr(progress, name) for name in names}
        left = {"per_minute": progress.per_minute, "seconds_left": progress.seconds_left, "at": progress.at}
        calls = {"": progress.calls} if progress.calls else {}
        return {"documents": progress.documents, "counts": counts, "calls": calls, "progress": left}
    if summary:
        ends = ("delivered", "rejected", "failed", "skipped", "unfinished")
        counts = {name: getattr(summary, name) for name in ends}
        return {"documents": summary.documents, "counts": counts, "calls": summary.calls}
    return {"documents": None, "counts": {}, "calls": {}}


def _importance(task: Task) -> tuple[int, int]:
    """Order tasks by how much they say about the state of their conversion."""
    order = 0 if task.state == "failed" else 1 if task.is_active else 2 if task.state == "success" else 3
    return order, -_step(task)


def _step(task: Task) -> int:
    return SINGLE.index(task.operator) if task.operator in SINGLE else 0


def _is_conversion() -> ColumnElement[bool]:
    linked = select(_xcom.dag_id, _xcom.task_id).where(_xcom.key.in_(_LINKS))
    return or_(_ti.operator.in_((BATCH, *SINGLE)), tuple_(_ti.dag_id, _ti.task_id).in_(linked))


def _recent(found: Select[Any], days: float | None) -> Select[Any]:
    if days is None:
        return found
    since = pendulum.now("UTC") - timedelta(days=days)
    # Over the runs, of which there are far fewer; a run of long ago may have been cleared.
    lately = or_(_run.run_after >= since, _run.end_date >= since, _run.end_date.is_(None))
    return found.join_from(
        TaskInstance.__table__, DagRun.__table__, and_(_run.dag_id == _ti.dag_id, _run.run_id == _ti.run_id)
    ).where(lately)


def _groups(dag_ids: Collection[str], filters: Filters) -> Select[Any]:
    """Select conversions: their Dag, run, map index and part."""
    chosen = [each for each in dag_ids if not filters.dag_id or each == filters.dag_id]
    key = (_ti.dag_id, _ti.run_id, _ti.map_index, _part)
    found = select(*key[:3], _part.label("part")).where(_is_conversion(), _ti.dag_id.in_(chosen)).group_by(*key)
    found = _recent(found, filters.days)
    if filters.conn_id:
        found = found.where(_uses(filters.conn_id))

    def number(*states: str) -> ColumnElement[int]:
        return func.sum(case((func.coalesce(_ti.state, "none").in_(states), 1), else_=0))

    ran = case((and_(_ti.state == "skipped", _ti.hostname != ""), 1), else_=0)
    found = found.having(number("success", "failed", *ACTIVE) + func.sum(ran) > 0)
    failed, active, success = number("failed", "upstream_failed"), number(*ACTIVE, "none"), number("success")
    conditions = {
        "failed": failed > 0,
        "running": and_(failed == 0, active > 0),
        "success": and_(failed == 0, active == 0, success > 0),
        "skipped": and_(failed == 0, active == 0, success == 0),
    }
    return found.having(conditions[filters.state]) if filters.state in conditions else found


def _uses(conn_id: str) -> ColumnElement[bool]:
    """Select the tasks that a connection was given to, or that have called its service."""
    quoted = json.dumps(conn_id)
    keys = (_ti.dag_id, _ti.run_id, _ti.task_id, _ti.map_index)
    given = select(_fields.dag_id, _fields.run_id, _fields.task_id, _fields.map_index).where(
        cast(_fields.rendered_fields, String).contains(quoted, autoescape=True)
    )
    called = select(_xcom.dag_id, _xcom.run_id, _xcom.task_id, _xcom.map_index).where(
        _xcom.key == SUMMARY, cast(_xcom.value, String).contains(quoted, autoescape=True)
    )
    return or_(tuple_(*keys).in_(given), tuple_(*keys).in_(called))
