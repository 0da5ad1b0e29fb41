"""The quirks of GroupDocs.Conversion Cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import STAMP, UNKNOWN, Client, pdf_pages


@pytest.mark.parametrize(("accept", "quoted"), [(None, True), ("application/json", True), ("text/plain", False)])
def test_groupdocs_quotes_the_id(client: Client, made: dict[str, Path], accept: str | None, quoted: bool) -> None:
    answer = client(
        "PUT",
        "/v2.0/conversion/async?Format=PDF",
        files={"File": ("file.name", made["docx"].read_bytes())},
        headers={"Accept": accept},
    )
    assert answer.status_code == 200
    assert answer.text.startswith('"') is quoted
    id = answer.text.strip('"')
    assert client.groupdocs_result(id).headers["Content-Type"] == "application/pdf"


def test_groupdocs_status(client: Client, made: dict[str, Path]) -> None:
    status = client.wait_groupdocs(client.start_groupdocs(made["docx"], "pdf"))
    keys = {"id", "method", "status", "created", "started", "failed", "canceled", "finished", "result", "error"}
    assert status.keys() == keys
    assert (status["method"], status["result"], status["error"]) == ("Convert", [], None)
    assert STAMP.fullmatch(status["finished"])


@pytest.mark.parametrize("pascal", [True, False])
def test_groupdocs_saves_to_the_storage(client: Client, stored: str, pascal: bool) -> None:
    body = {
        "FilePath": f"{stored}/letter.docx",
        "Format": "pdf",
        "OutputPath": f"{stored}/Out put",
        "ConvertOptions": {"FromPage": 2, "PagesCount": 2},
    }
    if not pascal:
        body = {key[0].lower() + key[1:]: value for key, value in body.items()}
    status = client.wait_groupdocs(client("POST", "/v2.0/conversion/async", json=body).json())
    assert (status["status"], status["method"]) == ("Finished", "ConvertAndSave")
    [result] = status["result"]
    assert (result["name"], result["path"]) == ("letter.pdf", f"{stored}/Out put/letter.pdf")
    assert result["url"].startswith(f"{client.sandbox.url}/v2.0/conversion/storage/file/")
    answer = client.session.get(result["url"], timeout=30)
    assert len(answer.content) == result["size"]
    assert len(pdf_pages(answer.content)) == 2


def test_groupdocs_output_may_be_a_file_name(client: Client, stored: str) -> None:
    body = {"FilePath": f"{stored}/letter.docx", "Format": "pdf", "OutputPath": f"{stored}/other.pdf"}
    status = client.wait_groupdocs(client("POST", "/v2.0/conversion/async", json=body).json())
    assert [result["path"] for result in status["result"]] == [f"{stored}/other.pdf"]


def test_groupdocs_saves_each_picture(client: Client, stored: str) -> None:
    body = {"FilePath": f"{stored}/letter.docx", "Format": "jpg", "OutputPath": f"{stored}/out"}
    status = client.wait_groupdocs(client("POST", "/v2.0/conversion/async", json=body).json())
    names = [result["name"] for result in status["result"]]
    assert names == [f"letter-page-{number}.jpg" for number in (1, 2, 3)]


def test_groupdocs_without_an_output_path_keeps_the_result(client: Client, stored: str) -> None:
    body = {"FilePath": f"{stored}/letter.docx", "Format": "pdf"}
    id = client("POST", "/v2.0/conversion/async", json=body).json()
    assert 'filename="letter.pdf"' in client.groupdocs_result(id).headers["Content-Disposition"]


def test_groupdocs_opens_with_a_password(client: Client, stored: str) -> None:
    body = {"FilePath": f"{stored}/secret.pptx", "Format": "pdf", "LoadOptions": {"Password": "correct horse"}}
    id = client("POST", "/v2.0/conversion/async", json=body).json()
    assert len(pdf_pages(client.groupdocs_result(id).content)) == 3
    body["LoadOptions"] = {"password": "wrong"}
    status = client.wait_groupdocs(client("POST", "/v2.0/conversion/async", json=body).json())
    assert "password is incorrect" in status["error"]


def test_groupdocs_bundles_pictures_for_the_download(client: Client, made: dict[str, Path]) -> None:
    many = client.groupdocs_result(client.start_groupdocs(made["docx"], "png"))
    assert many.headers["Content-Type"] == "application/zip"
    one = client.groupdocs_result(client.start_groupdocs(made["docx"], "png", pagesCount=1))
    assert one.headers["Content-Type"] == "image/png"


def test_groupdocs_converts_djvu(client: Client, made: dict[str, Path]) -> None:
    result = client.groupdocs_result(client.start_groupdocs(made["djvu"], "pdf"))
    assert len(pdf_pages(result.content)) == 2


def test_groupdocs_missing_source_fails_later(client: Client, stored: str) -> None:
    body = {"FilePath": f"{stored}/nothing.docx", "Format": "pdf"}
    status = client.wait_groupdocs(client("POST", "/v2.0/conversion/async", json=body).json())
    assert status["status"] == "Failed"
    assert "The specified key does not exist" in status["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"?id={UNKNOWN}", None, 404),
        ("GET", f"/result?id={UNKNOWN}", None, 404),
        ("GET", f"/{UNKNOWN}/status", None, 404),
        ("PUT", "?format=pdf", None, 400),
        ("PUT", "", None, 400),
        ("POST", "", {"Format": "pdf"}, 400),
        ("POST", "", {"FilePath": "x"}, 400),
        ("POST", "", {"FilePath": 1, "Format": "pdf"}, 400),
        ("POST", "", {"FilePath": "x", "Format": "pdf", "ConvertOptions": [1]}, 400),
        ("POST", "", {"FilePath": "x", "Format": "pdf", "ConvertOptions": {"Pages": 3}}, 400),
        ("POST", "", {"FilePath": "x", "Format": "pdf", "StorageName": "Nowhere"}, 404),
        ("POST", "", {"FilePath": "../x", "Format": "pdf"}, 400),
        ("POST", "", [1], 400),
    ],
)
def test_groupdocs_refuses(client: Client, method: str, path: str, body: object, status: int) -> None:
    answer = client(method, f"/v2.0/conversion/async{path}", json=body)
    assert answer.status_code == status, answer.text
    if status in {400, 404} and "/status" not in path:
        assert answer.json()["error"]["message"]


def test_groupdocs_lists_formats(client: Client) -> None:
    listed = client("GET", "/v2.0/conversion/formats").json()
    formats = {entry["sourceFormat"]: entry["targetFormats"] for entry in listed}
    assert {"pdf", "png", "tiff"} <= set(formats["docx"])
    assert "pdf" in formats["djvu"]
    assert "odp" not in formats
    [one] = client("GET", "/v2.0/conversion/formats?filePath=a/b.PPTX").json()
    assert one["sourceFormat"] == "pptx"
