"""The quirks of the three protocols."""

from __future__ import annotations

import base64
import json
import re
import uuid
from pathlib import Path

import pytest
from speaking import Client, pdf_pages

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def stored(client: Client, made: dict[str, Path]) -> str:
    """Put a deck and a letter into both storages; give their folder."""
    folder = uuid.uuid4().hex
    for prefix in ("/v3.0/slides/storage", "/v2.0/conversion/storage"):
        for kind in ("pptx", "docx", "encrypted"):
            client("PUT", f"{prefix}/file/{folder}/{made[kind].name}", data=made[kind].read_bytes())
    return folder


# Slides


@pytest.mark.parametrize(
    ("accept", "quoted"),
    [
        (None, False),
        ("*/*", False),
        ("text/plain", False),
        ("application/json", True),
        ("application/json, */*", False),
    ],
)
def test_slides_quotes_the_id_as_it_is_asked_to(
    client: Client, made: dict[str, Path], accept: str | None, quoted: bool
) -> None:
    answer = client(
        "POST", "/v3.0/slides/async/convert/Pdf", data=made["pptx"].read_bytes(), headers={"Accept": accept}
    )
    assert answer.status_code == 201
    assert answer.text.startswith('"') is quoted
    assert answer.headers["Content-Type"].startswith("application/json" if quoted else "text/plain")
    assert client.wait_slides(answer.text.strip('"'))["status"] == "Finished"


OPTIONS = '{"format": "pdf", "drawSlidesFrame": true}'


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([("document", "document", None)], id="python"),
        pytest.param([("pipeline", None, "text/json"), ("document", "document", None)], id="python-options"),
        pytest.param([("data", "data", None)], id="java"),
        pytest.param([("body", None, "application/json"), ("file1", "deck.pptx", None)], id="java-options"),
        pytest.param([("data", "", "text/plain"), ("file", "deck.pptx", None)], id="curl-options"),
        pytest.param([("attachments[]", "deck.pptx", None)], id="node"),
        pytest.param([("data1", None, None), ("file1", "deck.pptx", None)], id="php-options"),
        pytest.param([(None, None, "application/json"), ("document", "deck.pptx", None)], id="dotnet-options"),
        pytest.param([("document", None, None)], id="no-file-name"),
    ],
)
def test_slides_takes_every_form_of_body(
    client: Client, made: dict[str, Path], parts: list[tuple[str | None, str | None, str | None]]
) -> None:
    body = b""
    for number, (name, filename, kind) in enumerate(parts, 1):
        disposition = "form-data" + (f'; name="{name}"' if name else "")
        disposition += f'; filename="{filename}"' if filename is not None else ""
        body += f"--edge\r\nContent-Disposition: {disposition}\r\n".encode()
        body += f"Content-Type: {kind}\r\n".encode() if kind else b""
        is_document = number == len(parts)
        body += b"\r\n" + (made["pptx"].read_bytes() if is_document else OPTIONS.encode()) + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    id = client.start_slides(body + b"--edge--\r\n", headers=headers)
    assert len(pdf_pages(client.slides_result(id))) == 3


def test_slides_status_has_the_keys_of_the_documentation(client: Client, made: dict[str, Path]) -> None:
    status = client.wait_slides(client.start_slides(made["pptx"]))
    assert status.keys() == {"id", "method", "status", "created", "started", "finished", "progress"}
    assert status["method"] == "Convert"
    assert all(STAMP.fullmatch(status[key]) for key in ("created", "started", "finished"))


def test_slides_from_the_storage(client: Client, stored: str) -> None:
    path = f"/v3.0/slides/async/deck.pptx/pdf?Folder={stored}"
    answer = client("POST", path, json={"format": "pdf", "jpegQuality": 90})
    status = client.wait_slides(answer.text)
    assert (status["status"], status["method"]) == ("Finished", "DownloadPresentation")
    result = client("GET", f"/v3.0/slides/async/{answer.text}/result")
    assert 'filename="deck.pdf"' in result.headers["Content-Disposition"]
    assert result.headers["Content-Type"] == "application/pdf"


def test_slides_options_may_have_single_quotes(client: Client, stored: str) -> None:
    answer = client("POST", f"/v3.0/slides/async/deck.pptx/pdf?folder={stored}", data="{'JpegQuality': '90'}")
    assert answer.status_code == 201
    refused = client("POST", f"/v3.0/slides/async/deck.pptx/pdf?folder={stored}", data="[nonsense")
    assert refused.status_code == 400


def test_a_missing_source_fails_later_an_unknown_storage_at_once(client: Client, stored: str) -> None:
    answer = client("POST", f"/v3.0/slides/async/IDoNotExist.pptx/pdf?folder={stored}")
    assert answer.status_code == 201
    error = client.wait_slides(answer.text)["error"]
    assert error["message"] == "AmazonS3 Storage exception: The specified key does not exist."
    assert error["httpStatusCode"] == 404
    answer = client("POST", f"/v3.0/slides/async/deck.pptx/pdf?folder={stored}&storage=Nowhere")
    assert answer.status_code == 404
    expected = "The storage Nowhere was not found or is not associated with the application."
    assert answer.json()["error"]["message"] == expected


@pytest.mark.parametrize("method", ["convert", "storage"])
def test_slides_saves_pictures_as_a_zip(client: Client, made: dict[str, Path], stored: str, method: str) -> None:
    query = {"outPath": f"{stored}/images", "storage": "Main", "folder": stored}
    if method == "convert":
        data = made["pptx"].read_bytes()
        answer = client("PUT", "/v3.0/slides/async/convert/png", params=query, data=data)
    else:
        answer = client("PUT", "/v3.0/slides/async/deck.pptx/png", params=query)
    status = client.wait_slides(answer.text)
    assert status["status"] == "Finished", status
    assert status["method"] == {"convert": "ConvertAndSave", "storage": "SavePresentation"}[method]
    exists = "/v3.0/slides/storage/exist"
    assert client("GET", f"{exists}/{stored}/images").json()["exists"] is False
    assert client("GET", f"{exists}/{stored}/images.zip").json()["exists"] is True
    refused = client("GET", f"/v3.0/slides/async/{answer.text}/result")
    assert refused.status_code == 400
    assert "in the storage" in refused.json()["error"]["message"]


def test_slides_saves_a_pdf_under_its_name(client: Client, made: dict[str, Path], stored: str) -> None:
    data = made["pptx"].read_bytes()
    answer = client("PUT", f"/v3.0/slides/async/convert/pdf?outpath=/{stored}/out.pdf", data=data)
    client.wait_slides(answer.text)
    assert len(pdf_pages(client("GET", f"/v3.0/slides/storage/file/{stored}/out.pdf").content)) == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", f"/v3.0/slides/async/{UNKNOWN}", 404, "Operation does not exist"),
        ("GET", f"/v3.0/slides/async/{UNKNOWN}/result", 404, "Operation does not exist"),
        ("GET", f"/v3.0/slides/async/%22{UNKNOWN}%22", 404, "Operation does not exist"),
        ("POST", "/v3.0/slides/async/convert/doc", 400, "Invalid value for format"),
        ("POST", "/v3.0/slides/async/convert/pdf", 400, "required parameter document"),
        ("POST", "/v3.0/slides/async/x.pptx/pdf?slides=0", 400, "Invalid value for slides"),
        ("POST", "/v3.0/slides/async/x.pptx/pdf?slides=a", 400, "Invalid value for slides"),
        ("POST", "/v3.0/slides/async/..%2Fx.pptx/pdf?folder=..", 400, "Invalid value for path"),
        ("PUT", "/v3.0/slides/async/x.pptx/pdf", 400, "required parameter outPath"),
        ("PUT", "/v3.0/slides/async/x.pptx/pdf?outPath=../x", 400, "Invalid value for path"),
        ("POST", "/v3.0/slides/async/merge", 501, "does not merge"),
        ("POST", "/v3.0/slides/async/x.pptx/split/pdf", 501, "does not split"),
    ],
)
def test_slides_refuses(client: Client, method: str, path: str, status: int, words: str) -> None:
    answer = client(method, path)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_results_cannot_get_a_password(client: Client, stored: str) -> None:
    answer = client("POST", f"/v3.0/slides/async/deck.pptx/pdf?folder={stored}", json={"Password": "x"})
    assert answer.status_code == 400


def test_an_unfinished_operation_has_no_result(client: Client, made: dict[str, Path]) -> None:
    id = client.start_slides(made["truncated"])
    client.wait_slides(id)
    answer = client("GET", f"/v3.0/slides/async/{id}/result")
    assert "it is Failed" in answer.json()["error"]["message"]


def test_fonts_come_from_the_storage(client: Client, made: dict[str, Path], stored: str) -> None:
    answer = client("POST", f"/v3.0/slides/async/convert/pdf?fontsFolder={stored}", data=made["pptx"].read_bytes())
    assert client.wait_slides(answer.text)["status"] == "Finished"


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    for size in (9 << 20,):
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=b"0" * size)
        assert answer.status_code == 413
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=iter([b"0" * (1 << 20)] * 9))
        assert answer.status_code == 413
        answer = client("POST", "/v5.0/ocr/djvu2pdf", data=iter([b'{"image": "'] + [b"A" * (1 << 20)] * 9))
        assert answer.status_code == 413


def test_a_malformed_multipart_body_is_refused(client: Client) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=edge"):
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 400


# GroupDocs


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


# OCR


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
     b'{"image": "QUJDRA==", "settings": 1}', b'{"image": "QUJDRA==",}', b'{"settings": {"image": "QUJDRA=="}}'],
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
    before = client("GET", "/sandbox/stats").json()["calls"]
    client("GET", f"/v3.0/slides/async/{UNKNOWN}")
    client("GET", "/v3.0/slides/nonsense")
    after = client("GET", "/sandbox/stats").json()["calls"]
    assert after["slides.status"] == before["slides.status"] + 1
    assert after["unknown.path"] == before.get("unknown.path", 0) + 1
    assert client("GET", "/sandbox/health").json() == {"status": "ok"}
    assert client("GET", "/nonsense").status_code == 404
