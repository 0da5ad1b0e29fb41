"""Aspose's own SDK for OCR, unchanged, against the sandbox."""

from __future__ import annotations

import base64
import importlib
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
from tests.sdk.endpoints_ocr import CALLS
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


def picture(kind: str = "PNG", text: str = "Total 12.50") -> bytes:
    """Make a picture whose metadata say what the sandbox then reads in it."""
    from PIL import Image, PngImagePlugin

    image, file = Image.new("RGB", (40, 20), "white"), io.BytesIO()
    if kind == "PNG":
        noted = PngImagePlugin.PngInfo()
        noted.add_text("Description", text)
        image.save(file, kind, pnginfo=noted)
    elif kind == "TIFF":
        image.save(file, kind, description=text)
    else:
        exif = image.getexif()
        exif[270] = text
        image.save(file, kind, exif=exif)
    return file.getvalue()


def scanned_pdf(text: str = "Total 12.50") -> bytes:
    made, file = pypdfium2.PdfDocument.new(), io.BytesIO()
    page = made.new_page(200, 200)
    font = pypdfium2.raw.FPDFText_LoadStandardFont(made.raw, b"Helvetica")
    drawn = pypdfium2.PdfObject(pypdfium2.raw.FPDFPageObj_CreateTextObj(made.raw, font, 12.0), pdf=made)
    encoded = (text + "\0").encode("utf-16-le")
    words = (pypdfium2.raw.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
    pypdfium2.raw.FPDFText_SetText(drawn.raw, words)
    page.insert_obj(drawn)
    page.gen_content()
    made.save(file)
    return file.getvalue()


class SdkCall:
    """One of the SDK's calls."""

    def __init__(self, sandbox: Sandbox, method: str) -> None:
        import aspose_ocr_cloud.models as models

        self._name, body_name, settings_name = CALLS[method]
        module = importlib.import_module(f"aspose_ocr_cloud.api.{self._name}_api")
        self._api = getattr(module, f"{method}Api")(client(sandbox, token(sandbox)))
        self._body = getattr(models, body_name)
        self._settings = getattr(models, settings_name) if settings_name else None

    def post(self, document: bytes, **settings: Any) -> str:
        given = {"settings": self._settings(**settings)} if self._settings else {}
        body = self._body(image=base64.b64encode(document).decode(), **given)
        return str(getattr(self._api, f"post_{self._name}")(body))

    def get(self, id: str) -> Any:
        return getattr(self._api, f"get_{self._name}")(id)

    def cancel(self, id: str) -> None:
        getattr(self._api, f"cancel_{self._name}")(id)

    def finished(self, id: str) -> Any:
        def status() -> Any:
            found = self.get(id)
            return found if found.task_status.value in {"Completed", "Error", "NotExist"} else None

        return wait_until(status)


def test_the_methods_are_those_of_the_sdk() -> None:
    assert {"DjVu2PDF", *CALLS} == set(get_args(options.Method))


@pytest.mark.parametrize("method", CALLS)
def test_every_method(method: str, sandbox: Sandbox) -> None:
    call = SdkCall(sandbox, method)
    document = scanned_pdf() if method == "RecognizePdf" else picture()
    if method in options.PICTURE_METHODS:
        settings: dict[str, Any] = {}
    elif method == "RecognizeTable":
        settings = {"resultTypeTable": "Csv", "language": "English"}
    else:
        settings = {"resultType": "Text", "language": "English"}
    found = call.finished(call.post(document, **settings))
    assert (found.task_status.value, found.response_status_code.value) == ("Completed", "Ok")
    content = base64.b64decode(found.results[0].data)
    if method in options.PICTURE_METHODS:
        assert content.startswith(b"\x89PNG")
    else:
        assert "Total 12.50" in content.decode()


def test_a_method_can_be_cancelled(sandbox: Sandbox) -> None:
    call = SdkCall(sandbox, "RecognizeImage")
    id = call.post(picture(), resultType="Pdf")
    call.cancel(id)
    assert call.get(id).task_status.value == "NotExist"


RESULTS = [("Pdf", b"%PDF"), ("ImagePNG", b"\x89PNG"), ("JSON", b"{"), ("Hocr", b"<")]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("result", "begins"), [("Pdf", b"%PDF"), ("ImagePNG", b"\x89PNG"), ("JSON", b"{"), ("Hocr", b"<")]
)
def test_pictures_become_each_kind_of_result(kind: str, result: str, begins: bytes, sandbox: Sandbox) -> None:
    call = SdkCall(sandbox, "RecognizeImage")
    found = call.finished(call.post(picture(kind), resultType=result))
    [only] = found.results
    assert only.type == result
    assert base64.b64decode(only.data).startswith(begins)


def test_a_damaged_picture(sandbox: Sandbox) -> None:
    call = SdkCall(sandbox, "RecognizeImage")
    found = call.finished(call.post(picture()[:40], resultType="Text"))
    assert found.task_status.value == "Error"
    assert "damaged" in found.error.messages[0]
