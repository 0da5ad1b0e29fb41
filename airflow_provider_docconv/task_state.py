"""What outlives a try of a single task, and whether a person has ended it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import msgspec

from airflow_provider_docconv.compat import AIRFLOW_VERSION, conf
from airflow_provider_docconv.services.errors import RecordDamaged
from airflow_provider_docconv.transfer.addresses import path_name
from airflow_provider_docconv.transfer.object_storage import store_errors, write_whole

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath

# The states of a task that was marked, alone or with its run. A task that was cleared or has lost its worker is in none
# of them: its next try resumes the same operation.
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class TaskState(Protocol):
    """Values by key, durable when a method returns."""

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""

    def delete(self, key: str) -> None:
        """Delete a value."""


class AirflowTaskState:
    """
    Values in Airflow's task state store, which Airflow has since 3.3.

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
        """Delete a value."""
        self._store.delete(key)


class FileTaskState:
    """
    Values in small files, one for each key.

    :param folder: their folder
    """

    def __init__(self, folder: ObjectStoragePath) -> None:
        self._folder = folder
        self._errors = f"cannot read or write the task's state in {folder}"

    def get(self, key: str) -> Any:
        """Return a value, or None if there is none."""
        path = self._folder / f"{key}.json"
        with store_errors(self._errors):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RecordDamaged(f"cannot read the task's state {path} ({str(error)[:100]})") from error

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""
        with store_errors(self._errors):
            write_whole(self._folder / f"{key}.json", json.dumps(value).encode())

    def delete(self, key: str) -> None:
        """Delete a value."""
        with store_errors(self._errors):
            (self._folder / f"{key}.json").unlink(missing_ok=True)


def task_state(context: Context, folder: str | None = None) -> TaskState:
    """
    Return the state of a task: in Airflow's store, or before Airflow 3.3 in a folder of small files.

    :param context: the task's context
    :param folder: the folder for the files, as a URI; ``[docconv] task_state_path`` if it is None
    """
    if (store := context.get("task_state_store")) is not None:
        return AirflowTaskState(store)
    from airflow_provider_docconv.compat import ObjectStoragePath  # It loads fsspec, and triggers need no files.

    home = os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")
    root = folder or conf.get("docconv", "task_state_path", fallback="") or f"file://{home}/docconv/task_state"
    return FileTaskState(ObjectStoragePath(root) / "/".join(path_name(str(name)) for name in task_key(context["ti"])))


def task_key(ti: Any) -> tuple[str, str, str, int]:
    """Return the Dag id, the run id, the task id and the map index of a task instance."""
    return ti.dag_id, ti.run_id, ti.task_id, getattr(ti, "map_index", -1)


def max_tries(context: Context) -> int:
    """Return the task's ``max_tries``, which a person's Clear raises and a retry does not."""
    return int(getattr(context["ti"], "max_tries", 0) or 0)


class _Record(msgspec.Struct, frozen=True):
    """What a task wrote down for its next try."""

    _KEY: ClassVar[str]

    @classmethod
    def read(cls, state: TaskState) -> Self | None:
        """Return the record, or None if there is none."""
        value = state.get(cls._KEY)
        try:
            return msgspec.convert(value, cls) if isinstance(value, Mapping) else None
        except msgspec.ValidationError:
            return None

    @classmethod
    def delete(cls, state: TaskState) -> None:
        """Delete the record."""
        state.delete(cls._KEY)

    def write(self, state: TaskState) -> None:
        """Write the record, replacing an older one."""
        state.set(self._KEY, msgspec.to_builtins(self))


class StartRecord(_Record, frozen=True):
    """
    What a task started.

    :param fingerprint: of the document, the target format and the options
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    :param operation_id: the operation, or None if the start was sent and its reply has not come
    :param source_sha256: the SHA-256 of the document that was sent, in hexadecimal, if one was
    :param remote_source: the address in the vendor's storage to which the document was sent, if it was sent there
    """

    _KEY: ClassVar[str] = "docconv_start"

    fingerprint: str
    max_tries: int
    operation_id: str | None = None
    source_sha256: str | None = None
    remote_source: str | None = None


class WaitRecord(_Record, frozen=True):
    """
    Since when a task has waited for an operation.

    :param operation_id: the operation
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    :param began: when its first try began to wait, in seconds since the epoch
    """

    _KEY: ClassVar[str] = "docconv_wait"

    operation_id: str
    max_tries: int
    began: float


def task_was_ended_by_user(dag_id: str, run_id: str, task_id: str, map_index: int) -> bool:
    """
    Return whether a person has ended a task that was at work.

    It asks Airflow, which blocks: call it in a thread from an event loop.

    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: the instance of a mapped task, -1 for a plain task
    """
    return str(state_in_airflow(dag_id, run_id, task_id, map_index)) in _ENDED


def state_in_airflow(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    """
    Ask Airflow for the state of a task instance.

    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: the instance of a mapped task, -1 for a plain task
    """
    if AIRFLOW_VERSION < (3, 0):
        return _state_in_database(dag_id, run_id, task_id, map_index)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # Airflow 2 has no such module.

    states = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, run_ids=[run_id], task_ids=[task_id], map_index=map_index
    )
    key = task_id if map_index < 0 else f"{task_id}_{map_index}"
    return states.get(run_id, {}).get(key)


def _state_in_database(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    # Airflow 2: workers and triggerers have access to the database, and nothing else to ask.
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        return session.query(TaskInstance.state).filter_by(**key).scalar()
