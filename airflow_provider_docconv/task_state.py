"""What outlives a try of a single task, and who ended it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath


# Two of them fit into the name of a file, with what else is in it.
_LONGEST_NAME = 90


class TaskState(Protocol):
    """Values by key, durable when a method returns."""

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""

    def delete(self, key: str) -> None:
        """Forget a value."""


def task_state(context: Context, folder: str | None = None) -> TaskState:
    """
    Return the place of a task: Airflow's task state store (3.3), and before that a folder of small files.

    :param context: the task's context
    :param folder: the folder for the files, as a URI; ``[docconv] task_state_path`` if it is None
    """
    store = context.get("task_state_store")
    return _files(context, folder) if store is None else AirflowTaskState(store)


class AirflowTaskState:
    """
    Values in Airflow's task state store.

    :param store: the context's ``task_state_store``
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""
        self._store.set(key, value)

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._store.delete(key)


class FileTaskState:
    """
    Values in small files, one for each key.

    :param folder: where they lie
    """

    def __init__(self, folder: ObjectStoragePath) -> None:
        self._folder = folder

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""
        from airflow_provider_docconv.services.errors import RecordDamaged

        path = self._folder / f"{key}.json"
        with self._errors():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RecordDamaged(f"the task's record {path} can't be read ({str(error)[:100]})") from error

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""
        from airflow_provider_docconv.transfer.object_storage import write_whole

        with self._errors():
            write_whole(self._folder / f"{key}.json", json.dumps(value).encode())

    def delete(self, key: str) -> None:
        """Forget a value."""
        with self._errors():
            (self._folder / f"{key}.json").unlink(missing_ok=True)

    def _errors(self) -> AbstractContextManager[None]:
        from airflow_provider_docconv.transfer.object_storage import store_errors

        return store_errors(f"the task's record in {self._folder} can't be read or written")


def task_key(ti: Any) -> tuple[str, str, str, int]:
    """Return the Dag id, the run id, the task id and the map index of a task instance."""
    return ti.dag_id, ti.run_id, ti.task_id, getattr(ti, "map_index", -1)


def max_tries(context: Context) -> int:
    """Return the task's ``max_tries``, which a person's Clear raises and a retry does not."""
    return int(getattr(context["ti"], "max_tries", 0) or 0)


def _files(context: Context, folder: str | None) -> FileTaskState:
    from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

    home = os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")
    root = folder or conf.get("docconv", "task_state_path", fallback="") or f"file://{home}/docconv/task_state"
    return FileTaskState(ObjectStoragePath(root) / "/".join(path_name(str(name)) for name in task_key(context["ti"])))


def path_name(text: str) -> str:
    """Make one name of a path, the same for the same text, never a way out of the folder and never too long for it."""
    name = quote(text, safe="").replace(".", "%2E")
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[:_LONGEST_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    )


_KEY = "docconv_start"
_WAIT_KEY = "docconv_wait"


@dataclass(frozen=True, slots=True)
class StartRecord:
    """
    What a task wrote down about its start.

    :param fingerprint: of the document, the target format and the options
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    :param operation_id: the operation, or None if the start was sent and its reply has not come
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal, if it was
    :param remote_source: the address in the vendor's storage to which the document was sent, if it was sent there
    """

    fingerprint: str
    max_tries: int
    operation_id: str | None = None
    source_sha256: str | None = None
    remote_source: str | None = None


class StartRecords:
    """
    The record of a task.

    :param state: where it lies
    """

    def __init__(self, state: TaskState) -> None:
        self._state = state

    def read(self) -> StartRecord | None:
        """Return the record, if there is one."""
        value = self._state.get(_KEY)
        if not isinstance(value, Mapping):
            return None
        return StartRecord(
            str(value.get("fingerprint")),
            int(value.get("max_tries") or 0),
            value.get("operation_id"),
            value.get("source_sha256"),
            value.get("remote_source"),
        )

    def write(self, record: StartRecord) -> None:
        """Write the record, replacing an older one."""
        self._state.set(_KEY, asdict(record))

    def clear(self) -> None:
        """Forget the record."""
        self._state.delete(_KEY)


class WaitRecords:
    """
    Since when a task has waited for an operation.

    :param state: where that lies
    :param operation_id: the operation
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    """

    def __init__(self, state: TaskState, operation_id: str, max_tries: int) -> None:
        self._state = state
        self._same = {"operation_id": operation_id, "max_tries": max_tries}

    def began(self) -> float | None:
        """Return when the first try began to wait, in seconds since the epoch, or None if none has."""
        value = self._state.get(_WAIT_KEY)
        if not isinstance(value, Mapping) or any(value.get(key) != same for key, same in self._same.items()):
            return None
        began = value.get("began")
        return float(began) if isinstance(began, int | float) else None

    def begin(self, now: float) -> None:
        """Write down that the wait begins."""
        self._state.set(_WAIT_KEY, {**self._same, "began": now})


# What a task is after it was marked, alone or with its run. One that was cleared or has lost its worker is none of
# these: its next try goes on with the same operation.
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


def task_was_ended_by_user(dag_id: str, run_id: str, task_id: str, map_index: int) -> bool:
    """
    Tell whether a task that was doing something has been ended meanwhile.

    It asks Airflow, which blocks: an event loop calls it in a thread.

    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: which of a mapped task's instances, -1 for a plain task
    """
    return str(_state(dag_id, run_id, task_id, map_index)) in _ENDED


def _state(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if not AIRFLOW_V_3_0_PLUS:
        return _state_in_database(dag_id, run_id, task_id, map_index)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, run_ids=[run_id], task_ids=[task_id], map_index=map_index
    )
    key = task_id if map_index < 0 else f"{task_id}_{map_index}"
    return states.get(run_id, {}).get(key)


def _state_in_database(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    # Airflow 2: its workers and triggerers have the database, and nothing else to ask.
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        return session.query(TaskInstance.state).filter_by(**key).scalar()
