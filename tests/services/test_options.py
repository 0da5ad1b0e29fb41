"""Options, formats and passwords: what each service takes, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DocConvError,
    DocumentRejected,
    InvalidOptions,
    OperationNotFound,
    StartReplyLost,
    UnexpectedReply,
)
from airflow_provider_docconv.services.groupdocs.service import GroupDocsConversion
from airflow_provider_docconv.services.ocr.options import OcrSettings
from airflow_provider_docconv.services.operations import ResultFile
from airflow_provider_docconv.services.options import read_options
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import OPERATION, body_of, document, play, reply, requests_of

SLIDES, GROUPDOCS, OCR = (
    create_service(SERVICES[name]) for name in ("aspose_slides", "groupdocs_conversion", "aspose_ocr")
)
SCAN = document(b"AT&TFORM", "scan.djvu")
FORMATS = (
    "Pdf Xps Tiff Pptx Odp Otp Ppt Pps Ppsx Pptm Ppsm Pot Potx Potm Html Html5 Swf Svg Jpeg Png Gif Bmp Fodp Xaml "
    "Mpeg4 Md Xml Emf"
).split()


@pytest.mark.parametrize("target", FORMATS)
def test_slides_takes_the_vendors_formats_in_any_case(target: str) -> None:
    for spelled in (target, target.lower(), target.upper()):
        path = requests_of(SLIDES.start(document(), spelled, {}))[0].path
        assert path == f"/v3.0/slides/async/convert/{spelled}"
    assert len(SLIDES.target_formats) == len(FORMATS)


@pytest.mark.parametrize("target", ["docx", "", "pdf/../x", "p d f", "../pdf", "pdf?x", "pdf\n"])
def test_slides_refuses_other_formats(target: str) -> None:
    with pytest.raises(InvalidOptions):
        next(SLIDES.start(document(), target, {}))


@pytest.mark.parametrize("service", [SLIDES, GROUPDOCS, OCR])
def test_an_unknown_option_is_named_and_the_known_ones_too(service: Any) -> None:
    with pytest.raises(InvalidOptions, match="'slidez', only ") as raised:
        next(service.start(SCAN, "pdf", {"slidez": 1}))
    assert all(option in str(raised.value) for option in service.options_type.__annotations__)


@pytest.mark.parametrize(
    ("target", "options", "sent"),
    [("pdf", {}, "Pdf"), ("TXT", {}, "Text"), ("hocr", {"resultType": "Hocr"}, "Hocr"), ("png", {}, "ImagePNG")],
)
def test_ocr_makes_what_the_target_format_says(target: str, options: dict[str, Any], sent: str) -> None:
    [request] = requests_of(OCR.start(SCAN, target, options))
    assert json.loads(body_of(request))["settings"] == {"resultType": sent, "dsrMode": "NoDsrNoFilter"}


@pytest.mark.parametrize(
    ("slides", "sent"),
    [([2, 4], "2,4"), ("2,4", "2,4"), (" 2, 4", "2,4"), (3, "3"), ((1,), "1"), (None, None), ("", None)],
)
def test_slide_numbers(slides: object, sent: str | None) -> None:
    assert requests_of(SLIDES.start(document(), "pdf", {"slides": slides}))[0].query.get("slides") == sent


INVALID = [
    (SLIDES, {"slides": [0]}),
    (SLIDES, {"slides": "1-3"}),
    (SLIDES, {"slides": []}),
    (SLIDES, {"slides": 1.5}),
    (SLIDES, {"slides": [None]}),
    (SLIDES, {"exportOptions": "jpegQuality=90"}),
    (SLIDES, {"password": "пароль"}),
    (SLIDES, {"password": "a\r\nHost: evil"}),
    (SLIDES, {"password": "a\tb"}),
    (OCR, {"resultType": "Text"}),
    (GROUPDOCS, {"fromPage": "two"}),
    (GROUPDOCS, {"pagesCount": -1}),
    (GROUPDOCS, {"loadOptions": "Password"}),
    (GROUPDOCS, {"convertOptions": [1]}),
]


@pytest.mark.parametrize(("service", "options"), INVALID, ids=str)
def test_invalid_options_are_refused_before_anything_is_sent(service: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions) as raised:
        next(service.start(document(), "pdf", options))
    # The password may be the one thing that is wrong with it.
    assert str(options.get("password", "☃")) not in str(raised.value)


@pytest.mark.parametrize("password", ["pw", "pass wörd", "ÿ£~"])
def test_a_password_travels_in_a_header_as_far_as_latin_1_goes(password: str) -> None:
    request = requests_of(SLIDES.start(document(), "pdf", {"password": password}))[0]
    assert request.headers["password"] == password
    assert password not in repr(request)


@pytest.mark.parametrize("options", [{}, {"password": None}, {"password": ""}, {"slides": None}])
def test_options_that_are_empty_are_not_sent(options: dict[str, Any]) -> None:
    request = requests_of(SLIDES.start(document(), "pdf", options))[0]
    assert (dict(request.query), dict(request.headers)) == ({}, {})
    request = requests_of(GROUPDOCS.start(document(), "pdf", options if "slides" not in options else {}))[0]
    assert request.method == "PUT"


PICTURES = [b"\x89PNG\r\n", b"\xff\xd8\xff\xe0", b"II*\0", b"MM\0*", b"GIF89a", b"BM6"]


def scan(content: bytes, name: str = "scan.png") -> Document:
    return document(content, name)


def started_as(source: Document, target_format: str, **options: Any) -> tuple[str, dict[str, Any], str]:
    """Return the call, the settings, and the id that a start ends with."""
    [request], started = play(OCR.start(source, target_format, options), reply(OPERATION.encode()))
    return request.path.rpartition("/")[2], json.loads(body_of(request)).get("settings", {}), started


@pytest.mark.parametrize(
    ("content", "method"),
    [(b"AT&TFORM scan", "DjVu2PDF"), (b"%PDF-1.7", "RecognizePdf"), *((head, "RecognizeImage") for head in PICTURES)],
)
def test_ocr_chooses_the_call_by_the_documents_bytes(content: bytes, method: str) -> None:
    found, settings, operation_id = started_as(scan(content, "misnamed.bin"), "txt", language="German")
    assert (found, settings["language"], settings["resultType"]) == (method, "German", "Text")
    assert operation_id == (OPERATION if method == "DjVu2PDF" else f"{OPERATION}.{method}")
    assert "method" not in settings


@pytest.mark.parametrize(
    ("method", "target_format", "settings"),
    [
        ("RecognizeTable", "csv", {"resultTypeTable": "Csv"}),
        ("RecognizeTable", "xlsx", {"resultTypeTable": "Excel"}),
        ("RecognizeReceipt", "json", {"resultType": "JSON"}),
        ("RecognizeAndParseInvoice", "TXT", {"resultType": "Text"}),
        ("DeskewImage", "png", {}),
        ("UpscaleImage", "png", {}),
    ],
)
def test_ocr_takes_the_call_that_the_options_name(method: str, target_format: str, settings: dict[str, Any]) -> None:
    assert started_as(scan(PICTURES[0]), target_format, method=method) == (method, settings, f"{OPERATION}.{method}")


def test_ocr_asks_for_an_operation_where_it_was_started() -> None:
    for operation_id, path in ((OPERATION, "DjVu2PDF"), (f"{OPERATION}.RecognizeTable", "RecognizeTable")):
        [file] = play(OCR.results(operation_id))[1]
        assert (file.request.path, file.request.query) == (f"/v5.0/ocr/{path}", {"id": OPERATION})
        assert file.operation_id == operation_id
        [request] = requests_of(OCR.cancel(operation_id))
        assert (request.method, request.path, request.query) == ("DELETE", f"/v5.0/ocr/{path}", {"id": OPERATION})
        [request] = requests_of(OCR.status(operation_id))
        assert request.query == {"id": OPERATION}
    # What a person made up leads nowhere else.
    [request] = requests_of(OCR.cancel(f"{OPERATION}.../../Secrets"))
    assert (request.path, request.query) == ("/v5.0/ocr/DjVu2PDF", {"id": f"{OPERATION}.../../Secrets"})


@pytest.mark.parametrize(
    ("source", "target_format", "options", "words"),
    [
        (scan(b"PK\x03\x04", "deck.pptx"), "pdf", {}, r"deck\.pptx: .*reads scans \(PDF, TIFF"),
        (scan(PICTURES[0]), "docx", {}, "only to csv, hocr, json, pdf, png, txt, xlsx"),
        (scan(PICTURES[0]), "csv", {}, r"text recognition .* does not make csv files.*RecognizeTable makes tables"),
        (scan(PICTURES[0]), "pdf", {"method": "RecognizeTable"}, "RecognizeTable .* does not make pdf files, only csv"),
        (scan(PICTURES[0]), "pdf", {"method": "DeskewImage"}, "DeskewImage .* makes a png and has no settings"),
        (scan(PICTURES[0]), "png", {"method": "DeskewImage", "Rotate": 90}, "makes a png and has no settings"),
        (scan(PICTURES[0]), "pdf", {"method": "DjVu2PDF"}, r"DjVu2PDF .* does not take \.png files"),
        (scan(b"AT&TFORM", "a.djvu"), "pdf", {"method": "RecognizePdf"}, r"does not take \.djvu files"),
        (scan(b"%PDF-", "a.pdf"), "png", {"method": "UpscaleImage"}, r"does not take \.pdf files"),
        (scan(PICTURES[0]), "pdf", {"method": "RecognizeEverything"}, "method must be one of DjVu2PDF, RecognizePdf, "),
        (scan(PICTURES[0]), "txt", {"resultType": "Pdf"}, "resultType Pdf does not fit the target format txt"),
        (RemoteDocument("a.djvu"), "pdf", {}, "has no storage for documents"),
    ],
)
def test_ocr_refuses_what_can_not_succeed_before_it_is_sent(
    source: Any, target_format: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises((InvalidOptions, DocumentRejected), match=words):
        next(OCR.start(source, target_format, options))


NEEDS_UPLOAD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "password": ({"password": "pw"}, {"LoadOptions": {"Password": "pw"}}),
    "load options": ({"loadOptions": {"Format": "docx"}}, {"LoadOptions": {"Format": "docx"}}),
    "both": (
        {"loadOptions": {"Format": "docx"}, "password": "pw"},
        {"LoadOptions": {"Format": "docx", "Password": "pw"}},
    ),
    "convert options and pages": (
        {"convertOptions": {"Dpi": 300}, "fromPage": 2},
        {"ConvertOptions": {"Dpi": 300, "FromPage": 2}},
    ),
    "fonts": ({"fontsPath": "fonts"}, {"FontsPath": "fonts"}),
    "storage": ({"storageName": "Mine"}, {"StorageName": "Mine"}),
    "output": ({"outputPath": "out/a.pdf"}, {"OutputPath": "out/a.pdf"}),
}


@pytest.mark.parametrize(("options", "settings"), NEEDS_UPLOAD.values(), ids=list(NEEDS_UPLOAD))
def test_groupdocs_uploads_where_options_need_it(options: dict[str, Any], settings: dict[str, Any]) -> None:
    source = document(b"DOCX", "my letter.docx", key="0123")
    uploaded = reply({"uploaded": ["my letter.docx"], "errors": []})
    (upload, start), started = play(GROUPDOCS.start(source, "PDF", options), uploaded, reply(OPERATION))
    assert started == OPERATION
    assert started.remote_source == RemoteDocument("docconv/0123/my letter.docx", options.get("storageName"))
    assert (upload.method, upload.path) == (
        "PUT",
        "/v2.0/conversion/storage/file/docconv%2F0123%2Fmy%20letter.docx",
    )
    assert upload.query.get("storageName") == options.get("storageName")
    assert upload.repeatable
    assert b'filename="my letter.docx"' in body_of(upload)
    assert (start.method, start.path, start.repeatable) == ("POST", "/v2.0/conversion/async", False)
    wanted = {
        "FilePath": "docconv/0123/my letter.docx",
        "Format": "PDF",
        "OutputPath": "docconv/0123/my letter.pdf",
        **settings,
    }
    assert json.loads(body_of(start)) == wanted


def test_two_documents_of_one_name_do_not_meet_in_the_storage() -> None:
    paths = {requests_of(GROUPDOCS.start(document(), "pdf", {"password": "x"}))[0].path for _ in range(20)}
    assert len(paths) == 20


FAILED_UPLOADS: list[tuple[Any, type[DocConvError], str]] = [
    ({"uploaded": [], "errors": [{"code": "errorAmazonS3Storage", "message": "No space."}]}, DocumentRejected, "No sp"),
    ({"Uploaded": ["a"], "Errors": [{"Message": "Half of it."}]}, DocumentRejected, "Half of it"),
    ({"uploaded": []}, DocumentRejected, "did not accept"),
    ({}, DocumentRejected, "did not accept"),
    ([], UnexpectedReply, "instead of JSON"),
    (b"<html>", UnexpectedReply, "an HTML page instead of JSON"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FAILED_UPLOADS)
def test_an_upload_that_failed_with_http_200(answer: Any, kind: type[DocConvError], words: str) -> None:
    flow = GROUPDOCS.start(document(), "pdf", {"password": "x"})
    next(flow)
    with pytest.raises(kind, match=words):
        flow.send(reply(answer))


def test_an_upload_without_a_reply_does_not_count_as_a_start() -> None:
    assert requests_of(GROUPDOCS.start(document(), "pdf", {"password": "x"}))[0].repeatable
    flow = GROUPDOCS.start(document(), "pdf", {"password": "x"})
    next(flow)
    flow.send(reply({"uploaded": ["a"]}))
    with pytest.raises(StartReplyLost):
        flow.send(reply(b"", 500))


def results(*items: Any, method: str = "ConvertAndSave", storage: str | None = None) -> list[ResultFile]:
    value = {"method": method, "status": "Finished", "result": list(items)}
    return play(GroupDocsConversion(storage).results(OPERATION), reply(value))[1]


FILE = "/v2.0/conversion/storage/file/"
LISTED: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    ({"path": "out/a.pdf"}, "out%2Fa.pdf", {}),
    ({"path": "/out/a.pdf", "url": "https://evil.example/x"}, "out%2Fa.pdf", {}),
    ({"Path": "out/a.pdf"}, "out%2Fa.pdf", {}),
    ({"url": "https://evil.example/v2.0/conversion/storage/file/out%2Fa%20b.pdf"}, "out%2Fa%20b.pdf", {}),
    ({"url": "https://h/v2.0/conversion/storage/file/a.pdf?storageName=S%201"}, "a.pdf", {"storageName": "S 1"}),
    ({"url": "out/a.pdf"}, "out%2Fa.pdf", {}),
    ({"path": "../../secret?x=1#y"}, "..%2F..%2Fsecret%3Fx%3D1%23y", {}),
]


@pytest.mark.parametrize(("item", "path", "query"), LISTED)
def test_results_are_fetched_from_the_connections_host(item: dict[str, Any], path: str, query: dict[str, str]) -> None:
    [file] = results({"name": "a.pdf", "size": 12, **item})
    assert (file.request.path, dict(file.request.query)) == (FILE + path, query)
    assert (file.name, file.size) == ("a.pdf", 12)


def test_several_results_and_what_is_none() -> None:
    files = results({"path": "a-page-1.jpg"}, None, "x", {"path": "a-page-2.jpg"}, storage="Mine")
    assert [file.request.path for file in files] == [f"{FILE}a-page-1.jpg", f"{FILE}a-page-2.jpg"]
    assert all(file.request.query == {"storageName": "Mine"} for file in files)
    for empty in ({}, {"path": ""}, {"path": "/"}, {"url": "https://evil.example"}, {"path": ".."}):
        with pytest.raises(UnexpectedReply):
            results(empty)
    with pytest.raises(ConversionFailed, match="listed no result"):
        results()


def test_results_of_an_unknown_operation() -> None:
    with pytest.raises(OperationNotFound, match=OPERATION):
        play(GROUPDOCS.results(OPERATION), reply({"message": "Operation not found"}, 400))


@pytest.mark.parametrize(
    ("language", "nearest"), [("Englisch", "English"), ("Ukrainian", "Ukrainan"), ("greek", "Greek")]
)
def test_a_misspelt_language_is_answered_with_the_nearest(language: str, nearest: str) -> None:
    found = rf"language must be one of 154 names, of which .*{nearest}.* are the nearest, not '{language}'"
    with pytest.raises(InvalidOptions, match=found):
        read_options("Aspose.OCR Cloud", {"language": language}, OcrSettings)
