"""A run of a Dag and its tasks, as the REST API tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dev.processes import Process, wait_until
from dev.rest import Rest, RestError

FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Task:
    """
    A task instance.

    :param id: the task's id, with its group: ``convert.wait``.
    :param map_index: which of a mapped task's instances this is; -1 for a plain task.
    :param name: what the Dag calls this instance (its rendered map index).
    :param state: Airflow's word, or ``None`` before anything has happened to it.
    """

    id: str
    map_index: int
    name: str
    state: str | None
    try_number: int
    start: datetime | None
    end: datetime | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Task:
        """Build a task from the API's JSON."""
        start, end = (datetime.fromisoformat(told[key]) if told[key] else None for key in ("start_date", "end_date"))
        name = told.get("rendered_map_index") or str(told["map_index"])
        return cls(told["task_id"], told["map_index"], name, told["state"], told["try_number"], start, end)


class Run:
    """
    A run of a Dag.

    :param rest: the API.
    :param dag_id: the Dag.
    :param run_id: the run.
    :param watch: the programs without which it will never end.
    """

    def __init__(self, rest: Rest, dag_id: str, run_id: str, watch: Sequence[Process] = ()) -> None:
        self.rest = rest
        self.dag_id = dag_id
        self.run_id = run_id
        self.watch = watch
        self.path = f"dags/{dag_id}/dagRuns/{run_id}"

    @property
    def state(self) -> str:
        """The run's state: ``queued``, ``running``, ``success``, ``failed``."""
        return str(self.rest.get(self.path)["state"])

    def wait(self, timeout: float = 300) -> str:
        """Wait for the end of the run and return its state."""
        wait_until(lambda: self.state in FINISHED, f"The run of {self.dag_id}", timeout, self.watch, pause=0.5)
        return self.state

    def wait_for(self, task_id: str, state: str, map_index: int = -1, timeout: float = 120) -> Task:
        """Wait for a task to reach a state, and return it."""
        what = f"For {task_id}[{map_index}] to be {state}"
        wait_until(lambda: self.task(task_id, map_index).state == state, what, timeout, self.watch)
        return self.task(task_id, map_index)

    def tasks(self) -> list[Task]:
        """Return every task instance of the run."""
        found: list[Task] = []
        while True:
            page = self.rest.get(f"{self.path}/taskInstances", limit=100, offset=len(found), order_by="id")
            found += map(Task.read, page["task_instances"])
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def task(self, task_id: str, map_index: int = -1) -> Task:
        """Return one task instance."""
        return Task.read(self.rest.get(self._instance(task_id, map_index)))

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task pushed."""
        path = f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.rest.get(path, map_index=map_index, deserialize=True)["value"]

    def state_store(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return what a task keeps across its tries."""
        path = f"{self.path}/taskInstances/{task_id}/state-store"
        return self.rest.get(path, map_index=map_index)

    def log(self, task_id: str, map_index: int = -1, try_number: int = 1) -> list[dict[str, Any]]:
        """Return the lines of a task's log: ``event``, ``level``, and for an exception ``error_detail``."""
        path = f"{self.path}/taskInstances/{task_id}/logs/{try_number}"
        lines = self.rest.get(path, map_index=map_index, full_content=True)["content"]
        return [line if isinstance(line, dict) else {"event": line} for line in lines]

    def error(self, task: Task) -> str:
        """Return the message of the exception that ended a task, or an empty string."""
        return self._error(task, max(task.try_number, 1))

    def errors(self, task: Task) -> list[str]:
        """
        Return the message of each exception that ended a try of a task.

        A busy Airflow takes a task for lost now and then that was deferred for moments only, and tries it again; such
        a try has no exception.
        """
        found = (self._error(task, number) for number in range(1, task.try_number + 1))
        return [message for message in found if message]

    def _error(self, task: Task, try_number: int) -> str:
        try:
            lines = self.log(task.id, task.map_index, try_number)
        except RestError as error:
            if error.status != 404:
                raise
            lines = []  # A try that a busy Airflow has lost may be missing from its history.
        for line in reversed(lines):
            for detail in line.get("error_detail") or []:
                return str(detail["exc_value"])
        return ""

    def set_state(self, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task as a person would in the UI."""
        self.rest.patch(self._instance(task_id, map_index), {"new_state": state})

    def clear(self, *task_ids: str, only_failed: bool = False) -> None:
        """Clear tasks, all of the run's when none is named, so that they run again."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": self.run_id, "only_failed": only_failed}
        if task_ids:
            body["task_ids"] = list(task_ids)
        self.rest.post(f"dags/{self.dag_id}/clearTaskInstances", body)

    def stop(self) -> None:
        """Mark the run as failed, which ends its tasks."""
        self.rest.patch(self.path, {"state": "failed"})

    def _instance(self, task_id: str, map_index: int) -> str:
        path = f"{self.path}/taskInstances/{task_id}"
        return path if map_index < 0 else f"{path}/{map_index}"
