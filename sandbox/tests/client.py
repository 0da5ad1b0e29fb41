"""A client that speaks the three protocols in the plainest way, and other help for these tests."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pypdfium2
import requests

from docconv_sandbox import Sandbox
from docconv_sandbox.engines.djvu import DjVuLibre
from docconv_sandbox.engines.libreoffice import LibreOffice
from tests.patience import PATIENCE, wait_until

NO_LIBREOFFICE = f"LibreOffice is not installed: {LibreOffice.remedy}"
NO_DJVULIBRE = f"DjVuLibre is not installed: {DjVuLibre.remedy}"

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
UNKNOWN = "00000000-0000-0000-0000-000000000000"


class Client:
    """Speaks the three protocols in the plainest way."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        answer = self.log_in(sandbox.client_id, sandbox.client_secret)
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def log_in(self, client_id: str, client_secret: str) -> requests.Response:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        return requests.post(f"{self.sandbox.url}/connect/token", data=form, timeout=PATIENCE)

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.sandbox.url + path, timeout=PATIENCE, **options)

    def start_slides(self, document: bytes | Path, format: str = "pdf", **options: Any) -> str:
        data = document.read_bytes() if isinstance(document, Path) else document
        answer = self("POST", f"/v3.0/slides/async/convert/{format}", data=data, **options)
        assert answer.status_code == 201, answer.text
        return answer.text

    def slides_status(self, id: str) -> dict[str, Any]:
        return self("GET", f"/v3.0/slides/async/{id}").json()

    def wait_slides(self, id: str) -> dict[str, Any]:
        return wait_until(
            lambda: (
                status if (status := self.slides_status(id))["status"] in {"Finished", "Failed", "Canceled"} else None
            )
        )

    def slides_result(self, id: str) -> bytes:
        status = self.wait_slides(id)
        assert status["status"] == "Finished", status
        return self("GET", f"/v3.0/slides/async/{id}/result").content

    def start_groupdocs(self, document: Path, format: str, name: str | None = None, **query: Any) -> str:
        files = {"file": (name or document.name, document.read_bytes())}
        answer = self("PUT", "/v2.0/conversion/async", params={"format": format, **query}, files=files)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_groupdocs(self, id: str) -> dict[str, Any]:
        def status() -> dict[str, Any] | None:
            found = self("GET", "/v2.0/conversion/async", params={"id": id}).json()
            return found if found["status"] in {"Finished", "Failed", "Canceled"} else None

        return wait_until(status)

    def groupdocs_result(self, id: str) -> requests.Response:
        status = self.wait_groupdocs(id)
        assert status["status"] == "Finished", status
        return self("GET", "/v2.0/conversion/async/result", params={"id": id})

    def start_ocr(self, document: bytes) -> str:
        body = {"image": base64.b64encode(document).decode(), "settings": {}}
        answer = self("POST", "/v5.0/ocr/DjVu2PDF", json=body, headers={"Accept": "text/plain"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def ocr_status(self, id: str) -> dict[str, Any]:
        return self("GET", "/v5.0/ocr/Utilities/GetTaskStatus", params={"id": id}).json()

    def wait_ocr(self, id: str) -> dict[str, Any]:
        wait_until(lambda: self.ocr_status(id)["taskStatus"] in {"Completed", "Error", "NotExist"})
        return self("GET", "/v5.0/ocr/DjVu2PDF", params={"id": id}).json()


def pdf_pages(data: bytes) -> list[str]:
    """Give the text of each page of a PDF."""
    pdf = pypdfium2.PdfDocument(io.BytesIO(data))
    try:
        return [page.get_textpage().get_text_range() for page in pdf]
    finally:
        pdf.close()


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
