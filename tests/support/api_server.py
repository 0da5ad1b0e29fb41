"""An API server in this process, with a database of its own, and people of different rights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pendulum
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from jwt import InvalidTokenError
from sqlalchemy import delete, insert, select

EVERYTHING = set(DagAccessEntity) | {None}
#: Who may read what of which Dags; None is a Dag itself. Each is logged in by a token that is their name.
RIGHTS: dict[str, dict[str, set[DagAccessEntity | None]]] = {
    "ann": {"nightly": EVERYTHING, "secret": EVERYTHING, "weekly": EVERYTHING},
    "vic": {"nightly": EVERYTHING},
    "no-xcoms": {"nightly": EVERYTHING - {DagAccessEntity.XCOM}},
    "no-tasks": {"nightly": EVERYTHING - {DagAccessEntity.TASK_INSTANCE}},
    "nobody": {},
}


class AuthManager(SimpleAuthManager):
    """An auth manager with rights for each Dag, which Airflow's simple one has not."""

    async def get_user_from_token(self, token: str) -> SimpleAuthManagerUser:
        """Return who has a token."""
        if token not in RIGHTS:
            raise InvalidTokenError(token)
        return SimpleAuthManagerUser(username=token, role="VIEWER")

    def is_authorized_dag(
        self, *, method: str, user: Any, access_entity: DagAccessEntity | None = None, details: Any = None
    ) -> bool:
        """Tell whether somebody may read something of a Dag."""
        rights = RIGHTS[user.username].get(details.id if details else None, set())
        return method == "GET" and access_entity in rights


class Database:
    """Writes what Airflow would have written while Dags ran."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with create_session() as session:
            for table in (XComModel, TaskInstance, DagRun, DagModel, DagBundleModel):
                session.execute(delete(table.__table__))
            session.execute(insert(DagBundleModel.__table__).values(name="dags", active=True))
            for dag_id in ("nightly", "secret", "weekly"):
                session.add(DagModel(dag_id=dag_id, bundle_name="dags", fileloc="", is_stale=False))

    def add(
        self,
        dag_id: str,
        run_id: str = "run-1",
        task_id: str = "convert",
        state: str | None = "success",
        operator: str = "ConvertDocumentsOperator",
        map_index: int = -1,
        began: datetime | None = None,
        xcoms: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        """Add a task instance, its run if need be, and its XComs."""
        began = began or pendulum.now("UTC")
        run, task, xcom = DagRun.__table__, TaskInstance.__table__, XComModel.__table__
        with create_session() as session:
            found = session.scalar(select(run.c.id).where(run.c.dag_id == dag_id, run.c.run_id == run_id))
            if found is None:
                dates = {"run_after": began, "start_date": began, "end_date": began, "queued_at": began}
                row = {"dag_id": dag_id, "run_id": run_id, "state": "success", "run_type": "manual", **dates}
                found = session.execute(insert(run).values(**row)).inserted_primary_key[0]
            key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
            dates = {"start_date": began, "end_date": began.add(seconds=90) if state in ("success", "failed") else None}
            row = {"state": state, "operator": operator, "pool": "default_pool", "hostname": "here"}
            session.execute(insert(task).values({**key, **row, **dates, "try_number": 1, "max_tries": 2, **columns}))
            for name, value in (xcoms or {}).items():
                value = json.loads(json.dumps(value))
                session.execute(insert(xcom).values(**key, dag_run_id=found, key=name, value=value, timestamp=began))


def summary(**values: Any) -> dict[str, Any]:
    """Return a summary as a batch pushes it, of three documents if nothing else is said."""
    counts = {"documents": 3, "delivered": 2, "skipped": 0, "rejected": 1, "failed": 0, "unfinished": 0}
    calls = {"start": 2, "status": 7}
    more = {"calls": calls, "calls_by_connection": {"decks": calls}, "left_out": {"txt": 1}, "bytes_in": 1000}
    return {**counts, **more, "began": "2026-01-01T00:00:00+00:00", "seconds": 12.5, "run": "run-1", **values}


def get(api: Any, path: str, user: str = "ann", **parameters: Any) -> Any:
    """Ask for a page as somebody."""
    return api.get(path, headers={"Authorization": f"Bearer {user}"}, params=parameters)
