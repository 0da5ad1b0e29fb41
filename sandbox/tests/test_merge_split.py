"""Merging and splitting presentations: what becomes of the slides, and what the sandbox refuses."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Inches

from docconv_sandbox import Sandbox
from tests import documents
from tests.client import Client, pdf_pages

MERGE = "/v3.0/slides/async/merge"


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deck with all that has to come along: a picture, a chart, notes, a link, and wider slides."""
    deck = Presentation()
    deck.slide_width = Inches(13)
    for number in (1, 2, 3):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = f"Rich {number}"
        slide.notes_slide.notes_text_frame.text = "for the speaker"
    picture = pypdfium2.PdfDocument.new()
    image = io.BytesIO()
    picture.new_page(20, 20).render().to_pil().save(image, "png")
    deck.slides[1].shapes.add_picture(image, 0, 0)
    data = CategoryChartData()
    data.categories, _ = ["a", "b"], data.add_series("s", (1, 2))
    deck.slides[2].shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(3), Inches(3), data)
    deck.slides[2].shapes.title.text_frame.paragraphs[0].runs[0].hyperlink.address = "https://example.org/"
    path = tmp_path_factory.mktemp("rich") / "rich.pptx"
    deck.save(path)
    return path


def titles(data: bytes) -> list[str]:
    return [slide.shapes.title.text for slide in Presentation(io.BytesIO(data)).slides]


def merge(client: Client, *decks: Path, listed: list[dict[str, Any]] | None = None) -> bytes:
    files: list[Any] = [(f"file{number}", (f"file{number}", deck.read_bytes())) for number, deck in enumerate(decks, 1)]
    if listed is not None:
        files.insert(0, ("pipeline", (None, json.dumps({"presentations": listed}), "text/json")))
    answer = client("POST", MERGE, files=files)
    assert answer.status_code == 201, answer.text
    return client.slides_result(answer.text)


def check_package(data: bytes) -> None:
    """Check what PowerPoint repairs or refuses: ids that are not unique, parts that are missing or there twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        types = archive.read("[Content_Types].xml").decode()
        assert all(f'PartName="/{name}"' in types for name in names if name.startswith("ppt/") and name[-4:] == ".xml")
    deck = Presentation(io.BytesIO(data))
    ids = [entry.get("id") for entry in deck.slide_masters._sldMasterIdLst]
    for master in deck.slide_masters:
        ids += [entry.get("id") for entry in master.slide_layouts._sldLayoutIdLst]
    assert len(set(ids)) == len(ids)
    slides = [entry.get("id") for entry in deck.slides._sldIdLst]
    assert len(set(slides)) == len(slides)
    for slide in deck.slides:
        assert slide.slide_layout.slide_master in list(deck.slide_masters)


def test_a_merge_takes_all_slides_in_order(client: Client, made: dict[str, Path], rich: Path) -> None:
    merged = merge(client, made["pptx"], rich, rich)
    numbers = ["Slide number 1", "Slide number 2", "Slide number 3"]
    assert titles(merged) == [*numbers, *["Rich 1", "Rich 2", "Rich 3"] * 2]
    check_package(merged)
    deck = Presentation(io.BytesIO(merged))
    assert deck.slide_width == Presentation(made["pptx"]).slide_width
    assert len(deck.slide_masters) == 3
    picture = next(shape for shape in deck.slides[4].shapes if shape.shape_type == 13)
    assert picture.image.ext == "png"
    assert list(deck.slides[8].shapes[-1].chart.plots[0].series[0].values) == [1, 2]
    assert not deck.slides[3].has_notes_slide
    texts = pdf_pages(client.slides_result(client.start_slides(merged, "pdf")))
    assert [("Rich" in text, "Slide" in text) for text in texts] == [(False, True)] * 3 + [(True, False)] * 6


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deck whose slides lead to each other, with two custom shows of its first slides."""
    path = documents.pptx(tmp_path_factory.mktemp("linked") / "linked.pptx", slides=4)
    deck = Presentation(path)
    slides = list(deck.slides)
    slides[2].shapes.title.click_action.target_slide = slides[0]
    slides[0].shapes.title.click_action.target_slide = slides[3]
    ids = [entry.rId for entry in deck.slides._sldIdLst]
    shows = "".join(
        f'<p:custShow name="{number}" id="{number}"><p:sldLst><p:sld r:id="{ids[0]}"/></p:sldLst></p:custShow>'
        for number in (1, 2)
    )
    listed = parse_xml(f"<p:custShowLst {nsdecls('p', 'r')}>{shows}</p:custShowLst>")
    deck.part._element.find(qn("p:notesSz")).addnext(listed)
    deck.save(path)
    return path


def test_links_to_slides_that_are_gone_go_too(client: Client, linked: Path) -> None:
    archive = split(client, linked, "pptx")
    decks = [archive.read(name) for name in archive.namelist()]
    listed = [{"path": "file1", "slides": [3]}, {"path": "file2", "slides": [1, 4]}]
    merged = merge(client, linked, linked, listed=listed)
    for data, slides in [*((deck, 1) for deck in decks), (merged, 3)]:
        check_package(data)
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            assert sum("/slides/slide" in name for name in package.namelist()) == slides
            links = [package.read(name).count(b"hlinkClick") for name in package.namelist() if "/slides/slide" in name]
        # Of the merge's slides, the second leads to the third.
        assert links == ([0, 1, 0] if data == merged else [0])


def test_a_merge_takes_the_slides_that_are_named(client: Client, made: dict[str, Path], rich: Path) -> None:
    listed = [
        {"path": "file2", "slides": [3, 1]},
        {"Path": "file1", "Source": "Request", "Password": documents.PASSWORD, "Slides": [2]},
    ]
    merged = merge(client, made["encrypted"], rich, listed=listed)
    assert titles(merged) == ["Rich 3", "Rich 1", "Slide number 2"]
    check_package(merged)


def test_a_merge_of_stored_presentations_tells_its_progress(client: Client, stored: str) -> None:
    listed = [
        {"path": f"{stored}/deck.pptx", "source": "Storage"},
        {"path": f"{stored}/secret.pptx", "source": "Storage", "password": documents.PASSWORD},
    ]
    answer = client("PUT", f"{MERGE}?outPath={stored}/all.pptx", json={"presentations": listed})
    assert answer.status_code == 201, answer.text
    status = client.wait_slides(answer.text)
    assert (status["status"], status["method"]) == ("Finished", "MergeAndSave"), status
    assert status["progress"] == {"description": "Processed presentation 2", "stepIndex": 2, "stepCount": 2}
    merged = client("GET", f"/v3.0/slides/async/storage/file/{stored}/all.pptx").content
    assert len(titles(merged)) == 6
    assert client("GET", f"/v3.0/slides/async/{answer.text}/result").status_code == 400


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ("x", "not a list"),
        ([1], "not a list"),
        ([], "no presentations"),
        ([{"path": 1}], "no text"),
        ([{"path": "file9"}], "no part has that file name"),
        ([{"path": "http://127.0.0.1/x.pptx", "source": "Url"}], "fetches nothing"),
        ([{"path": "../x", "source": "Storage"}], "Invalid value for path"),
        ([{"path": "file1", "slides": [0]}], "numbered from 1"),
        ([{"path": "file1", "slides": "x"}], "Invalid value for slides"),
    ],
    ids=str,
)
def test_a_merge_that_cannot_be_is_refused(client: Client, made: dict[str, Path], listed: Any, words: str) -> None:
    files = [
        ("pipeline", (None, json.dumps({"presentations": listed}), "text/json")),
        ("file1", ("file1", made["pptx"].read_bytes())),
    ]
    answer = client("POST", MERGE, files=files)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"path": "nowhere.pptx", "source": "Storage"}, "specified key does not exist"),
        ({"path": "file1", "slides": [4]}, "out of bounds"),
        ({"path": "file1", "slides": [1, 1]}, "a slide twice"),
        ({"path": "file2"}, "Invalid password"),
        ({"path": "file3"}, "damaged"),
        ({"path": "file4"}, "does not convert docx"),
    ],
    ids=str,
)
def test_a_merge_that_fails_says_why(client: Client, made: dict[str, Path], item: dict[str, Any], words: str) -> None:
    decks = [made[kind] for kind in ("pptx", "encrypted", "truncated", "docx")]
    files: list[Any] = [(f"file{number}", (f"file{number}", deck.read_bytes())) for number, deck in enumerate(decks, 1)]
    files.insert(0, ("pipeline", (None, json.dumps({"presentations": [{"path": "file1"}, item]}), "text/json")))
    status = client.wait_slides(client("POST", MERGE, files=files).text)
    assert (status["status"], words in status["error"]["message"]) == ("Failed", True), status


def split(client: Client, document: Path, target: str, **query: Any) -> zipfile.ZipFile:
    answer = client("POST", f"/v3.0/slides/async/split/{target}", data=document.read_bytes(), params=query)
    assert answer.status_code == 201, answer.text
    return zipfile.ZipFile(io.BytesIO(client.slides_result(answer.text)))


def test_a_split_to_pptx_keeps_each_slide_whole(client: Client, rich: Path) -> None:
    archive = split(client, rich, "pptx")
    assert archive.namelist() == ["slide_1.pptx", "slide_2.pptx", "slide_3.pptx"]
    for number, name in enumerate(archive.namelist(), 1):
        check_package(archive.read(name))
        assert titles(archive.read(name)) == [f"Rich {number}"]
        assert Presentation(io.BytesIO(archive.read(name))).slides[0].has_notes_slide
    assert len(archive.read("slide_1.pptx")) < rich.stat().st_size


@pytest.mark.parametrize(("target", "magic"), [("pdf", b"%PDF-"), ("Png", b"\x89PNG"), ("tiff", b"II*\0")])
def test_a_split_makes_a_file_of_each_slide(client: Client, made: dict[str, Path], target: str, magic: bytes) -> None:
    archive = split(client, made["pptx"], target, **{"from": 2, "to": 3, "width": 200})
    assert archive.namelist() == [f"slide_{number}.{target.lower()}" for number in (2, 3)]
    assert all(archive.read(name).startswith(magic) for name in archive.namelist())


def test_a_hidden_slide_becomes_a_file_too(tier_client: Client, made: dict[str, Path], tmp_path: Path) -> None:
    deck = Presentation(made["pptx"])
    deck.slides[1]._element.set("show", "0")
    deck.save(tmp_path / "hidden.pptx")
    archive = split(tier_client, tmp_path / "hidden.pptx", "pdf")
    texts = [pdf_pages(archive.read(name)) for name in archive.namelist()]
    assert [[f"Slide number {number}" in page for page in pages] for number, pages in enumerate(texts, 1)] == [
        [True]
    ] * 3


def test_a_split_to_a_folder_of_the_storage(client: Client, stored: str) -> None:
    query = f"folder={stored}&destFolder={stored}/slides&from=3"
    answer = client("POST", f"/v3.0/slides/async/secret.pptx/split/pdf?{query}", headers={"password": "correct horse"})
    status = client.wait_slides(answer.text)
    assert (status["status"], status["method"]) == ("Finished", "Split"), status
    assert status["progress"] == {"description": "Slide converted", "stepIndex": 1, "stepCount": 1}
    [entry] = client("GET", f"/v3.0/slides/storage/folder/{stored}/slides").json()["value"]
    assert entry["name"] == "secret_3.pdf"


def test_a_split_beyond_the_last_slide_fails(client: Client, made: dict[str, Path]) -> None:
    answer = client("POST", "/v3.0/slides/async/split/pdf?from=4", data=made["pptx"].read_bytes())
    status = client.wait_slides(answer.text)
    assert (status["status"], "out of bounds" in status["error"]["message"]) == ("Failed", True), status


def test_several_slides_take_one_turn_at_libreoffice(libreoffice: None, made: dict[str, Path]) -> None:
    with Sandbox(engine="libreoffice") as sandbox:
        client = Client(sandbox)
        assert split(client, made["pptx"], "odp").namelist() == ["slide_1.odp", "slide_2.odp", "slide_3.odp"]
        assert split(client, made["odp"], "pptx").namelist() == ["slide_1.pptx"]


def test_an_open_presentation_needs_libreoffice(client: Client, made: dict[str, Path]) -> None:
    answer = client("POST", "/v3.0/slides/async/split/pdf", data=made["odp"].read_bytes())
    status = client.wait_slides(answer.text)
    assert (status["status"], "LibreOffice" in status["error"]["message"]) == ("Failed", True), status
