"""The stand-in speaks Aspose.OCR Cloud's protocol."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.client.blocking import shared_client
from airflow_provider_docconv.services.errors import ConversionFailed, StartReplyLost
from airflow_provider_docconv.services.operations import OperationState
from tests.workbench.standin_calls import (
    ASYNC,
    DECK,
    DJVU,
    FORM,
    LOGIN,
    SCAN,
    TASK_STATUS,
    ask,
    counts,
    ocr,
    scan,
    scan_body,
    sha256,
    standing_in,
    start,
    start_scan,
    task,
)
from workbench.processes import wait_until
from workbench.standin import StandIn, expected_result


def test_the_vendors_sdk_converts_and_cancels(standin: StandIn) -> None:
    pytest.importorskip("aspose_ocr_cloud")
    import aspose_ocr_cloud
    from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
    from aspose_ocr_cloud.api.utilities_api import UtilitiesApi
    from aspose_ocr_cloud.configuration import Configuration
    from aspose_ocr_cloud.exceptions import UnauthorizedException
    from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
    from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

    def client(token: str) -> Any:
        return aspose_ocr_cloud.ApiClient(Configuration(host=standin.url, access_token=token))

    login = json.loads(ask(standin, "POST", "/connect/token", LOGIN, FORM)[1])
    api, utilities = (cls(client(login["access_token"])) for cls in (DjVu2PDFApi, UtilitiesApi))
    body = OCRDjVu2PDFBody(image=base64.b64encode(SCAN).decode(), settings=OCRSettingsDjVu2PDF(language="English"))
    id = api.post_dj_vu2_pdf(body)
    wait_until(lambda: utilities.get_task_status(id).task_status.value == "Completed", "The conversion", 30)
    found = api.get_dj_vu2_pdf(id)
    assert (found.id, found.task_status.value, found.response_status_code.value) == (id, "Completed", "Ok")
    (result,) = found.results
    assert (result.type, base64.b64decode(result.data)) == ("Pdf", expected_result(sha256(SCAN), 2048))
    assert utilities.get_task_status(id).results is None
    api.cancel_dj_vu2_pdf(id)
    gone = api.get_dj_vu2_pdf(id)
    assert (gone.task_status.value, gone.response_status_code.value) == ("NotExist", "TaskNotFound")
    with pytest.raises(UnauthorizedException):
        DjVu2PDFApi(client("stale")).post_dj_vu2_pdf(body)
    assert list(standin.stats()["sources"]) == [sha256(SCAN)]


def test_the_blocking_client_converts(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--result-bytes", "300000") as standin:
        client = shared_client(ocr(standin))
        id = client.run(client.service.start(scan(), "pdf", {"language": "English"}))
        assert client.run(client.service.status(id)).state is OperationState.SUCCEEDED
        (file,) = client.run(client.service.results(id))
        with client.open_result(file) as (_, pieces):
            assert b"".join(pieces) == expected_result(sha256(SCAN), 300_000)
        stats = standin.stats()
        assert stats["calls"] == {"token": 1, "start": 1, "status": 1, "result": 1, "cancel": 0}
        (noticed,) = stats["sources"][sha256(SCAN)]["noticed_after"]
        assert stats["sources"] == {sha256(SCAN): counts(created=1, polls=1, results=1, noticed_after=[noticed])}
        standin.lose_next_start(source_sha256=sha256(SCAN))
        with pytest.raises(StartReplyLost):
            client.run(client.service.start(scan(), "pdf", {}))


def test_what_is_not_done_has_no_result(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600") as standin:
        found = task(standin, start_scan(standin), DJVU)
        assert (found["taskStatus"], found["responseStatusCode"], found["results"]) == ("Processing", "NotReady", None)


def test_a_damaged_document_fails(standin: StandIn) -> None:
    client = shared_client(ocr(standin))
    id = client.run(client.service.start(scan(SCAN[:16] + b"DAMAGED scan"), "pdf", {}))
    found = client.run(client.service.status(id))
    assert (found.state, found.message) == (OperationState.FAILED, "The document is damaged.")
    (file,) = client.run(client.service.results(id))
    with pytest.raises(ConversionFailed, match="damaged"), client.open_result(file) as (_, pieces):
        list(pieces)


def test_each_service_knows_its_own_operations_only(standin: StandIn) -> None:
    assert task(standin, start(standin))["taskStatus"] == "NotExist"
    assert ask(standin, "GET", f"{ASYNC}/{start_scan(standin)}")[0] == 404
    assert ask(standin, "DELETE", f"{DJVU}?id={start(standin)}")[0] == 200
    assert standin.stats()["sources"][sha256(DECK)]["canceled"] == 0


def test_paths_may_be_spelled_as_in_the_documentation(standin: StandIn) -> None:
    status, id = ask(standin, "POST", "/v5.0/ocr/djvu2pdf", scan_body(), {"Accept": "application/json"})
    assert status == 200
    assert task(standin, json.loads(id), "/v5.0/ocr/utilities/gettaskstatus")["taskStatus"] == "Completed"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"settings": {}}', b'{"image": ""}', b'{"image": "AB"}', b'{"image": "QUJD"']
)
def test_a_start_without_a_document_is_refused(body: bytes, standin: StandIn) -> None:
    status, answer = ask(standin, "POST", DJVU, body)
    assert (status, json.loads(answer)["status"]) == (400, 400)
    assert standin.stats()["operations"]["created"] == 0


def test_without_a_token_nothing_is_done(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600") as standin:
        id = start_scan(standin)
        paths = [("GET", DJVU), ("GET", TASK_STATUS), ("DELETE", DJVU), ("POST", DJVU)]
        for method, path in paths:
            body = scan_body() if method == "POST" else None
            assert ask(standin, method, f"{path}?id={id}", body, {"Authorization": "Bearer stale"})[0] == 401
        assert standin.stats()["sources"] == {sha256(SCAN): counts(created=1)}


def test_the_quota_is_shared(standin: StandIn) -> None:
    standin.set_quota(1)
    start(standin)
    status, answer = ask(standin, "POST", DJVU, scan_body())
    assert (status, json.loads(answer)["detail"]) == (403, "The quota of the plan is used up.")


def test_a_large_document_is_taken_in_constant_memory(standin: StandIn) -> None:
    start_scan(standin)
    before = peak_memory(standin)
    document = SCAN + bytes(range(256)) * (1 << 18)
    client = shared_client(ocr(standin))
    client.run(client.service.start(scan(document), "pdf", {}))
    assert sha256(document) in standin.stats()["sources"]
    assert len(document) > 1 << 26
    assert peak_memory(standin) - before < 1 << 24


def peak_memory(standin: StandIn) -> int:
    lines = Path(f"/proc/{standin.process.pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) << 10
