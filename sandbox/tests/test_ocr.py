"""The quirks of Aspose.OCR Cloud, and of all three on one port."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.client import UNKNOWN, Client, pdf_pages


@pytest.mark.parametrize(("accept", "quoted"), [(None, False), ("text/plain", False), ("application/json", True)])
def test_ocr(client: Client, made: dict[str, Path], accept: str | None, quoted: bool) -> None:
    body = {"IMAGE": base64.b64encode(made["djvu"].read_bytes()).decode()}
    answer = client("POST", "/V5.0/OCR/djvu2pdf", json=body, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.text.startswith('"') is quoted
    id = answer.text.strip('"')
    done = client.wait_ocr(id)
    assert done.keys() == {"id", "responseStatusCode", "taskStatus", "results", "error"}
    assert (done["taskStatus"], done["responseStatusCode"], done["error"]) == ("Completed", "Ok", None)
    [result] = done["results"]
    assert result["type"] == "Pdf"
    assert len(pdf_pages(base64.b64decode(result["data"], validate=True))) == 2
    assert client.ocr_status(id)["results"] is None
    answer = client("GET", f"/v5.0/ocr/DjVu2PDF?ID={id}", headers={"Accept": "text/plain"})
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_ocr_does_not_know(client: Client) -> None:
    for path in ("DjVu2PDF", "djvu2pdf", "Utilities/GetTaskStatus", "utilities/gettaskstatus"):
        answer = client("GET", f"/v5.0/ocr/{path}", params={"id": UNKNOWN})
        assert answer.status_code == 200
        assert answer.json()["taskStatus"] == "NotExist"
        assert client("GET", f"/v5.0/ocr/{path}").status_code == 400
    assert client("DELETE", "/v5.0/ocr/DjVu2PDF", params={"id": UNKNOWN}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"nonsense", b'{"image": ""}', b'{"image": "????", "settings": {}}', b'{"image": "QUJDRA', b"[]",
     b'{"image": "QUJDRA==", "settings": 1}', b'{"image": "QUJDRA==",}', b'{"settings": {"image": "QUJDRA=="}}',
     b'{"image": "QUJDRA==", "settings": {"resultType": "TextAndPdf"}}'],
)  # fmt: skip
def test_ocr_refuses(client: Client, body: bytes) -> None:
    answer = client("POST", "/v5.0/ocr/DjVu2PDF", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert json.loads(answer.text)["status"] == 400


def test_services_do_not_know_each_others_operations(client: Client, made: dict[str, Path]) -> None:
    id = client.start_slides(made["pptx"])
    assert client.ocr_status(id)["taskStatus"] == "NotExist"
    assert client("GET", "/v2.0/conversion/async", params={"id": id}).status_code == 404


def test_the_sandbox_counts(client: Client) -> None:
    before = client("GET", "/sandbox/stats").json()["methods"]
    client("GET", f"/v3.0/slides/async/{UNKNOWN}")
    client("GET", "/v3.0/slides/nonsense")
    after = client("GET", "/sandbox/stats").json()["methods"]
    assert after["slides.status"] == before.get("slides.status", 0) + 1
    assert after["unknown.path"] == before.get("unknown.path", 0) + 1
    assert client("GET", "/sandbox/health").json() == {"status": "ok"}
    assert client("GET", "/nonsense").status_code == 404
