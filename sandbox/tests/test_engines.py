"""What the engines make of documents."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from docconv_sandbox import engines, formats
from docconv_sandbox.engines.base import Work
from docconv_sandbox.engines.djvu import DjVuLibre, DjVuRs
from docconv_sandbox.errors import ConversionError
from docconv_sandbox.slides import EXPORT_FORMATS
from tests.client import NO_DJVULIBRE, Client, pdf_pages

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
BY_WHEELS = {"pdf": b"%PDF-", "tiff": b"II*\0", **dict.fromkeys(("png", "jpeg", "gif", "bmp"), ZIP)}
BY_LIBREOFFICE = {
    **BY_WHEELS,
    **dict.fromkeys(("pptx", "pptm", "ppsx", "potx", "odp", "otp", "svg", "emf"), ZIP),
    **dict.fromkeys(("ppt", "pps", "pot"), OLE),
    **dict.fromkeys(("fodp", "html"), b"<?xml"),
}


@pytest.fixture(scope="session")
def exports(tier_client: Client, made: dict[str, Path]) -> dict[str, str]:
    """Start a conversion to every format there is."""
    return {format: tier_client.start_slides(made["pptx"], format) for format in sorted(EXPORT_FORMATS)}


@pytest.mark.parametrize("format", sorted(EXPORT_FORMATS))
def test_every_export_format_works_or_is_refused_clearly(
    tier: str, tier_client: Client, exports: dict[str, str], format: str
) -> None:
    status = tier_client.wait_slides(exports[format])
    works = BY_WHEELS if tier == "wheels" else BY_LIBREOFFICE
    if format in works:
        assert status["status"] == "Finished", status
        assert status["progress"]["stepIndex"] == status["progress"]["stepCount"] == 3
        assert tier_client.slides_result(exports[format]).startswith(works[format])
    else:
        assert status["status"] == "Failed"
        wanted = "needs LibreOffice" if format in BY_LIBREOFFICE else "No engine"
        assert wanted in status["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "text", "pages"),
    [("pptx", "Slide number 1", 3), ("docx", "Page number 1", 3), ("xlsx", "documents", 1)],
)
def test_a_pdf_has_the_text_of_its_document(
    tier_client: Client, made: dict[str, Path], kind: str, text: str, pages: int
) -> None:
    result = tier_client.groupdocs_result(tier_client.start_groupdocs(made[kind], "pdf"))
    found = pdf_pages(result.content)
    assert len(found) == pages
    assert text in found[0]


def test_slides_are_chosen(tier_client: Client, made: dict[str, Path]) -> None:
    id = tier_client.start_slides(made["pptx"], params={"slides": "3,1"})
    found = pdf_pages(tier_client.slides_result(id))
    assert [re.search(r"Slide number (\d)", text)[1] for text in found] == ["3", "1"]


def test_pictures_come_in_a_zip(client: Client, made: dict[str, Path]) -> None:
    id = client.start_slides(made["pptx"], "Png", params={"slides": "2,3"})
    with zipfile.ZipFile(io.BytesIO(client.slides_result(id))) as archive:
        assert archive.namelist() == ["slide_2.png", "slide_3.png"]
        assert Image.open(io.BytesIO(archive.read("slide_2.png"))).size == (960, 720)


def test_a_tiff_holds_all_pages(client: Client, made: dict[str, Path]) -> None:
    data = client.slides_result(client.start_slides(made["pptx"], "tiff"))
    assert Image.open(io.BytesIO(data)).n_frames == 3


def test_pictures_have_the_size_that_is_asked_for(client: Client, made: dict[str, Path]) -> None:
    files = {
        "pipeline": (None, '{"format": "image", "Width": "320", "height": 240}', "text/json"),
        "document": ("document", made["pptx"].read_bytes()),
    }
    answer = client("POST", "/v3.0/slides/async/convert/png", files=files)
    with zipfile.ZipFile(io.BytesIO(client.slides_result(answer.text))) as archive:
        assert Image.open(io.BytesIO(archive.read("slide_1.png"))).size == (320, 240)


@pytest.mark.usefixtures("libreoffice")
@pytest.mark.parametrize("tier", ["libreoffice"], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("kind", "target", "magic"),
    [
        ("odp", "pdf", b"%PDF-"),
        ("odt", "docx", ZIP),
        ("docx", "odt", ZIP),
        ("docx", "html", b"<!DOCTYPE"),
        ("docx", "txt", b""),
        ("docx", "rtf", b"{\\rtf"),
        ("docx", "epub", ZIP),
        ("xlsx", "csv", b"documents,42"),
        ("xlsx", "xls", OLE),
    ],
)
def test_libreoffice_makes_more(
    tier_client: Client, made: dict[str, Path], kind: str, target: str, magic: bytes
) -> None:
    result = tier_client.groupdocs_result(tier_client.start_groupdocs(made[kind], target))
    assert result.content.startswith(magic)
    assert result.headers["Content-Disposition"].startswith(f'attachment; filename="{made[kind].stem}.{target}"')


@pytest.mark.usefixtures("libreoffice")
@pytest.mark.parametrize("tier", ["libreoffice"], indirect=True, scope="session")
def test_what_libreoffice_makes_can_be_converted_again(
    tier_client: Client, exports: dict[str, str], tmp_path: Path
) -> None:
    for format in ("ppt", "odp", "fodp"):
        path = tmp_path / "again"
        path.write_bytes(tier_client.slides_result(exports[format]))
        assert formats.sniff(path) == format
        found = pdf_pages(tier_client.slides_result(tier_client.start_slides(path)))
        assert "Slide number 1" in found[0]


@pytest.mark.usefixtures("libreoffice")
@pytest.mark.parametrize("tier", ["libreoffice"], indirect=True, scope="session")
def test_a_pdf_becomes_a_text_document(tier_client: Client, exports: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "deck.pdf"
    path.write_bytes(tier_client.slides_result(exports["pdf"]))
    result = tier_client.groupdocs_result(tier_client.start_groupdocs(path, "docx"))
    assert result.content.startswith(ZIP)


def test_the_wheel_keeps_the_text_of_a_djvu(made: dict[str, Path], tmp_path: Path) -> None:
    [output] = DjVuRs().convert(made["djvu"], "djvu", "pdf", Work(folder=tmp_path))
    found = pdf_pages(output.read_bytes())
    assert len(found) == 2
    assert "Documents by the thousand" in found[0]


@pytest.mark.skipif(not shutil.which("ddjvu"), reason=NO_DJVULIBRE)
def test_djvulibre_converts_djvu(made: dict[str, Path], tmp_path: Path) -> None:
    [output] = DjVuLibre().convert(made["djvu"], "djvu", "pdf", Work(folder=tmp_path))
    assert len(pdf_pages(output.read_bytes())) == 2


@pytest.mark.skipif(not shutil.which("ddjvu"), reason=NO_DJVULIBRE)
def test_djvulibre_refuses_damage(made: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.djvu"
    broken.write_bytes(made["djvu"].read_bytes()[:5000])
    with pytest.raises(ConversionError, match="damaged"):
        DjVuLibre().convert(broken, "djvu", "pdf", Work(folder=tmp_path))


def test_a_pdf_keeps_only_the_pages_asked_for(client: Client, made: dict[str, Path], tmp_path: Path) -> None:
    pdf = tmp_path / "deck.pdf"
    pdf.write_bytes(client.slides_result(client.start_slides(made["pptx"])))
    result = client.groupdocs_result(client.start_groupdocs(pdf, "pdf", fromPage=2, pagesCount=5))
    assert len(pdf_pages(result.content)) == 2


@pytest.mark.parametrize("tier", ["libreoffice"], indirect=True)  # The wheels make pages only.
def test_pages_of_what_has_no_pages_are_refused(tier_client: Client, made: dict[str, Path]) -> None:
    status = tier_client.wait_slides(tier_client.start_slides(made["pptx"], "odp", params={"slides": "1"}))
    assert "cannot choose pages" in status["error"]["message"]


def test_without_libreoffice_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("DOCCONV_SANDBOX_SOFFICE", raising=False)
    with pytest.raises(ConversionError, match=r"odp to pdf needs LibreOffice \(apt-get install libreoffice"):
        engines.plan("auto", "odp", "pdf")
    with pytest.raises(ConversionError, match=r"pptx to pdf needs LibreOffice \(apt-get install libreoffice"):
        engines.plan("libreoffice", "pptx", "pdf")
    with pytest.raises(ConversionError, match="odp to pdf needs LibreOffice, which --engine wheels leaves out"):
        engines.plan("wheels", "odp", "pdf")
    with pytest.raises(ConversionError, match="pptx to svg needs LibreOffice"):
        engines.plan("auto", "pptx", "svg")
