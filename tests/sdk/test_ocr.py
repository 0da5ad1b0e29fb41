"""Aspose's own SDK for OCR, unchanged, against the sandbox."""

from __future__ import annotations

import base64
import io
import json
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, get_args

import pypdfium2
import pytest

from airflow_provider_docconv.services.ocr import options
from docconv_sandbox import Sandbox
from tests.sdk.waiting import SCAN
from tests.support.patience import wait_until

pytest.importorskip("aspose_ocr_cloud", reason="aspose-ocr-cloud is not installed: uv sync --group test")

import aspose_ocr_cloud
from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api.utilities_api import UtilitiesApi
from aspose_ocr_cloud.configuration import Configuration
from aspose_ocr_cloud.exceptions import UnauthorizedException
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def token(sandbox: Sandbox) -> str:
    """Log in; this SDK has no code for that."""
    form = {"grant_type": "client_credentials", "client_id": "my-client", "client_secret": "my-secret"}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{sandbox.url}/connect/token", body) as answer:
        return json.load(answer)["access_token"]


def client(sandbox: Sandbox, access_token: str) -> Any:
    return aspose_ocr_cloud.ApiClient(Configuration(host=sandbox.url, access_token=access_token))


@pytest.fixture
def api(sandbox: Sandbox) -> DjVu2PDFApi:
    return DjVu2PDFApi(client(sandbox, token(sandbox)))


def body(document: bytes, **settings: Any) -> OCRDjVu2PDFBody:
    image = base64.b64encode(document).decode()
    return OCRDjVu2PDFBody(image=image, settings=OCRSettingsDjVu2PDF(**settings))


def finished(api: DjVu2PDFApi, id: str) -> Any:
    def status() -> Any:
        found = api.get_dj_vu2_pdf(id)
        return found if found.task_status.value in {"Completed", "Error", "NotExist"} else None

    return wait_until(status)


def test_convert(api: DjVu2PDFApi) -> None:
    id = api.post_dj_vu2_pdf(body(SCAN.read_bytes()))
    found = finished(api, id)
    assert (found.id, found.task_status.value, found.response_status_code.value) == (id, "Completed", "Ok")
    [result] = found.results
    assert result.type == "Pdf"
    pdf = pypdfium2.PdfDocument(io.BytesIO(base64.b64decode(result.data)))
    assert len(pdf) == 2
    assert "Documents by the thousand" in pdf[0].get_textpage().get_text_range()


def test_convert_with_settings(api: DjVu2PDFApi) -> None:
    settings = {"language": "English", "Rotate": 0, "dsrMode": "NoDsrNoFilter", "resultType": "Pdf"}
    id = api.post_dj_vu2_pdf(body(SCAN.read_bytes(), **settings))
    assert finished(api, id).task_status.value == "Completed"


def test_status_without_the_result(sandbox: Sandbox, api: DjVu2PDFApi) -> None:
    id = api.post_dj_vu2_pdf(body(SCAN.read_bytes()))
    finished(api, id)
    found = UtilitiesApi(client(sandbox, token(sandbox))).get_task_status(id)
    assert (found.task_status.value, found.results) == ("Completed", None)


def test_a_damaged_document(api: DjVu2PDFApi) -> None:
    found = finished(api, api.post_dj_vu2_pdf(body(SCAN.read_bytes()[:5000])))
    assert (found.task_status.value, found.response_status_code.value) == ("Error", "Error")
    assert "damaged" in found.error.messages[0]


def test_cancel(api: DjVu2PDFApi) -> None:
    id = api.post_dj_vu2_pdf(body(SCAN.read_bytes()))
    api.cancel_dj_vu2_pdf(id)
    assert api.get_dj_vu2_pdf(id).task_status.value == "NotExist"


def test_an_unknown_task(api: DjVu2PDFApi) -> None:
    found = api.get_dj_vu2_pdf(UNKNOWN)
    assert (found.task_status.value, found.response_status_code.value) == ("NotExist", "TaskNotFound")


def test_without_a_token(sandbox: Sandbox) -> None:
    with pytest.raises(UnauthorizedException):
        DjVu2PDFApi(client(sandbox, "stale")).post_dj_vu2_pdf(body(b"x"))


def test_the_languages_are_those_of_the_sdk_and_of_the_docs() -> None:
    from aspose_ocr_cloud.models.language import Language

    known = set(get_args(options.Language))
    assert known == {each.value for each in Language}
    page = (Path(__file__).parent.parent.parent / "docs" / "ocr-languages.md").read_text()
    assert set(re.findall(r"`([A-Z]\w+)`", page)) == known
