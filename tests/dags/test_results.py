"""What others see of a real Airflow's work: events of assets and the Dags that they start, and metrics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.airflow import Airflow
from dev.environment import DAGS
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox
from tests.support.statsd import StatsD

OWN_DAGS = Path(__file__).parent / "dag_files"
DAG_FILES = (DAGS / "on_results.py", OWN_DAGS / "results.py", OWN_DAGS / "batches.py")


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsD]:
    with StatsD() as statsd:
        yield statsd


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, statsd: StatsD) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    for file in DAG_FILES:
        (home / "dags" / file.name).write_text(file.read_text())
    settings = {
        # The others' Airflow starts nothing by itself.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        # With tags, which Airflow leaves out for StatsD alone.
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
    }
    with Airflow(home, home / "dags", settings) as airflow:
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

    def run(dag_id: str = "results", source: str = "", state: str = "success", **conf: str) -> Run:
        folders = {"source": f"file://{inbox}/{source}", "destination": f"file://{outbox}/"}
        started = airflow.run(dag_id, {**folders, **conf})
        assert started.wait() == state
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
    return convert(source="[ab]/*")


@pytest.fixture
def counted(statsd: StatsD, echo: Sandbox) -> Callable[..., dict[str, float]]:
    """Return what was counted since the last time, and check that a name with a value says the same as its tag."""
    tags = "connection=results_service,service=aspose_slides"
    before, calls_before = statsd.counters("airflow.docconv."), Counter(echo.stats(details=False)["calls"])

    def count(*, lost: str = "") -> dict[str, float]:
        nonlocal before, calls_before
        after, calls = statsd.counters("airflow.docconv."), Counter(echo.stats(details=False)["calls"])
        new, paid = after - before, calls - calls_before
        before, calls_before = after, calls
        found: dict[str, float] = {}
        for name, number in new.items():
            words = name.removesuffix(f",{tags}")
            assert words != name
            what, tagged, value = words.partition(",")
            if tagged:
                found[words] = number
                assert new[f"{what}.{value.partition('=')[2]},{tags}"] == number
        for kind in {"start", "status", "result"} - {lost}:
            assert found.get(f"calls,kind={kind}", 0) == paid[kind]
        seconds = new[f"seconds_at_service,{tags}"]
        return found | ({"seconds": seconds} if seconds else {})

    return count


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
    assert convert(source="[ab]/*").xcom("convert")["skipped"] == 3
    assert events(airflow) == before

    put("b/4.pptx")
    convert(source="[ab]/*")
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


def test_a_batch_counts_what_it_does_over_deferrals(
    put: Callable[..., None], convert: Callable[..., Run], outbox: Path, counted: Callable[..., dict[str, float]]
) -> None:
    put("c/6.pptx", "c/7.pptx")
    summary = convert(source="c/*").xcom("convert")
    lines = Path(summary["report"].removeprefix("file://")).read_text().splitlines()
    found = counted()
    assert found.pop("seconds") == pytest.approx(
        sum(json.loads(line)["seconds_at_service"] for line in lines), abs=0.01
    )
    assert {name: number for name, number in found.items() if name.startswith("calls")} == {
        f"calls,kind={kind}": number for kind, number in summary["calls_by_connection"]["results_service"].items()
    }
    assert {name: number for name, number in found.items() if not name.startswith("calls")} == {
        "documents,state=delivered": 2,
        "bytes,direction=sent": 2 * len(b"PK\x03\x04c/6.pptx"),
        "bytes,direction=received": 2 * 2048,
    }

    convert(source="c/*")
    assert counted() == {"documents,state=skipped": 2}


def test_a_batch_counts_each_document_once_over_its_tries(
    put: Callable[..., None],
    convert: Callable[..., Run],
    inbox: Path,
    counted: Callable[..., dict[str, float]],
) -> None:
    put("d/8.pptx", "d/9.pptx")
    convert("batch", "d/8.pptx", conn_id="results_service")
    (inbox / "d" / "bad.pptx").write_bytes(b"not a presentation")
    counted()
    # Its worker is killed when it comes back, and with it the event that tells the trigger's polls.
    run = convert("batch", "d/", "failed", conn_id="results_service", fault="when it comes back")
    assert run.task("convert").try_number == 2
    found = counted(lost="status")
    assert {name: number for name, number in found.items() if name.startswith("documents")} == {
        "documents,state=delivered": 1,
        "documents,state=skipped": 1,
        "documents,state=rejected": 1,
    }


def test_single_conversions_count_like_batches(
    put: Callable[..., None], convert: Callable[..., Run], counted: Callable[..., dict[str, float]]
) -> None:
    put("single/10.pptx")
    convert("single_result", "single/10.pptx")
    found = counted()
    assert found.pop("seconds") > 0
    assert {name: number for name, number in found.items() if not name.startswith("calls")} == {
        "documents,state=delivered": 1,
        "bytes,direction=sent": len(b"PK\x03\x04single/10.pptx"),
        "bytes,direction=received": 2048,
    }
