"""What others see of a real Airflow's results: events of assets, and the Dags that they start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.airflow import Airflow
from dev.environment import DAGS
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox

# The others' Airflow starts nothing by itself.
SETTINGS = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"}
DAG_FILES = (DAGS / "on_results.py", Path(__file__).parent / "dag_files" / "results.py")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    for file in DAG_FILES:
        (home / "dags" / file.name).write_text(file.read_text())
    with Airflow(home, home / "dags", SETTINGS) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Sandbox]:
    # So slow that a batch gives its worker back.
    with Sandbox(tmp_path_factory.mktemp("echo") / "log", "--engine", "echo", "--seconds", "4") as echo:
        echo.wait_until_healthy()
        echo.connect(airflow, "results_service")
        yield echo


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inbox")


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outbox")


@pytest.fixture(scope="module")
def put(inbox: Path) -> Callable[..., None]:
    def put(*names: str) -> None:
        for name in names:
            (inbox / name).parent.mkdir(exist_ok=True)
            (inbox / name).write_bytes(b"PK\x03\x04" + name.encode())

    return put


@pytest.fixture(scope="module")
def convert(airflow: Airflow, echo: Sandbox, inbox: Path, outbox: Path) -> Callable[..., Run]:
    """Run one of the Dags to its end."""

    def run(dag_id: str = "results", source: str = "") -> Run:
        conf = {"source": f"file://{inbox}/{source}", "destination": f"file://{outbox}/"}
        started = airflow.run(dag_id, conf)
        assert started.wait() == "success"
        return started

    return run


def events(airflow: Airflow) -> dict[str, list[dict[str, Any]]]:
    """Return what the events of each asset tell, the oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in airflow.rest.get("assets/events", order_by="timestamp", limit=100)["asset_events"]:
        found.setdefault(event["uri"], []).append(event["extra"])
    return found


def started_runs(airflow: Airflow, dag_id: str) -> list[Run]:
    told = airflow.rest.get(f"dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"]
    return [Run(airflow.rest, dag_id, each["dag_run_id"], airflow.processes.running) for each in told]


@pytest.fixture(scope="module")
def first_night(airflow: Airflow, put: Callable[..., None], convert: Callable[..., Run]) -> Run:
    airflow.wait_for_dag("on_results")
    airflow.rest.patch("dags/on_results", {"is_paused": False})
    put("a/1.pptx", "a/2.pptx", "b/3.pptx")
    return convert()


def test_a_batch_tells_its_assets_what_it_has_delivered_and_starts_the_dag_that_waits_for_it(
    airflow: Airflow, first_night: Run, outbox: Path
) -> None:
    summary = first_night.xcom("convert")
    results = [f"file://{outbox}/{name}.pdf" for name in ("a/1", "a/2", "b/3")]
    places = {key: summary[key] for key in ("record", "report", "page")}
    counts = {"documents": 3, "delivered": 3, "skipped": 0, "rejected": 0, "failed": 0, "bytes_out": 6144}
    assert events(airflow) == {
        "converted_documents": [{**places, **counts, "results": results, "more_results": 0}],
        f"file://{outbox}/a": [{**places, "results": results[:2], "more_results": 0}],
        f"file://{outbox}/b": [{**places, "results": results[2:], "more_results": 0}],
    }

    def has_ended() -> bool:
        return [run.state in FINISHED for run in started_runs(airflow, "on_results")] == [True]

    wait_until(has_ended, "The Dag that the results start", 120, airflow.processes.running)
    [follower] = started_runs(airflow, "on_results")
    assert (follower.state, follower.xcom("use_results")) == ("success", 3)


def test_a_batch_that_has_delivered_nothing_makes_no_event(
    airflow: Airflow, first_night: Run, convert: Callable[..., Run], put: Callable[..., None], outbox: Path
) -> None:
    before = events(airflow)
    assert convert().xcom("convert")["skipped"] == 3
    assert events(airflow) == before

    put("b/4.pptx")
    convert()
    after = events(airflow)
    assert {uri: len(told) for uri, told in after.items()} == {
        "converted_documents": 2,
        f"file://{outbox}/a": 1,
        f"file://{outbox}/b": 2,
    }
    assert after[f"file://{outbox}/b"][1]["results"] == [f"file://{outbox}/b/4.pdf"]


def test_a_download_tells_its_asset_what_it_has_delivered(
    airflow: Airflow, put: Callable[..., None], convert: Callable[..., Run], outbox: Path
) -> None:
    put("single/5.pptx")
    run = convert("single_result", "single/5.pptx")
    assert events(airflow)["downloaded_document"] == [
        {
            "operation_id": run.xcom("start"),
            "bytes_out": 2048,
            "results": [f"file://{outbox}/5.pdf"],
            "more_results": 0,
        }
    ]
