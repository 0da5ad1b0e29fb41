"""Scans of every kind, in one batch and one by one, through a sandbox that reads what their metadata say."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from airflow_provider_docconv.hooks.docconv import DocConvHook
from docconv_sandbox.samples import pdf
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import connect

SCAN = Path(__file__).parent.parent / "data" / "project_scan.djvu"


def picture(kind: str, text: str) -> bytes:
    image, file = Image.new("RGB", (60, 30), "white"), io.BytesIO()
    noted = PngImagePlugin.PngInfo()
    noted.add_text("Description", text)
    exif = image.getexif()
    exif[270] = text
    more: dict[str, Any] = {"PNG": {"pnginfo": noted}, "TIFF": {"description": text}}.get(kind, {"exif": exif})
    image.save(file, kind, **more)
    return file.getvalue()


@pytest.fixture
def scans(runs: BatchRuns, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> BatchRuns:
    connect(monkeypatch, sandbox.url, "aspose_ocr", login=sandbox.client_id, password=sandbox.client_secret)
    inbox = runs.folder / "in"
    for name, content in {
        "letter.png": picture("PNG", "Dear Ada"),
        "photo.JPG": picture("JPEG", "A photo"),
        "fax.tif": picture("TIFF", "A fax"),
        "contract.pdf": pdf(),
        "notes.txt": b"no scan",
    }.items():
        (inbox / name).write_bytes(content)
    shutil.copy(SCAN, inbox / "book.djvu")
    return runs


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_folder_of_scans_becomes_searchable_pdfs(scans: BatchRuns, deferrable: bool) -> None:
    summary = scans.run(deferrable=deferrable)
    assert (summary["delivered"], summary["left_out"]) == (5, {"txt": 1})
    results = scans.results()
    assert results == {"letter.pdf", "photo.pdf", "fax.pdf", "contract.pdf", "book.pdf"}
    assert all((scans.folder / "out" / name).read_bytes().startswith(b"%PDF") for name in results)
    ids = {name: line["operation_id"].rpartition(".")[2] for name, line in scans.report().items()}
    assert (ids["letter.png"], ids["contract.pdf"]) == ("RecognizeImage", "RecognizePdf")
    assert scans.run("run 2")["skipped"] == 5


def test_texts_come_out_as_texts(scans: BatchRuns) -> None:
    assert scans.run(target_format="txt", include=["*.png", "*.jpg", "*.tif", "*.djvu"])["delivered"] == 4
    texts = {path.name: path.read_text("utf-8") for path in (scans.folder / "out").glob("*.txt")}
    assert (texts["letter.txt"], texts["photo.txt"], texts["fax.txt"]) == ("Dear Ada", "A photo", "A fax")
    assert "Documents by the thousand" in texts["book.txt"]


@pytest.mark.parametrize(
    ("method", "target_format", "begins"),
    [
        ("RecognizeTable", "csv", b'"Dear Ada"'),
        ("RecognizeTable", "xlsx", b"PK"),
        ("RecognizeReceipt", "json", b"{"),
        ("RecognizeLabel", "txt", b"Dear"),
        ("UpscaleImage", "png", b"\x89PNG"),
        ("BinarizeImage", "png", b"\x89PNG"),
    ],
)
def test_a_call_that_is_named(method: str, target_format: str, begins: bytes, scans: BatchRuns) -> None:
    hook, source = DocConvHook.for_connection("docs"), scans.folder / "in" / "letter.png"
    [result] = hook.convert(source, target_format, scans.folder / "one", {"method": method}, poke_interval=0.1)
    content = Path(result["uri"]).read_bytes()
    assert content.startswith(begins)
    if method == "UpscaleImage":
        assert Image.open(io.BytesIO(content)).size == (120, 60)
    if target_format == "json":
        assert json.loads(content) == {"text": "Dear Ada"}
