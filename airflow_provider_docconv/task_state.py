"""A place for small values that outlives a try of a task: Airflow wipes a task's XComs before each."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import AbstractContextManager
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
    :param folder: the folder for the files, as a URI; ``[docconv] ledger_path`` if it is None
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
        from airflow_provider_docconv.services.errors import LedgerDamaged

        path = self._folder / f"{key}.json"
        with self._errors():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise LedgerDamaged(f"the task's record {path} can't be read ({str(error)[:100]})") from error

    def set(self, key: str, value: Any) -> None:
        """Write a value of plain JSON, replacing an older one."""
        from airflow_provider_docconv.storage import write_whole

        with self._errors():
            write_whole(self._folder / f"{key}.json", json.dumps(value).encode())

    def delete(self, key: str) -> None:
        """Forget a value."""
        with self._errors():
            (self._folder / f"{key}.json").unlink(missing_ok=True)

    def _errors(self) -> AbstractContextManager[None]:
        from airflow_provider_docconv.storage import store_errors

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
    root = folder or conf.get("docconv", "ledger_path", fallback="") or f"file://{home}/docconv/ledger"
    return FileTaskState(ObjectStoragePath(root) / "/".join(path_name(str(name)) for name in task_key(context["ti"])))


def path_name(text: str) -> str:
    """Make one name of a path, the same for the same text, never a way out of the folder and never too long for it."""
    name = quote(text, safe="").replace(".", "%2E")
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[:_LONGEST_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    )
