"""
Whatever happens to a batch, every document is delivered once, and what may have been paid twice is named.

The cases run side by side in one Airflow; each has documents of its own, which the sandbox tells apart by their bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dev.airflow import Airflow
from dev.processes import wait_until
from dev.run import Run
from dev.sandbox import Sandbox
from docconv_sandbox import expected_result

COUNT = 12
RESULT = 200_000
KILLS = [
    "before a start",
    "after it was sent",
    "after its id was recorded",
    "when it comes back",
    "during a download",
    "while the report is written",
]
FAULTS = "a tenth of all calls fails"
NO_TRY_LEFT = "killed with no try left"
DATES = "a folder of results per date"
CASES = [
    *KILLS,
    "the triggerer is killed",
    "cleared while deferred",
    "marked failed while deferred",
    NO_TRY_LEFT,
    DATES,
    FAULTS,
]
KILLED = (*KILLS, NO_TRY_LEFT)
# The Dag of a case and what its run is given, where they are not the usual ones.
FIRST_RUNS: dict[str, tuple[str, dict[str, str]]] = {
    FAULTS: ("batch", {"conn_id": "faulty"}),
    NO_TRY_LEFT: ("batch_without_retries", {}),
    DATES: ("batch_into_a_folder_per_date", {"logical_date": "2026-01-01T00:00:00Z"}),
}


@dataclass
class Case:
    """What is converted in a case, and the run that does it."""

    name: str
    folder: Path
    digests: dict[str, str] = field(default_factory=dict)
    run: Run | None = None

    def prepare(self, count: int) -> None:
        (self.folder / "in").mkdir(parents=True)
        for number in range(count):
            content = b"PK\x03\x04" + f"{self.name} {number} {self.folder}".encode()
            (self.folder / "in" / f"deck-{number:03}.pptx").write_bytes(content)
            self.digests[f"deck-{number:03}"] = hashlib.sha256(content).hexdigest()

    def start(self, airflow: Airflow, dag_id: str = "batch", *, logical_date: str | None = None, **conf: str) -> Run:
        folders = {"source": f"file://{self.folder}/in/", "destination": f"file://{self.folder}/out/"}
        self.run = airflow.run(dag_id, {**folders, "kill_at": self.name, **conf}, logical_date=logical_date)
        return self.run

    @property
    def delivered(self) -> int:
        results = {path.stem: path.read_bytes() for path in (self.folder / "out").rglob("*.pdf")}
        return sum(results.get(name) == expected_result(digest, RESULT) for name, digest in self.digests.items())

    def left_over(self) -> list[Path]:
        names = {f"{name}.pdf" for name in self.digests}
        own = self.folder / "out" / ".docconv"
        found = [path for path in (self.folder / "out").rglob("*") if path.is_file() and path.name not in names]
        # What a killed worker was writing keeps its hidden name.
        parts = {path for path in found if path.match(".docconv-*.part")} if self.name in KILLED else set()
        return [path for path in found if own not in path.parents and path not in parts]

    def named(self) -> set[str]:
        """Return the documents that any report of the case names as possibly paid twice."""
        lines = [
            json.loads(line)
            for report in (self.folder / "out" / ".docconv" / "reports").rglob("*.jsonl")
            for line in report.read_text().splitlines()
        ]
        return {line["source"].rpartition("/")[2].partition(".")[0] for line in lines if line["lost_replies"]}


@dataclass(frozen=True)
class Row:
    """A line of the table that the tests print at their end."""

    case: str
    documents: int
    delivered: int
    started: int
    duplicates: int
    named: int


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Sandbox]:
    options = ("--engine", "echo", "--seconds", "6", "--result-bytes", str(RESULT))
    with Sandbox(tmp_path_factory.mktemp("echo") / "log", *options) as echo:
        echo.wait_until_healthy()
        echo.connect(airflow, "echo")
        yield echo


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Sandbox]:
    options = (
        "--engine",
        "echo",
        "--seconds",
        "2",
        "--result-bytes",
        str(RESULT),
        "--faults",
        "any=mix:0.1",
        "--seed",
        "11",
    )
    with Sandbox(tmp_path_factory.mktemp("faulty") / "log", *options) as echo:
        echo.wait_until_healthy()
        echo.connect(airflow, "faulty")
        yield echo


@pytest.fixture(scope="module")
def cases(
    airflow: Airflow, echo: Sandbox, faulty: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Case]:
    """Run all cases to their ends."""
    folder = tmp_path_factory.mktemp("cases")
    cases = {name: Case(name, folder / str(number)) for number, name in enumerate(CASES)}
    for case in cases.values():
        case.prepare(10 * COUNT if case.name == FAULTS else COUNT)
        if case.name in FIRST_RUNS:
            dag_id, conf = FIRST_RUNS[case.name]
            case.start(airflow, dag_id, **conf)
        else:
            case.start(airflow)
    disturb(airflow, cases)
    run_again(airflow, cases)
    for case in cases.values():
        if case.run:
            case.run.wait(timeout=400)
    return cases


def run_again(airflow: Airflow, cases: dict[str, Case]) -> None:
    """Start the runs of later nights."""
    killed = cases[NO_TRY_LEFT]
    assert killed.run is not None
    assert killed.run.wait() == "failed"
    killed.start(airflow, "batch_without_retries", kill_at="")
    dated = cases[DATES]
    for day in (2, 3):
        assert dated.run is not None
        assert dated.run.wait() == "success"
        dated.start(airflow, "batch_into_a_folder_per_date", logical_date=f"2026-01-{day:02}T00:00:00Z")


def disturb(airflow: Airflow, cases: dict[str, Case]) -> None:
    """Do to the runs what persons and machines do, to each as soon as it is deferred."""

    def kill_triggerer(_: Run) -> None:
        airflow.triggerer.kill()
        airflow.processes.start(airflow.triggerer)

    actions: dict[str, Callable[[Run], None]] = {
        "marked failed while deferred": lambda run: run.set_state("convert", "failed"),
        "cleared while deferred": lambda run: run.clear("convert"),
        "the triggerer is killed": kill_triggerer,
    }

    def act() -> bool:
        # They are deferred for some seconds only: none must be missed while another one is awaited.
        for name in list(actions):
            run = cases[name].run
            assert run is not None
            if run.task("convert").state == "deferred":
                actions.pop(name)(run)
        return not actions

    wait_until(act, "Deferring", 400, airflow.processes.running)
    # The next run continues what this one has left behind.
    cases["marked failed while deferred"].start(airflow)


@pytest.mark.parametrize("name", CASES)
def test_every_document_is_delivered_and_no_payment_hidden(
    name: str,
    cases: dict[str, Case],
    echo: Sandbox,
    faulty: Sandbox,
    record: Callable[[Any], None],
) -> None:
    case = cases[name]
    assert case.run is not None
    sources = (faulty if name == FAULTS else echo).stats()["sources"]
    account = {document: sources[digest] for document, digest in case.digests.items()}
    twice = {document for document, told in account.items() if told["created"] > 1}
    started = sum(told["created"] for told in account.values())
    record(Row(name, len(account), case.delivered, started, started - len(account), len(case.named())))

    assert case.run.state == "success"
    assert case.delivered == len(case.digests)
    assert case.left_over() == []
    assert twice <= case.named()
    # A worker that dies between a reply and its record has heard what nobody knows any more; all else has a reason.
    assert name in KILLED or not any(told["duplicates"] for told in account.values())
    assert not twice or name in (*KILLED, FAULTS)


@pytest.mark.parametrize("name", KILLS)
def test_the_worker_was_killed(name: str, cases: dict[str, Case]) -> None:
    run = cases[name].run
    assert run is not None
    assert run.task("convert").try_number >= 2


def test_the_faults_were_real(cases: dict[str, Case], faulty: Sandbox) -> None:
    assert cases[FAULTS].run is not None
    kinds = {kind for by_kind in faulty.stats(details=False)["faults"].values() for kind in by_kind}
    assert kinds == {"500", "503", "429", "429-date", "reset", "truncated", "garbage"}
