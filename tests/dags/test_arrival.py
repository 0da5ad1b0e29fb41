"""Documents that are dropped into a bucket start runs that convert them once, whatever becomes of the triggerer."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.transfer.source import open_source
from dev.airflow import Airflow
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import LOGIN, Sandbox
from dev.stores import S3

POLL_INTERVAL = 1
# The others' Airflow starts nothing by itself. And a dead triggerer is given up after half a minute by default.
SETTINGS = {
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    shutil.copy(Path(__file__).parent / "dag_files" / "arrival.py", home / "dags")
    with Airflow(home, home / "dags", SETTINGS) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Callable[..., None]]:
    """Put documents into the watched folder."""
    with S3(tmp_path_factory.mktemp("arrivals"), "documents") as s3:
        airflow.connect("arrival_store", **s3.connection)
        client = s3.client()

        def put(*names: str) -> None:
            for name in names:
                client.put_object(Bucket="documents", Key=f"inbox/{name}", Body=b"PK\x03\x04" + name.encode())

        yield put


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("echo") / "log", "--engine", "echo", "--seconds", "1") as echo:
        echo.wait_until_healthy()
        echo.connect(airflow, "arrival_service")
        yield echo


def runs(airflow: Airflow, dag_id: str = "arrival") -> list[Run]:
    """Return the Dag's runs, the oldest first."""
    told = airflow.rest.get(f"dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"]
    return [Run(airflow.rest, dag_id, each["dag_run_id"], airflow.processes.running) for each in told]


def ended(airflow: Airflow, number: int, dag_id: str = "arrival") -> Run:
    """Return the run of that number when it has ended."""

    def there() -> bool:
        found = runs(airflow, dag_id)
        return len(found) >= number and found[number - 1].state in FINISHED

    wait_until(there, f"Run {number} of {dag_id}", 120, airflow.processes.running)
    return runs(airflow, dag_id)[number - 1]


def outcome(run: Run) -> tuple[str, int, int]:
    summary = run.xcom("convert")
    return run.state, summary["delivered"], summary["skipped"]


def payloads(airflow: Airflow, asset: str = "arrivals") -> list[dict[str, Any]]:
    """Return what the events of the asset tell, the oldest first."""
    events = airflow.rest.get("assets/events", order_by="timestamp", name_pattern=asset)["asset_events"]
    return [event["extra"]["payload"] for event in events]


def restart_triggerer(airflow: Airflow) -> None:
    """Kill the triggerer, start another one, and wait until it has looked into the folder a few times."""

    def looks() -> int:
        # The store's driver says so when it is first used.
        return airflow.triggerer.log.read_text().count("credentials retrieved from login and password")

    before = looks()
    airflow.triggerer.kill()
    airflow.processes.start(airflow.triggerer)
    wait_until(lambda: looks() > before, "The new triggerer's first look", 120, airflow.processes.running)
    time.sleep(5 * POLL_INTERVAL)


def test_documents_start_a_run_when_they_arrive_and_are_converted_once(
    airflow: Airflow, echo: Sandbox, drop: Callable[..., None]
) -> None:
    airflow.wait_for_dag("arrival")
    before = echo.stats(details=False)["calls"].get("start", 0)
    drop("a.pptx", "b.pptx", "c.pptx", "notes.txt")
    airflow.rest.patch("dags/arrival", {"is_paused": False})
    assert outcome(ended(airflow, 1)) == ("success", 3, 0)

    drop("d.pptx", "more-notes.txt")
    assert outcome(ended(airflow, 2)) == ("success", 1, 3)

    restart_triggerer(airflow)
    assert len(runs(airflow)) == 2

    drop("e.pptx")
    assert outcome(ended(airflow, 3)) == ("success", 1, 4)
    assert [payload["documents"] for payload in payloads(airflow)] == [3, 1, 1]
    assert echo.stats(details=False)["calls"]["start"] == before + 5


def test_the_end_of_an_operation_starts_one_run(
    airflow: Airflow, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "aspose_slides", "host": echo.url, **LOGIN}
    monkeypatch.setenv("AIRFLOW_CONN_ARRIVAL_SERVICE", json.dumps(connection))
    hook = DocConvHook.for_connection("arrival_service")
    deck = airflow.home / "deck.pptx"
    deck.write_bytes(b"PK\x03\x04a deck")
    operation_id = hook.start(open_source(f"file://{deck}", hook.service), "pdf").operation_id
    (airflow.home / "operation").write_text(operation_id)
    airflow.wait_for_dag("ended")
    airflow.rest.patch("dags/ended", {"is_paused": False})

    assert ended(airflow, 1, "ended").state == "success"
    [told] = payloads(airflow, "operation")
    assert (told["operation"]["id"], told["operation"]["state"]) == (operation_id, "succeeded")
    polls = echo.stats(details=False)["calls"]["status"]
    # Airflow would have started the trigger again in that time, had it ended.
    time.sleep(12)
    assert len(runs(airflow, "ended")) == len(payloads(airflow, "operation")) == 1
    assert echo.stats(details=False)["calls"]["status"] == polls
