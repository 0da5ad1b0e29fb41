"""A ZIP of pages becomes its files: all of them or none, whatever the archive tries."""

from __future__ import annotations

import hashlib
import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowFailException
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.transfer import unpacking
from docconv_sandbox import Sandbox
from tests.support.hostile import Answer, Hostile
from tests.support.places import Place
from tests.support.tasks import Store, connect, context, wait

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20 + b"IEND\xaeB`\x82"
PAGES = {f"slide {number}.png": PNG + bytes([number]) for number in (1, 2, 3)}


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, **changes: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = method
            for key, value in changes.items():
                setattr(member, key, value)
            archive.writestr(member, content)
    return file.getvalue()


def download(destination: str, **values: Any) -> Any:
    given = {"task_id": "t", "operation_id": "op-1", "conn_id": "docs", "destination": destination, **values}
    given.setdefault("source", "s3://b/in/deck.pptx")
    return DownloadResultOperator(**given, unpack=True).execute(context())


@pytest.fixture
def unpacked(place: Place, monkeypatch: pytest.MonkeyPatch) -> Any:
    def unpack(*contents: bytes, **values: Any) -> Any:
        with Hostile(*map(Answer, contents)) as server:
            connect(monkeypatch, server.url)
            return download(f"{place.uri}/pages/", **values)

    return unpack


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_each_page_is_a_file(method: int, unpacked: Any, place: Place) -> None:
    results = unpacked(packed({**PAGES, "more/Übersicht.png": PNG, "empty/": b""}, method))
    assert place.files() == {
        **{f"pages/deck/{name}": page for name, page in PAGES.items()},
        "pages/deck/more/Übersicht.png": PNG,
    }
    assert results[:3] == [
        {"uri": f"{place.uri}/pages/deck/{name}", "size": len(page), "sha256": hashlib.sha256(page).hexdigest()}
        for name, page in PAGES.items()
    ]


def test_the_pages_of_a_real_deck(deck: str, sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sandbox.url, login=sandbox.client_id, password=sandbox.client_secret)
    start = StartConversionOperator(task_id="s", source=deck, target_format="png", conn_id="docs")
    operation_id = wait({"operation_id": start.execute(context(Store())), "poke_interval": 0.1}, deferrable=False)
    results = download(f"{place.uri}/", operation_id=operation_id, source=deck)
    assert len(results) == 2
    assert {f"{place.uri}/{name}" for name in place.files()} == {result["uri"] for result in results}
    assert all(content.startswith(b"\x89PNG") for content in place.files().values())


@pytest.mark.parametrize(("content", "name"), [(b"%PDF-1.7 %%EOF", "deck.pdf"), (PNG, "deck.png")])
def test_what_is_no_archive_is_stored_as_it_is(content: bytes, name: str, unpacked: Any, place: Place) -> None:
    unpacked(content, source="s3://b/deck.pptx")
    assert place.files() == {f"pages/{name}": content}


def test_an_office_document_is_not_unpacked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed({"[Content_Types].xml": b"<x/>"})
    with Hostile(Answer(content, headers={"Content-Disposition": 'attachment; filename="a.pptx"'})) as server:
        connect(monkeypatch, server.url)
        download(f"{place.uri}/", source=None)
    assert set(place.files()) == {"op-1.pptx"}


def test_an_office_document_without_a_name_is_not_unpacked(deck_bytes: bytes, unpacked: Any, place: Place) -> None:
    unpacked(deck_bytes, source="s3://b/deck.odp")
    assert place.files() == {"pages/deck.pptx": deck_bytes}


def test_several_archives_do_not_mix(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"method": "ConvertAndSave", "status": "Finished", "result": [{"path": "a"}, {"path": "b"}]}
    with Hostile(Answer(listed), Answer(packed({"1.png": PNG})), Answer(packed({"1.png": PNG + b"b"}))) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        download(f"{place.uri}/")
    assert place.files() == {"deck/1/1.png": PNG, "deck/2/1.png": PNG + b"b"}


@pytest.mark.parametrize(
    ("destination", "source", "pages"),
    [
        ("", "s3://b/in/q3.pptx", "q3/1.png"),
        ("out", "s3://b/in/q3.pptx", "out/q3/1.png"),
        ("out/", "s3://b/in/a.b.pptx", "out/a.b/1.png"),
        ("out/pages.zip", "s3://b/in/q3.pptx", "out/pages/1.png"),
        ("out/q3.png", None, "out/q3/1.png"),
        ("out/", None, "out/op-1/1.png"),
    ],
)
def test_the_pages_have_a_folder_of_their_own(
    destination: str, source: str | None, pages: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(packed({"1.png": PNG}))) as server:
        connect(monkeypatch, server.url)
        download(f"{place.uri}/{destination}", source=source)
    assert place.files() == {pages: PNG}


def damaged(archive: bytes) -> bytes:
    at = archive.index(b"\x89PNG") + 100
    return archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1 :]


def encrypted(archive: bytes) -> bytes:
    flags = archive.index(b"PK\x01\x02") + 8
    return archive[:flags] + b"\1" + archive[flags + 1 :]


def shifted(archive: bytes) -> bytes:
    """Have the directory's own place said to be later, which moves all files before the beginning."""
    at = archive.index(b"PK\x05\x06") + 16
    return archive[:at] + struct.pack("<I", struct.unpack_from("<I", archive, at)[0] + 5) + archive[at + 4 :]


def zip64(entries: int, size: int) -> bytes:
    """Make an archive whose directory says that it has so many entries and bytes."""
    body = packed({"1.png": PNG})
    end = body.index(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return body[:end] + bytes(size - end if size < 1 << 26 else 0) + record + locator + body[end:]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "parent": (packed({"1.png": PNG, "../2.png": PNG}), "unsafe file name"),
    "inner parent": (packed({"a/../../2.png": PNG}), "unsafe file name"),
    "absolute": (packed({"/etc/2.png": PNG}), "unsafe file name"),
    "backslash": (packed({"..\\2.png": PNG}), "unsafe file name"),
    "zero": (packed({"2.pngX.exe": PNG}).replace(b"2.pngX", b"2.png\0"), "unsafe file name"),
    "line break": (packed({"1\n2.png": PNG}), "unsafe file name"),
    "direction": (packed({"\u202egnp.2": PNG}), "unsafe file name"),
    "hidden": (packed({"1.png": PNG, ".2.png": PNG}), "hidden or reserved file name '.2.png'"),
    "hidden folder": (packed({".ssh/authorized_keys.png": PNG}), "hidden or reserved"),
    "our record": (packed({"1.png": PNG, ".docconv/record/evil.png": PNG}), "hidden or reserved"),
    "device name": (packed({"NUL.png": PNG}), "hidden or reserved"),
    "device as a folder": (packed({"con/1.png": PNG}), "hidden or reserved"),
    "device with a number": (packed({"a/Lpt¹ .png": PNG}), "hidden or reserved"),
    "stream": (packed({"a:b.png": PNG}), "hidden or reserved"),
    "end": (packed({"x.png.": PNG}), "hidden or reserved"),
    "wildcard": (packed({"x?.png": PNG}), "hidden or reserved"),
    "long": (packed({"x" * 300: PNG}), "unsafe file name"),
    "nothing": (packed({"a//2.png": PNG}), "unsafe file name"),
    "case": (packed({"Slide.png": PNG, "slide.PNG": PNG}), "'Slide.png' and 'slide.PNG'"),
    "accents": (packed({"\u00e9.png": PNG, "e\u0301.png": PNG}), "two files of one name"),
    "twice": (packed({"1.png": PNG, "2.png": PNG}).replace(b"2.png", b"1.png"), "'1.png' and '1.png'"),
    "file and folder": (packed({"a": b"text", "A/1.png": PNG}), "'a' both as a file and as a folder"),
    "link": (packed({"1.png": PNG}, external_attr=0o120777 << 16), "not a regular file"),
    "device": (packed({"1.png": PNG}, external_attr=0o020666 << 16), "not a regular file"),
    "encrypted": (encrypted(packed({"1.png": PNG})), "encrypted"),
    "lzma": (packed({"1.png": PNG}, zipfile.ZIP_LZMA), "unsupported compression"),
    "bzip2": (packed({"1.png": PNG}, zipfile.ZIP_BZIP2), "unsupported compression"),
    "bomb": (packed({"1.txt": bytes(150 << 20)}), "would grow from"),
    "only folders": (packed({"a/": b""}), "is empty"),
    "another kind": (packed({"1.png": PNG, "2.png": b"<html>Sign in"}), "is not a .png file .it is an HTML page"),
    "damaged": (damaged(packed(PAGES, zipfile.ZIP_STORED)), "is damaged .Bad CRC-32"),
    "lying directory": (zip64(1, 1 << 40), "is damaged"),
    "before the beginning": (shifted(packed({"1.png": PNG})), "is damaged .a file begins before the archive does"),
    "no name": (packed({"1": PNG}).replace(b"1", b"\0"), "unsafe file name"),
    "no directory": (b"PK\x03\x04" + PNG + b"PK\x05\x06" + bytes(18), "is damaged|is empty"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_of_a_hostile_archive_nothing_appears(content: bytes, words: str, unpacked: Any, place: Place) -> None:
    with pytest.raises(exceptions.ResultRejected, match=words) as raised:
        unpacked(content)
    assert isinstance(raised.value, AirflowFailException)
    assert "with unpack=False the archive is delivered as it is" in str(raised.value)
    assert place.files() == {}


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_BYTES", 10_000), ("_MAX_DIRECTORY", 50)])
def test_the_limits(limit: str, value: int, unpacked: Any, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    with pytest.raises(exceptions.ResultRejected, match=r"too large"):
        unpacked(packed(PAGES))
    assert place.files() == {}


def test_what_was_cut_off_is_fetched_again(unpacked: Any, place: Place) -> None:
    whole = packed({"1.png": PNG})
    assert len(unpacked(whole[:-40], packed({"1.png": PNG[:-20]}), whole)) == 1
    assert place.files() == {"pages/deck/1.png": PNG}


def test_a_store_that_fails_midway_keeps_none(place: Place, unpacked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writing, count = unpacking.writing, 0

    @contextmanager
    def failing(path: Any) -> Iterator[Any]:
        nonlocal count
        count += 1
        with writing(path) as file:
            if count == 3:
                assert len(place.files()) >= 2
                raise PermissionError("no more")
            yield file

    monkeypatch.setattr(unpacking, "writing", failing)
    with pytest.raises(exceptions.DestinationUnwritable, match="no more"):
        unpacked(packed(PAGES))
    assert place.files() == {}


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_damage_is_found_or_does_no_harm(at: int, value: int) -> None:
    whole = bytearray(packed({"1.png": b"\x89PNG IEND\xaeB`\x82", "2.png": b"\x89PNG IEND\xaeB`\x82"}))
    whole[at % len(whole)] = value
    members: list[zipfile.ZipInfo] = []
    with tempfile.TemporaryFile() as file:
        file.write(whole)
        try:
            with unpacking._opened(file, "X") as archive:
                members = unpacking._members(archive, len(whole), "X")
                for member in members:
                    unpacking._checked(archive, member, "file:///x", "X")
        except (exceptions.ResultRejected, exceptions.TruncatedResult):
            return
    assert all(".." not in member.filename and not member.filename.startswith("/") for member in members)
