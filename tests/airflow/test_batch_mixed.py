"""A mixed folder in one task: each document goes to the connection whose pattern it fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from dev.sandbox import Sandbox
from tests.support import batch_runs
from tests.support.batch_runs import BatchRuns
from tests.support.documents import SCAN
from tests.support.hostile import dead_url
from tests.support.tasks import connect, fire

MIXED = {"*.{ppt,pptx}": "decks", "*.djvu": "scans", "*.docx": "texts"}
SERVICES = {"decks": "aspose_slides", "texts": "groupdocs_conversion", "scans": "aspose_ocr"}
DESTINATION = "/out/{folder}{stem}-{extension}.{format}"


@pytest.fixture
def echo(service: Callable[..., Sandbox], runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A folder of decks, texts and scans, and a service that takes two seconds for each."""
    started = service("--seconds", "2")
    for conn_id, conn_type in SERVICES.items():
        connect(monkeypatch, started.url, conn_type, conn_id)
    runs.put("a.pptx", "2026/B.PPTX", "c.docx", "notes.txt", "no extension")
    (runs.folder / "in" / "scans").mkdir()
    (runs.folder / "in" / "scans" / "d.djvu").write_bytes(SCAN.read_bytes())
    return started


def run(runs: BatchRuns, run_id: str = "run 1", **values: Any) -> Any:
    return runs.run(run_id, **{"conn_id": MIXED, "destination": runs.uri + DESTINATION, **values})


@pytest.mark.parametrize("deferrable", [False, True])
def test_each_document_goes_to_its_connection(deferrable: bool, runs: BatchRuns, echo: Sandbox) -> None:
    summary = run(runs, deferrable=deferrable)
    assert (summary["documents"], summary["delivered"], summary["calls"]["start"]) == (4, 4, 4)
    assert runs.results() == {"a-pptx.pdf", "2026/B-pptx.pdf", "c-docx.pdf", "scans/d-djvu.pdf"}
    assert bool(runs.deferred) is deferrable
    for row in runs.deferred:
        assert set(row["operations"]) <= set(SERVICES)
    assert run(runs, "run 2", deferrable=deferrable)["skipped"] == 4


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_connection_that_fails_does_not_stop_the_others(
    deferrable: bool, runs: BatchRuns, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, echo.url, "groupdocs_conversion", "texts", password="wrong")
    with pytest.raises(exceptions.AuthenticationFailed, match="Of 4 documents 3 delivered, 1 unfinished"):
        run(runs, deferrable=deferrable)
    assert runs.results() == {"a-pptx.pdf", "2026/B-pptx.pdf", "scans/d-djvu.pdf"}
    connect(monkeypatch, echo.url, "groupdocs_conversion", "texts")
    summary = run(runs, "run 2", deferrable=deferrable)
    assert (summary["delivered"], summary["skipped"]) == (1, 3)


def test_a_connection_that_fails_while_the_task_is_deferred_does_not_stop_the_others(
    runs: BatchRuns, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fire_with_a_broken_connection(trigger: Any) -> Any:
        connect(monkeypatch, dead_url(), "groupdocs_conversion", "texts")
        return fire(trigger)

    monkeypatch.setattr(batch_runs, "fire", fire_with_a_broken_connection)
    with pytest.raises(exceptions.ServiceUnavailable, match="Of 4 documents 3 delivered, 1 unfinished"):
        run(runs, deferrable=True, fault_tolerance=1)
    connect(monkeypatch, echo.url, "groupdocs_conversion", "texts")
    summary = run(runs, "run 2")
    assert (summary["delivered"], summary["lost_replies"]) == (1, 0)
    assert set(runs.created(echo).values()) == {0, 1}


def test_options_are_checked_for_the_services_that_get_them(runs: BatchRuns, echo: Sandbox) -> None:
    with pytest.raises(exceptions.InvalidOptions, match="no option 'language'"):
        run(runs, options={"language": "English"})
    assert echo.stats(details=False)["totals"]["created"] == 0
    source = [
        {"source": f"{runs.uri}/in/scans/", "options": {"language": "English"}},
        f"{runs.uri}/in/*.docx",
    ]
    assert run(runs, source=source)["delivered"] == 2


def test_two_connections_to_one_account_are_counted_once(
    runs: BatchRuns, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, echo.url, "aspose_slides", "more_decks")
    summary = run(runs, conn_id={"2026/**": "more_decks", "*.pptx": "decks"})
    assert (summary["delivered"], summary["calls"]["start"]) == (2, 2)
