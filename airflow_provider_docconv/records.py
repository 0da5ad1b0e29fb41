"""Remembers across the tries of a task what it started, so that none pays twice, and since when it has waited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from airflow_provider_docconv.decisions import Decision, Progress, decide
from airflow_provider_docconv.task_state import TaskState

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
    :param uploaded: the address in the vendor's storage to which the document was sent, if it was sent there
    """

    fingerprint: str
    max_tries: int
    operation_id: str | None = None
    source_sha256: str | None = None
    uploaded: str | None = None

    def decide(self, before: StartRecord | None) -> Decision:
        """
        Decide what this try does.

        :param before: the record of an earlier try, if there is one
        """
        if before is None:
            return Decision.START
        progress = Progress.SENT if before.operation_id is None else Progress.STARTED
        # A person who clears the task wants the conversion done again.
        return decide(progress, before.fingerprint, self.fingerprint, anew=before.max_tries != self.max_tries)


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
            value.get("uploaded"),
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
