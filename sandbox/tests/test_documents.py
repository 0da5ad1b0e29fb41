"""Documents that are not what they should be."""

from __future__ import annotations

import contextlib
import json
import random
import zipfile
from pathlib import Path

import pytest

from docconv_sandbox import formats
from docconv_sandbox.errors import ConversionError
from tests import documents
from tests.client import Client, pdf_pages


def test_an_encrypted_document_needs_its_password(client: Client, made: dict[str, Path]) -> None:
    for headers in ({}, {"password": "wrong"}):
        status = client.wait_slides(client.start_slides(made["encrypted"], headers=headers))
        assert status["status"] == "Failed"
        assert status["error"]["message"] == "Invalid password."
        assert status["error"]["httpStatusCode"] == 400
        assert "failed" in status
        assert "finished" not in status


def test_the_password_opens_it(tier_client: Client, made: dict[str, Path]) -> None:
    id = tier_client.start_slides(made["encrypted"], headers={"password": documents.PASSWORD})
    assert len(pdf_pages(tier_client.slides_result(id))) == 3


def test_groupdocs_says_it_in_other_words(client: Client, made: dict[str, Path]) -> None:
    status = client.wait_groupdocs(client.start_groupdocs(made["encrypted"], "pdf"))
    assert status["error"] == "Please specify password to load the document."


def test_a_damaged_document_fails(tier_client: Client, made: dict[str, Path]) -> None:
    status = tier_client.wait_slides(tier_client.start_slides(made["truncated"]))
    assert status["status"] == "Failed"
    assert "damaged" in status["error"]["message"]


def test_damage_inside_of_a_whole_archive_fails(tier_client: Client, made: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.pptx"
    with zipfile.ZipFile(made["pptx"]) as whole, zipfile.ZipFile(broken, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, b"<p:" if name == "ppt/presentation.xml" else whole.read(name))
    status = tier_client.wait_slides(tier_client.start_slides(broken))
    assert status["status"] == "Failed"
    assert "damaged" in status["error"]["message"]


def test_noise_fails_everywhere(client: Client, tmp_path: Path) -> None:
    noise = tmp_path / "noise.pptx"
    noise.write_bytes(random.Random(1).randbytes(5000))
    assert client.wait_slides(client.start_slides(noise))["status"] == "Failed"
    assert "damaged" in client.wait_groupdocs(client.start_groupdocs(noise, "pdf"))["error"]
    failed = client.wait_ocr(client.start_ocr(noise.read_bytes()))
    assert (failed["taskStatus"], failed["responseStatusCode"]) == ("Error", "Error")
    assert "damaged" in failed["error"]["messages"][0]


def test_an_empty_document_fails(client: Client, tmp_path: Path) -> None:
    empty = tmp_path / "empty.docx"
    empty.touch()
    assert client.wait_groupdocs(client.start_groupdocs(empty, "pdf"))["error"] == "The document is empty."


def test_a_wrong_name_does_not_matter(client: Client, made: dict[str, Path]) -> None:
    for name in ("letter.pptx", "letter", "file.name", "letter.pdf"):
        result = client.groupdocs_result(client.start_groupdocs(made["docx"], "pdf", name=name))
        assert "Page number 1" in pdf_pages(result.content)[0]


def test_slides_takes_presentations_only(client: Client, made: dict[str, Path]) -> None:
    status = client.wait_slides(client.start_slides(made["docx"]))
    assert status["error"]["message"] == "This service does not convert docx documents."


def test_ocr_takes_djvu_only(client: Client, made: dict[str, Path]) -> None:
    failed = client.wait_ocr(client.start_ocr(made["pptx"].read_bytes()))
    assert failed["error"]["messages"] == ["This service does not convert pptx documents."]


def test_a_truncated_djvu_fails(client: Client, made: dict[str, Path]) -> None:
    failed = client.wait_ocr(client.start_ocr(made["djvu"].read_bytes()[:5000]))
    assert failed["taskStatus"] == "Error"


def test_slides_that_are_not_there_fail(client: Client, made: dict[str, Path]) -> None:
    status = client.wait_slides(client.start_slides(made["pptx"], params={"slides": "4"}))
    assert "Valid index range is between 1 and 3" in status["error"]["message"]
    status = client.wait_groupdocs(client.start_groupdocs(made["pptx"], "pdf", fromPage=9))
    assert "out of bounds" in status["error"]


def test_a_bomb_is_not_unpacked(made: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LARGEST_UNPACKED", 1000)
    with pytest.raises(ConversionError, match="unpacks to more"):
        formats.sniff(made["pptx"])


@pytest.mark.parametrize(
    ("content", "name", "format"),
    [
        (b"{\\rtf1 text}", "", "rtf"),
        (b"plain words", "notes.TXT", "txt"),
        (b"a,b\n1,2", "table.csv", "csv"),
        (b"%PDF-1.7", "deck.pptx", "pdf"),
        (b"AT&TFORM\0\0\0\0DJVM", "", "djvu"),
    ],
)
def test_content_tells_the_format(tmp_path: Path, content: bytes, name: str, format: str) -> None:
    path = tmp_path / "document"
    path.write_bytes(content)
    assert formats.sniff(path, name) == format


@pytest.mark.parametrize("kind", ["pptx", "odp"])
def test_any_damage_is_damage(made: dict[str, Path], tmp_path: Path, kind: str) -> None:
    whole = made[kind].read_bytes()
    path = tmp_path / "document"
    chance = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ConversionError):
            assert formats.sniff(path) == kind


def test_a_password_is_not_told(client: Client, made: dict[str, Path]) -> None:
    # Half a character: it cannot be encoded, and an exception of that quotes all of it.
    listed = [{"path": "file1", "password": "hunter2\ud800"}]
    files = [
        ("pipeline", (None, json.dumps({"presentations": listed}), "text/json")),
        ("file1", ("file1", made["encrypted"].read_bytes())),
    ]
    status = client.wait_slides(client("POST", "/v3.0/slides/async/merge", files=files).text)
    assert "damaged" in status["error"]["message"]
    assert "hunter2" not in str(status)


def test_an_archive_is_not_a_document(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ConversionError, match="archive"):
        formats.sniff(path)
