"""The example Dag in a real Airflow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pypdfium2
import pytest

from dev.airflow import Airflow
from dev.run import Run

CONVERTED = {"deck.pptx": 6, "letter.docx": 1, "figures.xlsx": None, "scan.djvu": 2}
REFUSED = {"damaged.pptx": "wait", "encrypted.pptx": "start"}


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outbox")


@pytest.fixture(scope="module")
def run(airflow: Airflow, documents: Path, outbox: Path) -> Run:
    run = airflow.run("nightly_conversion", {"inbox": f"file://{documents}", "outbox": f"file://{outbox}"})
    assert run.wait(timeout=240) == "failed", "two of the documents can't be converted"
    return run


def test_each_document_has_its_name_in_the_grid(run: Run) -> None:
    names = {task.name for task in run.tasks() if task.id == "convert.start"}

    assert names == set(CONVERTED) | set(REFUSED), "notes.txt is no document, the others are"


@pytest.mark.parametrize(("name", "pages"), CONVERTED.items())
def test_a_good_document_is_delivered(run: Run, documents: Path, outbox: Path, name: str, pages: int | None) -> None:
    task = next(task for task in run.tasks() if task.id == "convert.download" and task.name == name)
    assert task.state == "success"

    (result,) = run.xcom("convert.download", map_index=task.map_index)
    stem, _, kind = name.partition(".")
    file = outbox / f"{stem}-{kind}.pdf"
    assert result == {
        "uri": f"file://{file}",
        "size": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "source_sha256": hashlib.sha256((documents / name).read_bytes()).hexdigest(),
    }
    count = len(pypdfium2.PdfDocument(file))
    assert count == pages if pages else count > 0


@pytest.mark.parametrize(("name", "task_id"), REFUSED.items())
def test_a_bad_document_fails_alone_and_without_retries(run: Run, outbox: Path, name: str, task_id: str) -> None:
    tasks = {task.id: task for task in run.tasks() if task.name == name or not task.id.startswith("convert")}
    failed = tasks[f"convert.{task_id}"]

    assert failed.state == "failed"
    (error,) = run.errors(failed)
    assert name in error
    assert "Aspose.Slides Cloud" in error
    assert not list(outbox.glob(f"{name.partition('.')[0]}*"))


def test_nothing_but_the_results_lies_at_the_destination(run: Run, outbox: Path) -> None:
    assert {path.name for path in outbox.iterdir()} == {name.replace(".", "-") + ".pdf" for name in CONVERTED}
