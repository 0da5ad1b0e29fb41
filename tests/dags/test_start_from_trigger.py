"""Waits that no worker begins or ends do what the others do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.airflow import Airflow
from dev.run import Run


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def run(airflow: Airflow, documents: Path, out: Path) -> Run:
    conf = {
        "source": f"file://{documents}/deck.pptx",
        "conn_id": "aspose_slides_default",
        "destination": f"file://{out}/",
    }
    started = airflow.run("from_trigger", conf)
    started.wait()
    return started


def test_each_form_ends_well(run: Run, out: Path) -> None:
    assert {(task.id, task.map_index): task.state for task in run.tasks() if task.state != "success"} == {}
    assert [path.suffix for path in out.glob("*.pdf")] == [".pdf"]
    operation = run.xcom("start")
    assert [run.xcom(task_id) for task_id in ("wait", "template")] == [operation] * 2
    assert [run.xcom("mapped", map_index=index) for index in (0, 1)] == [operation] * 2
    own = [run.xcom("convert.start", map_index=index) for index in (0, 1)]
    assert [run.xcom("convert.wait", map_index=index) for index in (0, 1)] == own


@pytest.mark.parametrize(("task_id", "map_index"), [("wait", -1), ("template", -1), ("convert.wait", 1)])
def test_no_worker_saw_them(task_id: str, map_index: int, run: Run) -> None:
    lines = [line["event"] for line in run.log(task_id, map_index)]
    assert any("Trigger fired event" in line for line in lines)
    assert not any("Worker startup" in line for line in lines)
    assert run.xcom(task_id, "progress", map_index)["state"] == "succeeded"


def test_a_failure_goes_to_a_worker_and_has_its_words(convert: Callable[..., Run]) -> None:
    run = convert("from_trigger", "damaged.pptx")

    wait = run.task("wait")
    assert wait.state == "failed"
    (error,) = run.errors(wait)
    assert "damaged.pptx: Aspose.Slides Cloud could not convert the document, saying" in error
