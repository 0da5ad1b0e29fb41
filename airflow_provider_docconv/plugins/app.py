"""The pages of the UI and their data, below ``/docconv`` of the API server; each asks for the rights that it needs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from airflow_provider_docconv.batch.report import visible
from airflow_provider_docconv.plugins import conversions, reports
from airflow_provider_docconv.plugins.conversions import Filters, Task
from airflow_provider_docconv.plugins.reports import Documents, Unreadable
from airflow_provider_docconv.triggers.progress import PROGRESS, SUMMARY

_FOLDER = Path(__file__).parent
_STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_FILES = {name: (_FOLDER / name).read_bytes() for name in _STATIC}
# Browsers keep these files until they change.
_VERSION = hashlib.sha256(b"".join(_FILES.values())).hexdigest()[:12]
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_ENTITIES = (DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)
_TASK = "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{map_index}"
_PAGE_SIZE = 50

# Airflow adds no login of its own to an app of a plugin.
app = FastAPI(
    title="Document conversions",
    dependencies=[Depends(get_user)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
# What a report shows would otherwise be an XCom.
_may_read_task = [Depends(requires_access_dag("GET", entity)) for entity in _ENTITIES]


@app.middleware("http")
async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Send headers that keep the pages to themselves."""
    response = await call_next(request)
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@app.get("/static/{version}/{name}")
def static(name: str) -> Response:
    """Return a file of the pages."""
    if name not in _FILES:
        raise HTTPException(404, "Not found")
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(_FILES[name], media_type=_STATIC[name], headers=headers)


@app.get("/conversions")
def conversions_page() -> Response:
    """Return the page of all conversions."""
    return _page("conversions", depth=0)


@app.get(f"{_TASK}/report", dependencies=_may_read_task)
def report_page(dag_id: str, run_id: str, task_id: str, map_index: int) -> Response:
    """Return the page of a task's report."""
    _find(dag_id, run_id, task_id, map_index)
    return _page("report", depth=_TASK.count("/"))


@app.get("/conversions.json")
def conversions_json(
    request: Request,
    user: GetUserDep,
    dag_id: str = "",
    conn_id: str = "",
    state: Literal["", "failed", "running", "success", "skipped"] = "",
    days: Annotated[float | None, Query(gt=0, le=36500)] = 7,
    every: bool = False,
    offset: Annotated[int, Query(ge=0, le=conversions.MOST)] = 0,
) -> Response:
    """Return a page of conversions of the Dags that the user may read."""
    filters = Filters(dag_id, conn_id, state, None if every else days)
    with create_session() as session:
        dag_ids = _readable(request, user, session, filters.days)
        total = conversions.count_conversions(session, dag_ids, filters)
        rows = conversions.list_conversions(session, dag_ids, filters, offset, _PAGE_SIZE)
    for row in rows:
        row["name"] = visible(row["name"]) if row["name"] else None
    shown = {"total": min(total, conversions.MOST), "more": total > conversions.MOST, "size": _PAGE_SIZE}
    return _json({"conversions": rows, **shown, "dag_ids": sorted(dag_ids)})


@app.get("/calls.json")
def calls_json(request: Request, user: GetUserDep) -> Response:
    """Return what the last weeks have cost, in the Dags that the user may read."""
    with create_session() as session:
        return _json(conversions.sum_calls(session, _readable(request, user, session, 30)))


@app.get(f"{_TASK}/report.json", dependencies=_may_read_task)
def report_json(
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: int,
    state: Annotated[list[str], Query()] = [],  # noqa: B006  # FastAPI copies it.
    name: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Return what has become of the documents of a task."""
    tasks, row, xcoms = _find(dag_id, run_id, task_id, map_index)
    values = xcoms.get(tasks[0].key, {})
    summary = conversions.read_summary(values.get(SUMMARY))
    report: dict[str, Any] = {"task": row, "summary": _as_shown(summary), "note": None, "lines": None}
    if not row["is_batch"]:
        return _json(report | _single(tasks, xcoms))
    try:
        documents = _documents(tasks[0], summary)
    except Unreadable as error:
        return _json(report | {"note": visible(str(error))})
    if documents is None:
        return _json(report)
    found = reports.choose(documents.lines, state, name)
    return _json(
        report
        | {
            "counts": reports.count_states(documents.lines),
            "found": len(found),
            "lines": [reports.as_json(line) for line in found[offset : offset + limit]],
            "lost_replies": sum(line.lost_replies for line in documents.lines),
            "gone": [reports.as_json(line) for line in documents.gone[:limit]],
        }
    )


@app.api_route(f"{_TASK}/results/{{key}}", methods=["GET", "HEAD"], dependencies=_may_read_task)
def result(request: Request, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> Response:
    """Return a result as a file to save, if the report of the task names it."""
    tasks, row, xcoms = _find(dag_id, run_id, task_id, map_index)
    try:
        if row["is_batch"]:
            summary = conversions.read_summary(xcoms.get(tasks[0].key, {}).get(SUMMARY))
            documents = _documents(tasks[0], summary)
            uri = documents.find_result(key) if documents else None
        else:
            uris = (each["uri"] for each in _delivered(tasks, xcoms))
            uri = next((uri for uri in uris if reports.result_key(uri) == key), None)
        if uri is None:
            raise HTTPException(404, "The report of this task names no such result.")
        file = reports.open_result(uri)
    except Unreadable as error:
        raise HTTPException(502, visible(str(error))) from None
    name = uri.rpartition("/")[2].encode(errors="replace").decode()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    # Airflow's server would compress it, and so hide its length.
    headers = {"Content-Disposition": disposition, "Content-Length": str(size), "Content-Encoding": "identity"}
    if request.method == "HEAD":
        file.close()
        return Response(headers=headers, media_type="application/octet-stream")
    return StreamingResponse(reports.pieces(file), headers=headers, media_type="application/octet-stream")


def _page(name: str, depth: int) -> Response:
    # Relative, so that it works below a base path and behind a proxy.
    text = (_FOLDER / "page.html").read_text(encoding="utf-8")
    text = text.replace("{static}", f"{'../' * depth}static/{_VERSION}").replace("{page}", name)
    return Response(text, media_type="text/html; charset=utf-8")


def _json(value: Any) -> Response:
    # Not FastAPI's encoder, which takes no lone surrogates: names of files have them.
    return Response(json.dumps(value), media_type="application/json")


def _readable(request: Request, user: Any, session: Session, days: float | None) -> set[str]:
    """Return the Dags with conversions whose tasks and XComs a user may read."""
    found = conversions.dags_with_conversions(session, days)
    found &= get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
    return {dag_id for dag_id in found if _may_read(request, user, dag_id)}


def _may_read(request: Request, user: Any, dag_id: str) -> bool:
    with suppress(HTTPException):
        for entity in _ENTITIES:
            requires_access_dag("GET", entity, dag_id)(request, user)
        return True
    return False


def _find(
    dag_id: str, run_id: str, task_id: str, map_index: int
) -> tuple[list[Task], dict[str, Any], dict[tuple[str, str, str, int], dict[str, Any]]]:
    """Return the tasks of a conversion, the one in question first, with its description and their XComs."""
    with create_session() as session:
        tasks = conversions.find_conversion(session, dag_id, run_id, task_id, map_index)
        if not tasks:
            raise HTTPException(404, "This task converts no documents.")
        xcoms = conversions.read_xcoms(session, tasks, SUMMARY, PROGRESS, "return_value")
        row = conversions.describe(tasks, xcoms, conversions.read_connections(session, tasks))
    row["name"] = visible(row["name"]) if row["name"] else None
    return tasks, row, xcoms


def _documents(task: Task, summary: conversions.Summary | None) -> Documents | None:
    if summary is None:
        with create_session() as session:
            summary = conversions.last_summary(session, task)
    return reports.read_documents(task, summary) if summary else None


def _as_shown(summary: conversions.Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    names = ("left_out", "left_at_service", "sources_gone", "results_deleted", "bytes_in", "bytes_out", "calls")
    shown = {name: getattr(summary, name) for name in (*names, "calls_by_connection", "seconds")}
    return shown | {"report": visible(summary.report)}


def _single(tasks: list[Task], xcoms: dict[tuple[str, str, str, int], dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of a single conversion."""
    progress = None
    for task in tasks:
        progress = conversions.read_progress(xcoms.get(task.key, {}).get(PROGRESS)) or progress
    results = [
        {
            "name": visible(each["uri"].rpartition("/")[2]),
            "uri": visible(each["uri"]),
            "size": each.get("size") if isinstance(each.get("size"), int) else None,
            "key": reports.result_key(each["uri"]),
        }
        for each in _delivered(tasks, xcoms)
    ]
    waited = {"state": visible(progress.state), "polls": progress.polls} if progress else None
    return {"results": results, "operation": waited}


def _delivered(tasks: list[Task], xcoms: dict[tuple[str, str, str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files that a single conversion has delivered."""
    for task in tasks:
        values = xcoms.get(task.key, {}).get("return_value")
        if isinstance(values, list):
            return [each for each in values if isinstance(each, dict) and isinstance(each.get("uri"), str)]
    return []
