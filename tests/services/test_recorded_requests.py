"""The request builders against the requests recorded from the vendors' own Python SDKs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.groupdocs.service import GroupDocsConversion
from airflow_provider_docconv.services.http import Request, token_request
from airflow_provider_docconv.services.ocr.service import AsposeOcr
from airflow_provider_docconv.services.slides.service import AsposeSlides
from tests.support.flows import OPERATION, body_of, document, reply, requests_of

SLIDES, GROUPDOCS, OCR = AsposeSlides(), GroupDocsConversion(), AsposeOcr()
MULTIPART = "multipart/form-data; boundary=BOUNDARY"
JSON = "application/json"
# The services know documents by their content and by the extension; the recordings' own type would add nothing.
FILE = (
    b'--BOUNDARY\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n%s\r\n--BOUNDARY--\r\n"
)
DECK = FILE % (b"document", b"document", b"PPTXBYTES")
TEXT = FILE % (b"file", b"four pages.docx", b"DOCXBYTES")
PIPELINE = (
    b'--BOUNDARY\r\nContent-Disposition: form-data; name="pipeline"\r\nContent-Type: text/json\r\n\r\n'
    b'{"format": "pdf", "drawSlidesFrame": true}\r\n'
)
SETTINGS = {
    "StorageName": "MyStorage",
    "FilePath": "WordProcessing/four-pages.docx",
    "Format": "pdf",
    "LoadOptions": {"Password": "pw"},
    "ConvertOptions": {"FromPage": 1, "PagesCount": 2},
    "OutputPath": "converted",
    "FontsPath": "fonts",
}
DJVU = b"AT&TFORM djvu bytes"
OCR_SETTINGS = {
    "language": "English",
    "Rotate": 0,
    "makeSkewCorrect": True,
    "makeSpellCheck": False,
    "makeContrastCorrection": False,
    "makeBinarization": True,
    "makeUpsampling": False,
    "dsrMode": "NoDsrNoFilter",
    "resultType": "Pdf",
}


def deck(**options: object) -> Request:
    return requests_of(SLIDES.start(document(), str(options.pop("target", "pdf")), options))[0]


def stored_deck(path: str, storage: str | None = None, **options: object) -> Request:
    return requests_of(SLIDES.start(RemoteDocument(path, storage), "pdf", options))[0]


def text(**options: object) -> Request:
    return requests_of(GROUPDOCS.start(document(b"DOCXBYTES", "four pages.docx"), "pdf", options))[0]


def stored_text(storage: str | None = None, **options: object) -> Request:
    return requests_of(GROUPDOCS.start(RemoteDocument("WordProcessing/four-pages.docx", storage), "pdf", options))[0]


def scan(**options: object) -> Request:
    return requests_of(OCR.start(document(DJVU, "a.djvu"), "pdf", options))[0]


def asked(flow: object) -> Callable[[], Request]:
    return lambda: requests_of(flow)[0]


def groupdocs_result(operation: object) -> Callable[[], Request]:
    def make() -> Request:
        flow = GroupDocsConversion("MyStorage").results(OPERATION)
        next(flow)
        with pytest.raises(StopIteration) as end:
            flow.send(reply(operation))
        return end.value.value[0].request

    return make


RECORDED = {
    "token": (
        lambda: token_request("my-client", "my-secret"),
        "POST /connect/token",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"grant_type=client_credentials&client_id=my-client&client_secret=my-secret",
    ),
    "slides start": (deck, "POST /v3.0/slides/async/convert/pdf", {"Content-Type": MULTIPART}, DECK),
    "slides start with everything": (
        lambda: deck(
            target="Pdf",
            storage="MyStore",
            fontsFolder="MyFonts",
            slides=[2, 4],
            password="pw",
            exportOptions={"drawSlidesFrame": True},
        ),
        "POST /v3.0/slides/async/convert/Pdf?storage=MyStore&fontsFolder=MyFonts&slides=2%2C4",
        {"Content-Type": MULTIPART, "password": "pw"},
        PIPELINE + DECK,
    ),
    "slides start from storage": (
        lambda: stored_deck("in/dir/My Pres.pptx"),
        "POST /v3.0/slides/async/My%20Pres.pptx/pdf?folder=in%2Fdir",
        {},
        b"",
    ),
    "slides start from storage with everything": (
        lambda: stored_deck(
            "in/MyPres.pptx",
            "MyStore",
            fontsFolder="MyFonts",
            slides="1,3",
            password="pw",
            exportOptions={"jpegQuality": 90},
        ),
        "POST /v3.0/slides/async/MyPres.pptx/pdf?folder=in&storage=MyStore&fontsFolder=MyFonts&slides=1%2C3",
        {"Content-Type": JSON, "password": "pw"},
        {"format": "pdf", "jpegQuality": 90},
    ),
    "slides status": (asked(SLIDES.status(OPERATION)), f"GET /v3.0/slides/async/{OPERATION}", {}, b""),
    "groupdocs start": (text, "PUT /v2.0/conversion/async?format=pdf", {"Content-Type": MULTIPART}, TEXT),
    "groupdocs start of some pages": (
        lambda: text(fromPage=2, pagesCount="3"),
        "PUT /v2.0/conversion/async?format=pdf&fromPage=2&pagesCount=3",
        {"Content-Type": MULTIPART, "Accept": JSON},
        TEXT,
    ),
    "groupdocs start from storage with everything": (
        lambda: stored_text(
            "MyStorage", password="pw", fromPage=1, pagesCount=2, outputPath="converted", fontsPath="fonts"
        ),
        "POST /v2.0/conversion/async",
        {"Content-Type": JSON, "Accept": JSON},
        SETTINGS,
    ),
    "groupdocs start from storage": (
        lambda: stored_text(outputPath="converted/async-result.pdf"),
        "POST /v2.0/conversion/async",
        {"Content-Type": JSON},
        {
            "FilePath": "WordProcessing/four-pages.docx",
            "Format": "pdf",
            "OutputPath": "converted/async-result.pdf",
        },
    ),
    "groupdocs status": (
        asked(GROUPDOCS.status(OPERATION)),
        f"GET /v2.0/conversion/async?id={OPERATION}",
        {"Accept": JSON},
        b"",
    ),
    "groupdocs result": (
        groupdocs_result({"method": "Convert", "status": "Finished"}),
        f"GET /v2.0/conversion/async/result?id={OPERATION}",
        {},
        b"",
    ),
    "groupdocs stored result": (
        groupdocs_result({"method": "ConvertAndSave", "result": [{"path": "converted/four-pages.pdf"}]}),
        "GET /v2.0/conversion/storage/file/converted%2Ffour-pages.pdf?storageName=MyStorage",
        {},
        b"",
    ),
    "ocr start": (
        scan,
        "POST /v5.0/ocr/DjVu2PDF",
        {"Content-Type": JSON, "Accept": "text/plain"},
        {
            "image": "QVQmVEZPUk0gZGp2dSBieXRlcw==",
            "settings": {"resultType": "Pdf", "dsrMode": "NoDsrNoFilter"},
        },
    ),
    "ocr start with everything": (
        lambda: scan(**OCR_SETTINGS),
        "POST /v5.0/ocr/DjVu2PDF",
        {"Content-Type": JSON, "Accept": "text/plain"},
        {"image": "QVQmVEZPUk0gZGp2dSBieXRlcw==", "settings": OCR_SETTINGS},
    ),
    "ocr status": (
        asked(OCR.status(OPERATION)),
        f"GET /v5.0/ocr/Utilities/GetTaskStatus?id={OPERATION}",
        {"Accept": JSON},
        b"",
    ),
    "ocr cancel": (asked(OCR.cancel(OPERATION)), f"DELETE /v5.0/ocr/DjVu2PDF?id={OPERATION}", {}, b""),
}


@pytest.mark.parametrize(("make", "line", "headers", "body"), RECORDED.values(), ids=list(RECORDED))
def test_requests_are_those_of_the_sdks(
    make: Callable[[], Request], line: str, headers: dict[str, str], body: object
) -> None:
    request = make()
    method, _, target = line.partition(" ")
    assert (request.method, request.path) == (method, urlsplit(target).path)
    assert dict(request.query) == dict(parse_qsl(urlsplit(target).query))
    kind = re.sub(r"boundary=\w{32}$", "boundary=BOUNDARY", request.body.content_type) if request.body else None
    assert headers.items() <= {**request.headers, "Content-Type": kind}.items()
    got = body_of(request)
    assert (json.loads(got) if isinstance(body, dict) else got) == body


def test_results_of_slides_and_ocr_need_no_listing() -> None:
    for service, path, query in (
        (SLIDES, f"/v3.0/slides/async/{OPERATION}/result", {}),
        (OCR, "/v5.0/ocr/DjVu2PDF", {"id": OPERATION}),
    ):
        with pytest.raises(StopIteration) as end:
            next(service.results(OPERATION))
        [file] = end.value.value
        assert (file.request.method, file.request.path, dict(file.request.query)) == ("GET", path, query)


@pytest.mark.parametrize("start", [deck, lambda: stored_deck("a.pptx"), text, stored_text, scan])
def test_a_start_is_never_repeatable(start: Callable[[], Request]) -> None:
    assert not start().repeatable


def test_the_connections_storage_is_the_default_of_each_call() -> None:
    deck_request = requests_of(AsposeSlides("Mine").start(document(), "pdf", {}))[0]
    assert deck_request.query == {"storage": "Mine"}
    own = requests_of(AsposeSlides("Mine").start(RemoteDocument("a.pptx", "Other"), "pdf", {}))[0]
    assert own.query["storage"] == "Other"
    settings = requests_of(GroupDocsConversion("Mine").start(RemoteDocument("a.docx"), "pdf", {}))[0]
    assert json.loads(body_of(settings))["StorageName"] == "Mine"
