"""The same protocol, spoken with a real docling-serve: ``make docling`` with its address in ``DOCLING_SERVE_URL``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.services.errors import RefusedByService
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import connect, context, wait

URL, KEY = os.environ.get("DOCLING_SERVE_URL", ""), os.environ.get("DOCLING_SERVE_API_KEY", "")
pytestmark = pytest.mark.skipif(not URL, reason="DOCLING_SERVE_URL names no server")


@pytest.fixture
def conn_id(monkeypatch: pytest.MonkeyPatch) -> str:
    return connect(monkeypatch, URL, "docling_serve", login=None, password=KEY)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("target_format", ["md", "html", "txt", "json", "doctags"])
def test_a_deck_becomes_text(target_format: str, deferrable: bool, conn_id: str, deck: str, tmp_path: Path) -> None:
    options = {"do_ocr": False, "image_export_mode": "embedded", "ocr_lang": ["en", "de"], "images_scale": 1.5}
    operation = StartConversionOperator(
        task_id="s", source=deck, target_format=target_format, conn_id=conn_id, options=options
    ).execute(context())
    assert wait({"operation_id": operation}, deferrable=deferrable) == operation
    DownloadResultOperator(
        task_id="d", operation_id=operation, conn_id=conn_id, source=deck, destination=f"file://{tmp_path}/out/"
    ).execute(context())
    text = (tmp_path / "out" / f"my deck.{target_format}").read_text()
    assert "Slide 1" in text
    assert "Slide 2" in text


def test_a_batch_with_a_document_that_fails(conn_id: str, deck_bytes: bytes, tmp_path: Path) -> None:
    runs = BatchRuns(tmp_path)
    (tmp_path / "in" / "deck.pptx").write_bytes(deck_bytes)
    (tmp_path / "in" / "cut.pptx").write_bytes(deck_bytes[: len(deck_bytes) // 2])
    with pytest.raises(exceptions.DocumentsFailed, match="1 of 2 documents"):
        runs.run(target_format="md")
    assert runs.results() == {"deck.md"}
    assert runs.report()["cut.pptx"]["error_type"] == "ConversionFailed"


def test_the_test_button(conn_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ok, said = DocConvHook.for_connection(conn_id).test_connection()
    assert ok, said
    connect(monkeypatch, f"{URL}/wrong", "docling_serve", login=None, password=KEY)
    assert "has no such API at this address" in DocConvHook.for_connection("docs").test_connection()[1]
    if KEY:
        connect(monkeypatch, URL, "docling_serve", login=None, password="wrong")
        assert "refused the credentials (HTTP 401)" in DocConvHook.for_connection("docs").test_connection()[1]


def test_a_bad_option_and_an_unknown_task(conn_id: str, deck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = DocConvHook.for_connection(conn_id)
    assert hook.get_operation("no-such-task.md").state.value == "not_found"
    service = hook.get_conn().service
    monkeypatch.setattr(type(service), "check", lambda self, target_format, options: dict(options))
    start = StartConversionOperator(
        task_id="s", source=deck, target_format="md", conn_id=conn_id, options={"table_mode": "quick"}
    )
    with pytest.raises(RefusedByService, match=r"HTTP 422.*Input should be"):
        start.execute(context())
