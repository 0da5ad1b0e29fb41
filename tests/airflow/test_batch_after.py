"""What happens after a conversion: pages, cleaning up, documents that were refused before, and putting aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.hooks.docconv import DocConvHook
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns
from tests.support.documents import SCAN
from tests.support.tasks import connect


@pytest.mark.parametrize("destination", ["out", "out/", "out/{folder}{stem}.{format}"])
def test_each_documents_pages_have_a_folder(
    destination: str, runs: BatchRuns, deck_bytes: bytes, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox.url, login=sandbox.client_id, password=sandbox.client_secret)
    for name in ("a.pptx", "b.pptx", "sub/a.b.pptx"):
        runs.put(name)
        (runs.folder / "in" / name).write_bytes(deck_bytes)
    summary = runs.run(target_format="png", unpack=True, destination=f"{runs.uri}/{destination}")
    assert summary["delivered"] == 3
    folders = {name.rpartition("/")[0] for name in runs.results()}
    assert folders == {"a", "b", "sub/a.b"}
    assert len(runs.results()) == 6
    lines = runs.report()
    assert {len(line["results"]) for line in lines.values()} == {2}


@pytest.mark.parametrize("cleanup", [True, False])
def test_nothing_stays_behind_at_the_vendor(
    cleanup: bool, runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    connect(monkeypatch, echo.url, "groupdocs_conversion")
    runs.put("a.docx", "b.docx")
    summary = runs.run(options={"convertOptions": {"Dpi": 100}}, cleanup=cleanup)
    assert (summary["delivered"], summary["left_at_service"]) == (2, 0)
    assert bool(stored(echo)) is not cleanup
    again = runs.run("run 2", options={"convertOptions": {"Dpi": 100}})
    assert (again["skipped"], again["calls"].get("start", 0)) == (2, 0)


def test_what_could_not_be_deleted_is_reported_and_deleted_by_the_next_run(
    runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    connect(monkeypatch, echo.url, "groupdocs_conversion")
    runs.put("a.docx", "b.docx")
    options = {"convertOptions": {"Dpi": 100}}
    clean_up = "airflow_provider_docconv.hooks.docconv.DocConvHook.clean_up"
    with monkeypatch.context() as refusing:
        refusing.setattr(clean_up, refuse)
        summary = runs.run(options=options)
    assert (summary["delivered"], summary["left_at_service"]) == (2, 2)
    assert all(line["left_at_service"] for line in runs.report().values())
    assert stored(echo)
    summary = runs.run("run 2", options=options)
    assert (summary["skipped"], summary["left_at_service"]) == (2, 0)
    assert not stored(echo)


def test_what_is_left_of_a_document_that_is_no_longer_listed_is_deleted(
    runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document a day; and one that has changed meanwhile, whose new conversion leaves something else."""
    echo = service()
    connect(monkeypatch, echo.url, "groupdocs_conversion")
    runs.put("a.docx", "b.docx")
    options = {"convertOptions": {"Dpi": 100}}
    with monkeypatch.context() as refusing:
        refusing.setattr("airflow_provider_docconv.hooks.docconv.DocConvHook.clean_up", refuse)
        for number, name in enumerate(("a.docx", "b.docx")):
            summary = runs.run(f"run {number}", source=f"{runs.uri}/in/{name}", options=options)
            assert (summary["documents"], summary["left_at_service"]) == (1, number + 1)
    runs.put("b.docx", content=b"changed")
    summary = runs.run("run 3", source=f"{runs.uri}/in/b.docx", options=options)
    assert (summary["delivered"], summary["left_at_service"]) == (1, 0)
    assert not stored(echo)
    assert runs.run("run 4", source=f"{runs.uri}/in/b.docx", options=options)["calls"].get("delete", 0) == 0


@pytest.mark.parametrize("name", ["damaged.ppt", "a.docx"])
def test_what_was_uploaded_for_nothing_is_deleted(
    name: str, runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversion that fails, and a start that the service refuses when it has the upload."""
    echo = service()
    connect(monkeypatch, echo.url, "groupdocs_conversion")
    runs.put(name)
    if name == "damaged.ppt":
        (runs.folder / "in" / name).write_bytes(b"DAMAGED")
    else:
        echo.set_quota(0)
    with pytest.raises((exceptions.DocumentsFailed, exceptions.AccessDenied)):
        runs.run(options={"convertOptions": {"Dpi": 100}})
    assert echo.stats(details=False)["calls"]["start"] == 1
    assert not [path for path in echo.work.rglob("*") if path.is_file() and path.suffix == f".{name[-3:]}"]
    assert not stored(echo)


@pytest.mark.parametrize("moment", ["before the deletion", "after the deletion"])
@pytest.mark.parametrize("conn_type", ["groupdocs_conversion", "aspose_ocr"])
def test_a_worker_that_dies_while_it_cleans_up_loses_and_leaves_nothing(
    moment: str, conn_type: str, runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    connect(monkeypatch, echo.url, conn_type)
    if conn_type == "aspose_ocr":
        (runs.folder / "in" / "a.djvu").write_bytes(SCAN.read_bytes())
        options: dict[str, Any] = {}
    else:
        runs.put("a.docx")
        options = {"convertOptions": {"Dpi": 100}}
    clean_up = DocConvHook.clean_up

    def die(hook: DocConvHook, operation_id: str, files: Any) -> Any:
        if moment == "after the deletion":
            clean_up(hook, operation_id, files)
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(DocConvHook, "clean_up", die)
        # What is written as a task ends is not, if its worker is killed.
        dying.setattr("airflow_provider_docconv.batch.batch.Batch.fold", only_once(Batch.fold))
        with pytest.raises(SystemExit):
            runs.run(options=options)
    assert runs.results() == {"a.pdf"}
    summary = runs.run("run 2", options=options)
    assert (summary["skipped"], summary["left_at_service"], summary["calls"].get("start", 0)) == (1, 0, 0)
    assert not stored(echo)


def only_once(fold: Callable[[Batch], None]) -> Callable[[Batch], None]:
    done = []

    def fold_once(batch: Batch) -> None:
        if not done:
            done.append(batch)
            fold(batch)

    return fold_once


def refuse(*_: Any) -> None:
    raise exceptions.AccessDenied("no rights to delete")


def stored(echo: Sandbox) -> list[str]:
    """Return the files in GroupDocs' storage of a sandbox."""
    return [str(path) for path in (echo.work).rglob("*.docx") if path.is_file()]


def test_only_what_was_not_refused_before_fails_the_task(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx", "broken.pptx")
    (runs.folder / "in" / "broken.pptx").write_bytes(b"not a deck")
    with pytest.raises(exceptions.DocumentsFailed, match="1 of 2 documents were not converted"):
        runs.run(on_document_error="new")
    with pytest.raises(exceptions.DocumentsFailed):  # A retry of the same run is not another night.
        runs.run(on_document_error="new")
    summary = runs.run("run 2", on_document_error="new")
    assert (summary["rejected"], summary["refused_before"]) == (1, 1)
    assert runs.states()["broken.pptx"] == "rejected"
    (runs.folder / "in" / "broken.pptx").write_bytes(b"not a deck either")
    with pytest.raises(exceptions.DocumentsFailed):
        runs.run("run 3", on_document_error="new")


def test_rejected_documents_are_put_aside_once(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx", "sub/broken.pptx", "broken.pptx")
    for name in ("sub/broken.pptx", "broken.pptx"):
        (runs.folder / "in" / name).write_bytes(f"not a deck: {name}".encode())
    aside = runs.folder / "in" / "aside"
    source = [f"{runs.uri}/in/", f"{runs.uri}/in/gone.pptx"]
    summary = runs.run(source=source, quarantine=f"file://{aside}", on_document_error="ignore")
    assert summary["rejected"] == 3
    copies = {path.name: path.read_bytes() for path in aside.iterdir()}
    assert len(copies) == 4
    assert {content for name, content in copies.items() if name.endswith(".pptx")} == {
        b"not a deck: sub/broken.pptx", b"not a deck: broken.pptx",
    }  # fmt: skip
    for name, content in copies.items():
        if name.endswith(".json"):
            reason = json.loads(content)
            assert reason["source"].endswith("broken.pptx")
            assert "the document is not a .pptx file" in reason["error"]
            assert reason["remedy"]
    changed = {path: path.stat().st_mtime_ns for path in aside.iterdir()}
    assert runs.run("run 2", source=source, quarantine=f"file://{aside}", on_document_error="ignore")["documents"] == 4
    assert {path: path.stat().st_mtime_ns for path in aside.iterdir()} == changed


def test_results_whose_source_is_gone_are_listed_and_deleted_when_two_runs_have_missed_it(
    runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    service()
    runs.put("a.pptx", "b.pptx", "c.pptx", "sub/d.pptx")
    assert runs.run()["sources_gone"] == 0
    for name in ("b.pptx", "sub/d.pptx"):
        (runs.folder / "in" / name).unlink()
    # What a pattern leaves out is still there.
    summary = runs.run("run 2", exclude="c*", on_source_deleted="delete")
    assert (summary["documents"], summary["sources_gone"], summary["results_deleted"]) == (1, 2, 0)
    assert {name for name, line in runs.report().items() if line["source_gone"]} == {"b.pptx", "sub/d.pptx"}
    assert runs.run("run 2", on_source_deleted="delete")["sources_gone"] == 2  # A retry is not another look.
    assert runs.run("run 3")["sources_gone"] == 2
    assert runs.results() == {"a.pdf", "b.pdf", "c.pdf", "sub/d.pdf"}
    runs.put("b.pptx")
    summary = runs.run("run 4", on_source_deleted="delete")
    assert (summary["sources_gone"], summary["results_deleted"], summary["documents"]) == (0, 1, 3)
    assert runs.results() == {"a.pdf", "b.pdf", "c.pdf"}


def test_nothing_is_deleted_because_a_folder_is_empty(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx", "b.pptx")
    runs.run()
    for name in ("a.pptx", "b.pptx"):
        (runs.folder / "in" / name).unlink()
    for number in range(2, 5):
        summary = runs.run(f"run {number}", on_source_deleted="delete", on_no_documents="succeed")
        assert (summary["documents"], summary["results_deleted"]) == (0, 0)
    assert runs.results() == {"a.pdf", "b.pdf"}
