"""Remembers what was started, so that no try of a task pays for a conversion twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

_KEY = "docconv_start"


@dataclass(frozen=True, slots=True)
class StartRecord:
    """
    What a task wrote down about its start.

    :param fingerprint: of the document, the target format and the options
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    :param operation_id: the operation, or None if the start was sent and its reply has not come
    """

    fingerprint: str
    max_tries: int
    operation_id: str | None = None


class Decision(Enum):
    """What a try of a task does about the start."""

    START = "start"
    REATTACH = "reattach"
    REPLY_LOST = "reply lost"


def decide(before: StartRecord | None, now: StartRecord) -> Decision:
    """
    Decide on every try of a task what to do, from what an earlier one wrote down.

    :param before: the record of an earlier try, if there is one
    :param now: what this try is about
    """
    if before is None or before.fingerprint != now.fingerprint:
        return Decision.START
    if before.max_tries != now.max_tries:
        # A person cleared the task, and so wants the conversion done again.
        return Decision.START
    return Decision.REPLY_LOST if before.operation_id is None else Decision.REATTACH


def fingerprint(**parts: object) -> str:
    """Return a digest of what makes one conversion differ from another; leave secrets out."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class Records(Protocol):
    """Where a task's record lies."""

    def read(self) -> StartRecord | None:
        """Return the record, if there is one."""

    def write(self, record: StartRecord) -> None:
        """Write the record, replacing an older one."""

    def clear(self) -> None:
        """Forget the record."""


def records_of(context: Context) -> Records:
    """
    Return the place for a task's record.

    Airflow wipes a task's XComs before each try. Its task state store (3.3) survives tries; before that, a file in
    the folder ``[docconv] ledger_path`` does.
    """
    store = context.get("task_state_store")
    return Ledger(context) if store is None else TaskStateStore(store)


class TaskStateStore:
    """
    A record in Airflow's task state store.

    :param store: the context's ``task_state_store``
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def read(self) -> StartRecord | None:
        """Return the record, if there is one."""
        return _parse(self._store.get(_KEY))

    def write(self, record: StartRecord) -> None:
        """Write the record, replacing an older one."""
        self._store.set(_KEY, asdict(record))

    def clear(self) -> None:
        """Forget the record."""
        self._store.delete(_KEY)


class Ledger:
    """
    A record in a small file of its own, for Airflow before 3.3.

    :param context: the task's context
    """

    def __init__(self, context: Context) -> None:
        ti: Any = context["ti"]
        names = (ti.dag_id, ti.run_id, ti.task_id, str(getattr(ti, "map_index", -1)))
        self._path = _ledger_folder() / "/".join(quote(name, safe="") for name in names)

    def read(self) -> StartRecord | None:
        """Return the record, if there is one."""
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None
        return _parse(json.loads(text))

    def write(self, record: StartRecord) -> None:
        """Write the record, replacing an older one."""
        from airflow_provider_docconv.storage import write_whole

        write_whole(self._path, json.dumps(asdict(record)).encode())

    def clear(self) -> None:
        """Forget the record."""
        self._path.unlink(missing_ok=True)


def _ledger_folder() -> ObjectStoragePath:
    from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

    folder = conf.get("docconv", "ledger_path", fallback="")
    home = os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")
    return ObjectStoragePath(folder or f"file://{home}/docconv/ledger")


def _parse(value: Any) -> StartRecord | None:
    if not isinstance(value, Mapping):
        return None
    return StartRecord(
        str(value.get("fingerprint")),
        int(value.get("max_tries") or 0),
        value.get("operation_id"),
    )
