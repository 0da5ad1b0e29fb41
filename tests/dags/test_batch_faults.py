"""
Whatever happens to a batch, every document is delivered once, and what may have been paid twice is named.

The cases run side by side in one Airflow; each has documents of its own, which the sandbox tells apart by their bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dev.airflow import Airflow
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import LOGIN, Sandbox
from docconv_sandbox import expected_result
from tests.support.hostile import HTML, Answer, Hostile
from tests.support.proxies import Interruption

COUNT = 12
RESULT = 200_000
# The row's name has it; with DOCCONV_SEED=… the worker is killed at the same moments again.
SEED = int(os.environ.get("DOCCONV_SEED") or random.randrange(10_000))
KILLS = [
    "before a start",
    "after it was sent",
    "after its id was recorded",
    "when it comes back",
    "during a download",
    "while the report is written",
]
NO_TRY_LEFT = "killed with no try left"
RANDOM_KILLS = f"30 kills at random moments (seed {SEED})"
KILLED = (*KILLS, NO_TRY_LEFT, RANDOM_KILLS)
TRIGGERER, CLEARED, MARKED = "the triggerer is killed", "cleared while deferred", "marked failed while deferred"
UNWRITABLE = "the record can't be written at the end"
DATES = "a folder of results per date"
WRONG_HOST = "a wrong host for a night"
PROXY = "a proxy answers for two seconds"
FAULTS = "a tenth of all calls fails"
CASES = [*KILLS, TRIGGERER, CLEARED, MARKED, NO_TRY_LEFT, RANDOM_KILLS, UNWRITABLE, DATES, WRONG_HOST, PROXY, FAULTS]
# The runs of a case, one after the other, each with its Dag and what it is given, where there is more than one run.
DAY = "2026-01-{:02}T00:00:00Z"
RUNS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    MARKED: [("batch", {}), ("batch", {})],
    NO_TRY_LEFT: [("batch_without_retries", {}), ("batch_without_retries", {"fault": ""})],
    RANDOM_KILLS: [("batch_killed_at_random", {"seed": SEED})] * 3,
    UNWRITABLE: [("batch_without_retries", {}), ("batch_without_retries", {"fault": ""})],
    DATES: [("batch_into_a_folder_per_date", {"logical_date": DAY.format(day)}) for day in (1, 2, 3)],
    WRONG_HOST: [("batch_at_a_wrong_host", {})] * 2,
    PROXY: [("batch_through_a_proxy", {})],
    FAULTS: [("batch_at_a_faulty_service", {"conn_id": "faulty"})],
}
COUNTS = {RANDOM_KILLS: 5 * COUNT, PROXY: 3 * COUNT, FAULTS: 10 * COUNT}
# What a proxy says, at each kind of call.
ANSWERS = {
    404: ({"Content-Type": "text/plain"}, b"404 page not found"),
    407: ({"Proxy-Authenticate": 'Basic realm="company"'}, b"Proxy Authentication Required"),
    502: ({"Content-Type": "text/html"}, HTML),
}
PROXIED = [(call, status) for call in ("login", "start", "status", "result") for status in ANSWERS]
# The ends of the documents' names, by which their connections are chosen.
ENDS: dict[str, Sequence[str]] = {
    WRONG_HOST: ("-login", "-start"),
    PROXY: [f"-{call}-{status}" for call, status in PROXIED],
}


@dataclass
class Case:
    """What is converted in a case, and the runs that do it."""

    name: str
    folder: Path
    digests: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    #: How the runs have ended, but for the last.
    ended: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        (self.folder / "in").mkdir(parents=True)
        ends = ENDS.get(self.name, [""])
        for number in range(COUNTS.get(self.name, COUNT)):
            name = f"deck-{number:03}{ends[number % len(ends)]}"
            content = b"PK\x03\x04" + f"{self.name} {number} {self.folder}".encode()
            (self.folder / "in" / f"{name}.pptx").write_bytes(content)
            self.digests[name] = hashlib.sha256(content).hexdigest()

    @property
    def planned(self) -> list[tuple[str, dict[str, Any]]]:
        return RUNS.get(self.name, [("batch", {})])

    @property
    def run(self) -> Run:
        """The newest run."""
        return self.runs[-1]

    @property
    def record(self) -> Path:
        return self.folder / "out" / ".docconv" / "record"

    def start(self, airflow: Airflow) -> None:
        """Start the next run."""
        dag_id, conf = self.planned[len(self.runs)]
        given = {"source": f"file://{self.folder}/in/", "destination": f"file://{self.folder}/out/", "fault": self.name}
        given |= {key: value for key, value in conf.items() if key != "logical_date"}
        self.runs.append(airflow.run(dag_id, given, logical_date=conf.get("logical_date")))

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

    def report_lines(self) -> list[dict[str, Any]]:
        """Return the lines of the reports of all runs."""
        reports = (self.folder / "out" / ".docconv" / "reports").rglob("*.jsonl")
        return [json.loads(line) for report in reports for line in report.read_text().splitlines()]

    def named(self) -> set[str]:
        """Return the documents that any report of the case names as possibly paid twice."""
        lines = self.report_lines()
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
def strangers(airflow: Airflow, echo: Sandbox) -> Iterator[None]:
    """Point connections to a host that is not the service's, of both its addresses and of the API's only."""
    no_login, no_api = Answer(b"404 page not found", 404), Answer(b"", 405)
    with Hostile(no_login, logins=[no_login]) as no_service, Hostile(no_api) as other:
        airflow.connect("wrong_login", "aspose_slides", host=no_service.url, **LOGIN)
        extra = json.dumps({"auth_url": f"{echo.url}/connect/token"})
        airflow.connect("wrong_start", "aspose_slides", host=other.url, extra=extra, **LOGIN)
        yield


@pytest.fixture(scope="module")
def interruptions(
    airflow: Airflow, echo: Sandbox, proxied_hosts: dict[str, Interruption]
) -> dict[tuple[str, int], Interruption]:
    """Let the proxy answer instead of the service, for two seconds at each kind of call, on hosts of their own."""
    found = {}
    for call, status in PROXIED:
        host = f"{call}-{status}.example"
        found[call, status] = proxied_hosts[host] = Interruption(echo.url, call, status, *ANSWERS[status])
        airflow.connect(f"proxied_{call}_{status}", "aspose_slides", host=f"http://{host}", **LOGIN)
    return found


@pytest.fixture(scope="module")
def cases(
    airflow: Airflow,
    echo: Sandbox,
    faulty: Sandbox,
    strangers: None,
    interruptions: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Case]:
    """Run all cases to their ends, and do to them what persons and machines do."""
    folder = tmp_path_factory.mktemp("cases")
    cases = {name: Case(name, folder / str(number)) for number, name in enumerate(CASES)}
    # The longest ones first.
    for case in sorted(cases.values(), key=lambda case: case.name not in (RANDOM_KILLS, FAULTS)):
        case.prepare()
        case.start(airflow)

    def kill_triggerer(_: Run) -> None:
        airflow.triggerer.kill()
        airflow.processes.start(airflow.triggerer)

    def restore_record() -> None:
        record = cases[UNWRITABLE].record
        record.unlink()
        record.with_name("away").rename(record)

    def correct_hosts() -> None:
        for conn_id in ("wrong_login", "wrong_start"):
            echo.connect(airflow, conn_id)

    when_deferred: dict[str, Callable[[Run], None]] = {
        MARKED: lambda run: run.set_state("convert", "failed"),
        CLEARED: lambda run: run.clear("convert"),
        TRIGGERER: kill_triggerer,
    }
    between_runs: dict[str, Callable[[], None]] = {UNWRITABLE: restore_record, WRONG_HOST: correct_hosts}

    def over() -> bool:
        # They are deferred for some seconds only: none must be missed while another one is awaited.
        deferred = airflow.rest.get("dags/batch/dagRuns/~/taskInstances", state="deferred", limit=100)
        deferred_runs = {told["dag_run_id"] for told in deferred["task_instances"]}
        for name in [name for name in when_deferred if cases[name].run.run_id in deferred_runs]:
            when_deferred.pop(name)(cases[name].run)
        runs = airflow.rest.get("dags/~/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
        states = {(told["dag_id"], told["dag_run_id"]): told["state"] for told in runs}
        going = 0
        for case in cases.values():
            state = states[case.run.dag_id, case.run.run_id]
            if state in FINISHED and len(case.runs) < len(case.planned):
                case.ended.append(state)
                between_runs.get(case.name, lambda: None)()
                case.start(airflow)
                state = ""
            going += state not in FINISHED
        return not going

    wait_until(over, "The cases", 500, airflow.processes.running, pause=0.5)
    assert not when_deferred
    return cases


@pytest.mark.parametrize("name", CASES)
def test_every_document_is_delivered_and_no_payment_hidden(
    name: str,
    cases: dict[str, Case],
    echo: Sandbox,
    faulty: Sandbox,
    record: Callable[[Any], None],
) -> None:
    case = cases[name]
    sources = (faulty if name == FAULTS else echo).stats()["sources"]
    account = {document: sources[digest] for document, digest in case.digests.items()}
    twice = {document for document, told in account.items() if told["created"] > 1}
    started = sum(told["created"] for told in account.values())
    record(Row(name, len(account), case.delivered, started, started - len(account), len(case.named())))

    assert case.run.state == "success"
    assert set(case.ended) <= {"success" if name == DATES else "failed"}
    assert case.delivered == len(case.digests)
    assert case.left_over() == []
    assert twice <= case.named()
    # A worker that dies between a reply and its record has heard what nobody knows any more; all else has a reason.
    assert name in KILLED or not any(told["duplicates"] for told in account.values())
    assert not twice or name in (*KILLED, FAULTS)


@pytest.mark.parametrize("name", KILLS)
def test_the_worker_was_killed(name: str, cases: dict[str, Case]) -> None:
    assert cases[name].run.task("convert").try_number >= 2


def test_the_worker_was_killed_thirty_times(cases: dict[str, Case]) -> None:
    case = cases[RANDOM_KILLS]
    chunks = (case.folder / "out" / ".docconv" / "kills").iterdir()
    assert [len(chunk.read_text().splitlines()) for chunk in chunks] == [10, 10, 10]
    assert case.ended == ["failed", "failed"]


def test_no_document_was_refused_at_a_wrong_host(cases: dict[str, Case]) -> None:
    states = [line["state"] for line in cases[WRONG_HOST].report_lines()]
    assert len(states) == 2 * COUNT
    assert states.count("delivered") == COUNT
    assert "rejected" not in states


def test_the_proxy_answered_each_kind_of_call(
    cases: dict[str, Case], interruptions: dict[tuple[str, int], Interruption]
) -> None:
    assert {key for key, interruption in interruptions.items() if interruption.count} == set(PROXIED)


def test_the_faults_were_real(cases: dict[str, Case], faulty: Sandbox) -> None:
    kinds = {kind for by_kind in faulty.stats(details=False)["faults"].values() for kind in by_kind}
    assert kinds == {"500", "503", "429", "429-date", "reset", "truncated", "garbage"}
