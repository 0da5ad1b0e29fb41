"""docling-serve through operators, sensor and batch, with the traps of its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from docconv_sandbox import Sandbox
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import connect, context, wait

KEY = "the-key-of-these-tests"


@pytest.fixture
def docling() -> Iterator[Sandbox]:
    with Sandbox(engine="wheels", api_key=KEY) as sandbox:
        yield sandbox


def connect_docling(monkeypatch: pytest.MonkeyPatch, url: str, password: str | None = KEY) -> str:
    return connect(monkeypatch, url, "docling_serve", login=None, password=password)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("target_format", "begins"),
    [("md", "# Slide 1\n"), ("html", "<!DOCTYPE html>"), ("txt", "Slide 1\n"), ("json", '{"schema_name"')],
)
def test_a_deck_becomes_text(
    target_format: str, begins: str, deferrable: bool, docling: Sandbox, deck: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    conn_id = connect_docling(monkeypatch, docling.url)
    start = StartConversionOperator(task_id="s", source=deck, target_format=target_format, conn_id=conn_id)
    operation = start.execute(context())
    assert operation.endswith(f".{target_format}")
    assert wait({"operation_id": operation}, deferrable=deferrable) == operation
    download = DownloadResultOperator(
        task_id="d", operation_id=operation, conn_id=conn_id, source=deck, destination=f"file://{tmp_path}/out/"
    )
    [result] = download.execute(context())
    assert result["uri"].endswith(f"/out/my deck.{target_format}")
    assert (tmp_path / "out" / f"my deck.{target_format}").read_text().startswith(begins)


def test_a_document_that_failed_is_not_delivered(
    docling: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn_id = connect_docling(monkeypatch, docling.url)
    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04 damaged")
    source = f"file://{tmp_path}/a.docx"
    operation = StartConversionOperator(task_id="s", source=source, target_format="md", conn_id=conn_id).execute(
        context()
    )
    assert wait({"operation_id": operation}, deferrable=False) == operation
    download = DownloadResultOperator(
        task_id="d", operation_id=operation, conn_id=conn_id, source=source, destination=f"file://{tmp_path}/out/"
    )
    with pytest.raises(
        exceptions.ConversionFailed, match=r'could not convert the document \(failure\), saying ".*damaged'
    ):
        download.execute(context())
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_batch(deferrable: bool, docling: Sandbox, deck_bytes: bytes, tmp_path: Path, monkeypatch: Any) -> None:
    connect_docling(monkeypatch, docling.url)
    runs = BatchRuns(tmp_path)
    (tmp_path / "in" / "deck.pptx").write_bytes(deck_bytes)
    (tmp_path / "in" / "page.html").write_text("<h1>A</h1><p>b</p>")
    (tmp_path / "in" / "film.mp4").write_bytes(b"not for it")
    (tmp_path / "in" / "bad.docx").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(exceptions.DocumentsFailed, match="1 of 3 documents"):
        runs.run(deferrable=deferrable, target_format="md", options={"do_ocr": False})
    assert runs.results() == {"deck.md", "page.md"}
    assert (tmp_path / "out" / "page.md").read_text() == "# A\n\nb\n"
    assert (runs.states()["bad.docx"], runs.report()["bad.docx"]["error_type"]) == ("rejected", "ConversionFailed")
    assert KEY not in runs.written()
    with pytest.raises(exceptions.DocumentsFailed):
        runs.run("run 2", deferrable=deferrable, target_format="md", options={"do_ocr": False})
    assert docling.stats()["totals"]["created"] == 3


def test_a_result_that_has_vanished_is_made_again(
    deck_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replies to the fetches are lost, and the server does not keep the result for another one."""
    with Sandbox(engine="wheels", result_removal_delay=0, faults="result=500:1") as docling:
        connect_docling(monkeypatch, docling.url, None)
        runs = BatchRuns(tmp_path)
        (tmp_path / "in" / "deck.pptx").write_bytes(deck_bytes)
        with pytest.raises(exceptions.DocConvError):
            runs.run(target_format="md", fault_tolerance=1)
        assert not runs.results()
        created = docling.stats()["totals"]["created"]
        docling.set_faults("")
        assert runs.run("run 2", target_format="md")["delivered"] == 1
        assert docling.stats()["totals"]["created"] == created + 1
    assert runs.results() == {"deck.md"}


def test_the_test_button(docling: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(url: str, password: str | None = KEY) -> tuple[bool, str]:
        return DocConvHook.for_connection(connect_docling(monkeypatch, url, password)).test_connection()

    assert said(docling.url) == (True, f"Logged in to docling-serve at {docling.url}.")
    for password in ("wrong", None):
        ok, words = said(docling.url, password)
        assert not ok
        assert words.startswith('docling-serve refused the credentials (HTTP 401), saying "Unauthorized"')
        assert words.endswith("check password (API key) of connection 'docs'.")
    ok, words = said(f"{docling.url}/wrong")
    assert not ok
    assert "has no such API at this address" in words
    ok, words = said("")
    assert not ok
    assert words == (
        "the connection 'docs' has no host; set its host to the base URL of docling-serve, such as "
        "http://docling.example.com:5001."
    )
    with Sandbox(engine="echo") as free:
        assert said(free.url, None) == (True, f"Reached docling-serve at {free.url}.")
