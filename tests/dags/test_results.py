"""What others see of a real Airflow's work: events of assets and the Dags that they start, metrics, and lineage."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
)
from openlineage.client.naming.dataset import LocalFileSystem

from dev.airflow import Airflow
from dev.environment import DAGS
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox
from tests.support.statsd import StatsD

Version = dataset_version_dataset.DatasetVersionDatasetFacet
Read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
Written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
OWN_DAGS = Path(__file__).parent / "dag_files"
DAG_FILES = (DAGS / "on_results.py", OWN_DAGS / "results.py", OWN_DAGS / "batches.py")


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsD]:
    with StatsD() as statsd:
        yield statsd


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file to which OpenLineage's client writes its events."""
    return tmp_path_factory.mktemp("lineage") / "events.jsonl"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, statsd: StatsD, lineage: Path) -> Iterator[Airflow]:
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
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(lineage), "append": True}),
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


@dataclass
class LineageEvent:
    """The end of a task, as OpenLineage's own classes read it."""

    type: str
    inputs: list[InputDataset]
    outputs: list[OutputDataset]
    run: dict[str, Any]
    services: list[dict[str, Any]]

    @classmethod
    def read(cls, event: dict[str, Any]) -> LineageEvent:
        inputs = [InputDataset(each["namespace"], each["name"], **facets(each)) for each in event["inputs"]]
        outputs = [OutputDataset(each["namespace"], each["name"], **facets(each)) for each in event["outputs"]]
        services = event["job"]["facets"]["docconv_services"]["services"]
        return cls(event["eventType"], inputs, outputs, event["run"]["facets"], services)


def facets(dataset: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a dataset's facets as instances of OpenLineage's own classes."""
    kinds = {
        "version": Version,
        "inputStatistics": Read,
        "outputStatistics": Written,
    }
    found: dict[str, dict[str, Any]] = {}
    for group in ("facets", "inputFacets", "outputFacets"):
        for name, values in dataset.get(group, {}).items():
            own = {key: value for key, value in values.items() if not key.startswith("_")}
            facet = kinds[name](**own)
            assert facet._schemaURL == values["_schemaURL"]
            found.setdefault(group, {})[name] = facet
    return found


def ends(lineage: Path, run: Run) -> dict[str, LineageEvent]:
    """Return what OpenLineage was told at the end of each task of a run."""

    def read() -> dict[str, LineageEvent]:
        events = map(json.loads, lineage.read_text().splitlines()) if lineage.exists() else ()
        return {
            event["job"]["name"].removeprefix(f"{run.dag_id}."): LineageEvent.read(event)
            for event in events
            if event["eventType"] in ("COMPLETE", "FAIL")
            and event["run"]["facets"].get("airflow", {}).get("dagRun", {}).get("run_id") == run.run_id
            and "docconv_services" in event["job"]["facets"]
        }

    wait_until(lambda: len(read()) == len(run.tasks()), "The lineage of all tasks", 60)
    return read()


def test_openlineage_hears_of_each_document_and_result_of_a_batch(
    airflow: Airflow, first_night: Run, inbox: Path, outbox: Path, lineage: Path, echo: Sandbox
) -> None:
    event = ends(lineage, first_night)["convert"]
    names = ["a/1", "a/2", "b/3"]
    summary = first_night.xcom("convert")
    report = summary["report"].removeprefix("file://")
    contents = {name: (inbox / f"{name}.pptx").read_bytes() for name in names}
    results = {name: (outbox / f"{name}.pdf").read_bytes() for name in names}
    assert event.type == "COMPLETE"
    assert event.inputs == [
        InputDataset(
            LocalFileSystem(f"{inbox}/{name}.pptx").get_namespace(),
            f"{inbox}/{name}.pptx",
            facets={"version": Version(hashlib.sha256(content).hexdigest())},
            inputFacets={"inputStatistics": Read(size=len(content), fileCount=1)},
        )
        for name, content in contents.items()
    ]
    assert event.outputs == [
        OutputDataset(
            LocalFileSystem(f"{outbox}/{name}.pdf").get_namespace(),
            f"{outbox}/{name}.pdf",
            facets={"version": Version(hashlib.sha256(content).hexdigest())},
            outputFacets={"outputStatistics": Written(size=len(content), fileCount=1)},
        )
        for name, content in results.items()
    ] + [
        OutputDataset("file", report, outputFacets={"outputStatistics": Written(fileCount=1)}),
    ]
    told = {key: value for key, value in event.run["docconv_documents"].items() if not key.startswith("_")}
    assert told == {
        "documents": {"delivered": 3},
        "bytesRead": summary["bytes_in"],
        "bytesWritten": summary["bytes_out"],
        "record": summary["record"],
        "report": summary["page"],
        "errors": [],
        "moreErrors": 0,
        "moreInputs": 0,
        "moreOutputs": 0,
    }
    service = {"connection": "results_service", "type": "aspose_slides", "name": "Aspose.Slides Cloud", "url": echo.url}
    assert event.services == [service]


def test_openlineage_hears_of_the_report_only_if_everything_is_skipped(
    first_night: Run, convert: Callable[..., Run], lineage: Path
) -> None:
    run = convert(source="[ab]/*")
    event = ends(lineage, run)["convert"]
    assert event.inputs == []
    assert [f"file://{each.name}" for each in event.outputs] == [run.xcom("convert")["report"]]


def test_openlineage_hears_why_a_batch_has_failed(
    put: Callable[..., None], convert: Callable[..., Run], inbox: Path, outbox: Path, lineage: Path
) -> None:
    put("e/11.pptx")
    (inbox / "e" / "bad.pptx").write_bytes(b"not a presentation")
    event = ends(lineage, convert("batch", "e/", "failed", conn_id="results_service"))["convert"]
    assert event.type == "FAIL"
    assert [each.name for each in event.inputs] == [f"{inbox}/e/11.pptx", f"{inbox}/e/bad.pptx"]
    assert [each.name for each in event.outputs][:-1] == [f"{outbox}/11.pdf"]
    [error] = event.run["docconv_documents"]["errors"]
    assert (error["source"], error["type"]) == (f"file://{inbox}/e/bad.pptx", "DocumentRejected")
    assert error["message"]
    assert error["remedy"]
    assert "1 of 2 documents were not converted" in event.run["errorMessage"]["message"]


def test_openlineage_hears_of_the_operation_of_a_single_conversion(
    put: Callable[..., None], convert: Callable[..., Run], inbox: Path, outbox: Path, lineage: Path, echo: Sandbox
) -> None:
    put("single/12.pptx")
    run = convert("single_result", "single/12.pptx")
    events = ends(lineage, run)
    for event in events.values():
        assert event.type == "COMPLETE"
        assert [each.name for each in event.inputs] == [f"{inbox}/single/12.pptx"]
        asked = event.run["externalQuery"]
        assert (asked["externalQueryId"], asked["source"]) == (run.xcom("start"), echo.url)
    assert {task: [each.name for each in event.outputs] for task, event in events.items()} == {
        "start": [],
        "wait": [],
        "download": [f"{outbox}/12.pdf"],
    }
