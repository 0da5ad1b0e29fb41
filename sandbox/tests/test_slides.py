"""The quirks of Aspose.Slides Cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import STAMP, UNKNOWN, Client, pdf_pages


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
        ("POST", "/v3.0/slides/async/merge", 400, "no presentations to merge"),
        ("PUT", "/v3.0/slides/async/merge", 400, "required parameter outPath"),
        ("POST", "/v3.0/slides/async/split/pdf", 400, "required parameter document"),
        ("POST", "/v3.0/slides/async/x.pptx/split/mpeg4", 400, "Invalid value for format"),
        ("POST", "/v3.0/slides/async/x.pptx/split/pdf?from=3&to=2", 400, "Invalid value for to"),
        ("POST", "/v3.0/slides/async/x.pptx/split/pdf?destFolder=../x", 400, "Invalid value for path"),
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
    answer = client("POST", "/v3.0/slides/async/convert/pdf", data=b"0" * (9 << 20))
    assert answer.status_code == 413
    answer = client("POST", "/v3.0/slides/async/convert/pdf", data=iter([b"0" * (1 << 20)] * 9))
    assert answer.status_code == 413
    answer = client("POST", "/v5.0/ocr/djvu2pdf", data=iter([b'{"image": "'] + [b"A" * (1 << 20)] * 9))
    assert answer.status_code == 413


def test_a_malformed_multipart_body_is_refused(client: Client) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=edge"):
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 400
