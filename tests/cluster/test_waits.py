"""
Whatever happens to a wait, it ends as docs/waiting.md promises, in real Airflow processes.

All cells of its tables run side by side; each waits for an operation of its own, which would take longer than the test.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import LocalAirflow, migrated
from dev.debian import NotInstalled
from dev.postgres import Postgres
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox
from tests.support.wait_tables import EVENTS, SERVICES, WAYS, Cell, cells

CELLS = list(cells())
RUNNING_CELLS = [cell for cell in CELLS if cell.promise != "no worker"]
HEADS = {"aspose_ocr": b"AT&TFORM", "aspose_slides": b"PK\x03\x04"}
SUFFIXES = {"aspose_ocr": "djvu", "aspose_slides": "pptx"}


@dataclass
class Wait:
    """What happens in a cell."""

    cell: Cell
    source: Path
    run: Run
    digest: str = field(init=False)
    #: The states of the run and of the task that waits, when they were looked at last.
    run_state: str = ""
    task_state: str | None = None
    seen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256(self.source.read_bytes()).hexdigest()

    @property
    def waiting(self) -> str:
        """Airflow's word for a task that waits in this way."""
        return "running" if self.cell.way == "plain" else "deferred"

    def waits(self) -> bool:
        """Tell whether the task waits at this moment."""
        return self.task_state == self.waiting

    def is_seen(self) -> bool:
        """Look at it as a person would, while it waits, and tell whether everything was there to be seen."""
        link = self.cell.way == "deferrable"
        if not (self._has("progress") and (not link or self._has("_link_ServiceLink"))):
            return False
        self.seen["progress"] = self.run.xcom("wait", "progress")
        self.seen["link"] = self.run.xcom("wait", "_link_ServiceLink") if link else None
        return True

    def has_ended(self) -> bool:
        return self.run_state in FINISHED

    def _has(self, key: str) -> bool:
        return self.run.rest.exists(f"{self.run.path}/taskInstances/wait/xcomEntries/{key}")

    def told(self, echo: Sandbox) -> dict[str, Any]:
        """Return what the service tells of its document."""
        found: dict[str, Any] = echo.stats()["sources"].get(self.digest, {})
        return found


def reach(waits: Iterable[Wait], condition: Callable[[Wait], bool], seconds: float) -> None:
    """
    Wait until a condition has held once for each of these, or for so many seconds.

    All are looked at in turn, because a state may pass while another one is awaited. Whatever is not reached fails the
    test of its own cell, not those of all others.
    """
    deadline, missing = time.monotonic() + seconds, list(waits)
    while missing and time.monotonic() < deadline:
        time.sleep(0.5)
        look(missing)
        missing = [wait for wait in missing if not condition(wait)]


def look(waits: Sequence[Wait]) -> None:
    """Look at the states of all runs and tasks at once: one by one would keep the API server busy."""
    rest = waits[0].run.rest
    runs = rest.get("dags/~/dagRuns", limit=100)["dag_runs"]
    run_states = {(told["dag_id"], told["dag_run_id"]): told["state"] for told in runs}
    tasks = rest.get("dags/~/dagRuns/~/taskInstances", limit=100, task_display_name_pattern="wait")["task_instances"]
    task_states = {(told["dag_id"], told["dag_run_id"]): told["state"] for told in tasks}
    for wait in waits:
        key = wait.run.dag_id, wait.run.run_id
        wait.run_state, wait.task_state = run_states[key], task_states.get(key)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("waits")
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "dag_files" / "waits.py", dags)
    try:
        postgres = Postgres(home / "postgres", migrated())
    except NotInstalled as error:
        pytest.skip(str(error))  # It says what is not installed, and how it would be.
    with postgres, LocalAirflow(home / "airflow", dags, postgres, parallelism=24) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory, airflow: LocalAirflow) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("echo") / "log", "--engine", "echo", "--seconds", "3000") as echo:
        echo.wait_until_healthy()
        for conn_type in SERVICES.values():
            echo.connect(airflow, conn_type, conn_type)
        yield echo


@pytest.fixture(scope="module")
def waits(airflow: LocalAirflow, echo: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Wait]:
    """Let everything happen, and return how all cells have ended."""
    folder = tmp_path_factory.mktemp("documents")
    found = {cell: start(airflow, folder, cell) for cell in RUNNING_CELLS}
    of_event: dict[str, list[Wait]] = {event: [] for event in EVENTS.values()}
    for wait in found.values():
        of_event[wait.cell.event].append(wait)
    acted_on = [wait for event in ("triggerer", "cleared", "success", "failed") for wait in of_event[event]]
    reach(acted_on, Wait.waits, 400)
    reach(of_event["triggerer"], Wait.is_seen, 120)
    kill_triggerer(airflow, echo, of_event["triggerer"])
    for wait in of_event["cleared"]:
        wait.run.clear("wait")
    for wait in of_event["success"] + of_event["failed"]:
        wait.run.set_state("wait", wait.cell.event)
    reach(
        (wait for wait in found.values() if "canceled" in wait.cell.promise),
        lambda wait: bool(wait.told(echo).get("canceled")),
        300,
    )
    reach((wait for wait in found.values() if wait.cell.promise != "waits on"), Wait.has_ended, 300)
    reach((wait for wait in of_event["cleared"] if wait.cell.promise == "waits on"), Wait.waits, 300)
    echo.finish()
    reach(found.values(), Wait.has_ended, 300)
    return found


def start(airflow: LocalAirflow, folder: Path, cell: Cell) -> Wait:
    source = folder / f"{cell}.{SUFFIXES[cell.service]}"
    source.write_bytes(HEADS[cell.service] + str(source).encode())
    limit = f"_{cell.event}" if cell.event in ("deadline", "execution_timeout") else ""
    kill = str(source.with_suffix(".killed")) if cell.event == "killed" else ""
    conf = {"source": f"file://{source}", "conn_id": cell.service, "kill": kill}
    return Wait(cell, source, airflow.run(f"wait_{cell.way}{limit}", conf))


def kill_triggerer(airflow: LocalAirflow, echo: Sandbox, waits: Iterable[Wait]) -> None:
    """Kill it, start it again, and wait until it polls again."""
    airflow.triggerer.kill()
    airflow.processes.start(airflow.triggerer)
    polls = {wait.cell: wait.told(echo).get("polls", 0) for wait in waits if wait.cell.way != "plain"}
    reach(
        (wait for wait in waits if wait.cell in polls),
        lambda wait: wait.told(echo).get("polls", 0) > polls[wait.cell],
        300,
    )


def test_the_tables_are_whole() -> None:
    assert {(cell.service, cell.event, cell.way) for cell in CELLS} == {
        (service, event, way) for service in SERVICES.values() for event in EVENTS.values() for way in WAYS
    }
    assert [str(cell) for cell in CELLS if cell not in RUNNING_CELLS] == [
        "aspose_ocr-killed-from_trigger",
        "aspose_slides-killed-from_trigger",
    ]


@pytest.mark.parametrize("cell", RUNNING_CELLS, ids=str)
def test_a_wait_ends_as_promised(cell: Cell, waits: dict[Cell, Wait], echo: Sandbox) -> None:
    wait = waits[cell]
    told, task = wait.told(echo), wait.run.task("wait")
    if cell.promise == "waits on":
        found = "waits on" if task.state == "success" and not told.get("canceled") else f"{task.state}, lost"
        assert wait.run.xcom("wait") == wait.run.xcom("start")
    else:
        found = f"{task.state}, {'canceled' if told['canceled'] else 'goes on'}"
    assert found == cell.promise
    assert told.get("created") == 1
    assert told.get("canceled", 0) <= 1
    assert wait.run.state in FINISHED


@pytest.mark.parametrize("cell", [cell for cell in RUNNING_CELLS if cell.promise != "waits on"], ids=str)
def test_the_log_says_once_what_became_of_the_operation(
    cell: Cell, waits: dict[Cell, Wait], airflow: LocalAirflow
) -> None:
    run = waits[cell].run
    lines = [line["event"] for line in run.log("wait", try_number=run.task("wait").try_number)]
    # Where a busy triggerer writes what a trigger says after its end.
    lines += airflow.triggerer.log.read_text().splitlines()
    operation_id = run.xcom("start")
    canceled, continues = f"Cancelled operation {operation_id} at", f"can't cancel: operation {operation_id} "
    words = canceled if "canceled" in cell.promise else continues
    assert sum(words in line for line in lines) == 1


@pytest.mark.parametrize("cell", [cell for cell in RUNNING_CELLS if cell.event == "triggerer"], ids=str)
def test_a_wait_shows_how_far_it_is(cell: Cell, waits: dict[Cell, Wait], echo: Sandbox) -> None:
    seen = waits[cell].seen
    assert seen["progress"]["state"] == "running"
    assert seen["progress"]["polls"] >= 1
    if cell.way == "deferrable":
        assert seen["link"] == echo.url


@pytest.mark.parametrize("cell", [cell for cell in RUNNING_CELLS if cell.event == "killed"], ids=str)
def test_the_worker_was_killed(cell: Cell, waits: dict[Cell, Wait]) -> None:
    wait = waits[cell]
    assert wait.source.with_suffix(".killed").exists()
    assert wait.run.task("wait").try_number >= 2


@pytest.mark.parametrize("cell", [cell for cell in RUNNING_CELLS if cell.event == "execution_timeout"], ids=str)
def test_each_try_had_its_time(cell: Cell, waits: dict[Cell, Wait]) -> None:
    run = waits[cell].run
    errors = run.errors(run.task("wait"))
    assert len(errors) >= 2
    # The second is Airflow's own message: a busy machine may take so long to begin the wait.
    words = ("within execution_timeout", "Timeout, PID")
    assert all(any(each in error for each in words) for error in errors)


@pytest.mark.parametrize("cell", [cell for cell in RUNNING_CELLS if cell.event == "deadline"], ids=str)
def test_a_deadline_is_not_tried_again(cell: Cell, waits: dict[Cell, Wait]) -> None:
    run = waits[cell].run
    (error,) = run.errors(run.task("wait"))
    assert "did not finish the conversion in time" in error
