"""The example Dag that converts a mixed folder in one task, on two nights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.airflow import Airflow
from dev.run import Run

RESULTS = {"deck-pptx.pdf", "letter-docx.pdf", "figures-xlsx.pdf", "scan-djvu.pdf"}


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outbox")


def night(airflow: Airflow, documents: Path, outbox: Path) -> Run:
    run = airflow.run("nightly_batch", {"inbox": f"file://{documents}", "outbox": f"file://{outbox}"})
    run.wait()
    return run


def test_the_good_documents_are_delivered_and_the_next_night_sends_nothing(
    airflow: Airflow, documents: Path, outbox: Path, starts: Callable[[], int]
) -> None:
    before = starts()
    run = night(airflow, documents, outbox)

    assert {task.id: task.state for task in run.tasks()} == {"convert": "failed"}
    assert {path.name for path in outbox.glob("*.pdf")} == RESULTS
    (error,) = run.errors(run.task("convert"))
    assert "2 of 6 documents were not converted (2 rejected, 0 failed); " in error
    assert f"{outbox}/.docconv/reports/nightly_batch.convert/" in error
    # The damaged deck was sent; the encrypted one was seen to be hopeless.
    assert starts() == before + 5

    night(airflow, documents, outbox)
    assert starts() == before + 5
    pages = outbox.glob(".docconv/reports/nightly_batch.convert/*.html")
    assert "Skipped" in max(pages, key=lambda page: page.stat().st_mtime_ns).read_text()
