"""What an operation has left at the service is deleted after the delivery, if that is wanted and can be done."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.services import errors
from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.operations import OperationState
from airflow_provider_docconv.services.service import create_service
from docconv_sandbox import Sandbox
from tests.support.documents import SCAN
from tests.support.flows import play, reply
from tests.support.hostile import Answer, Hostile
from tests.support.places import Place
from tests.support.replies import own_error
from tests.support.tasks import Store, connect, context, wait

PDF = b"%PDF-1.7 %%EOF"
KEY = "0123456789abcdef"


def download(destination: str, **values: Any) -> Any:
    given = {"task_id": "t", "operation_id": "op-1", "conn_id": "docs", "destination": destination, **values}
    return DownloadResultOperator(**given).execute(context())


def stored(*paths: str) -> dict[str, Any]:
    return {"method": "ConvertAndSave", "status": "Finished", "result": [{"path": path} for path in paths]}


@pytest.mark.parametrize("cleanup", [True, False])
def test_a_scan_is_deleted_at_the_service(
    cleanup: bool, sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox.url, "aspose_ocr", login=sandbox.client_id, password=sandbox.client_secret)
    start = StartConversionOperator(task_id="s", source=SCAN.as_uri(), target_format="pdf", conn_id="docs")
    operation_id = wait({"operation_id": start.execute(context(Store())), "poke_interval": 0.1}, deferrable=False)
    download(f"{place.uri}/a.pdf", operation_id=operation_id, cleanup=cleanup)
    assert list(place.files()) == ["a.pdf"]
    state = DocConvHook.for_connection("docs").get_operation(operation_id).state
    assert (state is OperationState.SUCCEEDED) is not cleanup


@pytest.mark.parametrize("cleanup", [True, False])
def test_an_upload_and_its_result_are_deleted_in_the_storage(
    cleanup: bool, deck: str, sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"login": sandbox.client_id, "password": sandbox.client_secret}
    connect(monkeypatch, sandbox.url, "groupdocs_conversion", **account)
    options = {"convertOptions": {"Dpi": 100}}
    start = StartConversionOperator(task_id="s", source=deck, target_format="pdf", conn_id="docs", options=options)
    operation_id = wait({"operation_id": start.execute(context(Store())), "poke_interval": 0.1}, deferrable=False)
    download(f"{place.uri}/", operation_id=operation_id, cleanup=cleanup)
    assert len(place.files()) == 1
    if cleanup:
        with pytest.raises(exceptions.DocConvError):
            download(f"{place.uri}/again/", operation_id=operation_id)
    else:
        download(f"{place.uri}/again/", operation_id=operation_id)


DELETED: list[tuple[dict[str, Any], list[str]]] = [
    (stored("out/a.pdf", "out/b.pdf"), ["file/out%2Fa.pdf", "file/out%2Fb.pdf"]),
    (stored(f"docconv/{KEY}/a.pdf"), [f"folder/docconv%2F{KEY}?recursive=true"]),
    (stored(f"docconv/{KEY}x/a.pdf"), [f"file/docconv%2F{KEY}x%2Fa.pdf"]),
    (stored("docconv/a.pdf"), ["file/docconv%2Fa.pdf"]),
    (stored("docconv"), ["file/docconv"]),
    ({"method": "Convert", "status": "Finished"}, []),
]


@pytest.mark.parametrize(("operation", "deleted"), DELETED)
def test_nothing_but_the_results_and_our_own_folder_is_deleted(
    operation: dict[str, Any], deleted: list[str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(answer=lambda seen: Answer(operation if seen.path.endswith("/async") else PDF)) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        download(f"{place.uri}/", cleanup=True)
        made = [seen.target for seen in server.calls if seen.method == "DELETE"]
    assert made == [f"/v2.0/conversion/storage/{each}" for each in deleted]


def test_a_cleanup_that_fails_is_a_warning(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(seen: Any) -> Answer:
        if seen.method == "DELETE":
            return Answer({"message": "Read only."}, 403)
        return Answer(stored("out/a.pdf") if seen.path.endswith("/async") else PDF)

    lines: list[str] = []
    monkeypatch.setattr(DocConvHook, "log", property(lambda _: Log(lines)))
    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        results = download(f"{place.uri}/a.pdf", cleanup=True)
    assert [result["uri"] for result in results] == [f"{place.uri}/a.pdf"]
    assert "but could not be deleted at GroupDocs.Conversion Cloud" in lines[-1]
    assert "Read only" in lines[-1]


class Log(logging.Logger):
    """A log that keeps its lines."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("kept")
        self._lines = lines

    def handle(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@pytest.mark.parametrize(("name", "there"), [("aspose_slides", False), ("aspose_ocr", True)])
def test_whether_there_is_anything_to_delete(name: str, there: bool) -> None:
    service = create_service(SERVICES[name])
    _, files = play(service.results("op-1"))
    replies = [reply()] if there else []
    requests, deleted = play(service.clean_up("op-1", files), *replies)
    assert deleted is there
    assert [(each.method, each.query) for each in requests] == ([("DELETE", {"id": "op-1"})] if there else [])


def test_a_folder_of_ours_is_deleted_once() -> None:
    service = create_service(SERVICES["groupdocs_conversion"])
    _, files = play(service.results("op-1"), reply(stored(f"docconv/{KEY}/a.pdf", f"docconv/{KEY}/b.pdf", "out/c.pdf")))
    requests, _ = play(service.clean_up("op-1", files), reply(), reply())
    assert [each.path.partition("/storage/")[2] for each in requests] == ["file/out%2Fc.pdf", f"folder/docconv%2F{KEY}"]


@pytest.mark.parametrize(("status", "fails"), [(200, False), (204, False), (404, False), (500, True), (403, True)])
def test_what_is_gone_already_is_deleted(status: int, fails: bool) -> None:
    service = create_service(SERVICES["groupdocs_conversion"])
    _, files = play(service.results("op-1"), reply(stored("out/a.pdf")))
    if fails:
        with pytest.raises(errors.DocConvError):
            play(service.clean_up("op-1", files), reply(status=status))
    else:
        answer = reply(own_error("groupdocs_conversion", status), status)
        assert play(service.clean_up("op-1", files), answer)[1] is True
