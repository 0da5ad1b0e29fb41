"""Results at their destination: whole or not there at all, under a name that is safe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowException, AirflowFailException
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.transfer.delivery import Destination
from dev.stores import S3
from docconv_sandbox import Sandbox
from tests.support.documents import SCAN
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.places import Place
from tests.support.tasks import Store, connect, context, wait

PDF = b"%PDF-1.7 " + bytes(range(256)) * 8000 + b"%%EOF"
ZIP = b"PK\x03\x04" + PDF + b"PK\x05\x06" + bytes(18)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20 + b"IEND\xaeB`\x82"


def download(destination: str, **values: Any) -> Any:
    given = {"task_id": "t", "operation_id": "op-1", "conn_id": "docs", "destination": destination, **values}
    return DownloadResultOperator(**given).execute(context())


def stored(name: str) -> Answer:
    """Make the status of an operation that left files in the vendor's storage."""
    result = [{"name": name.format(number), "path": f"out/{number}"} for number in (1, 2)]
    return Answer({"method": "ConvertAndSave", "status": "Finished", "result": result})


@pytest.mark.parametrize("conn_type", ["aspose_slides", "groupdocs_conversion", "aspose_ocr"])
def test_from_a_document_to_its_result(
    conn_type: str, deck: str, sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"login": sandbox.client_id, "password": sandbox.client_secret}
    connect(monkeypatch, sandbox.url, conn_type, **account)
    source = SCAN.as_uri() if conn_type == "aspose_ocr" else deck
    start = StartConversionOperator(task_id="s", source=source, target_format="pdf", conn_id="docs")
    given = context(Store())
    operation_id = wait({"operation_id": start.execute(given), "poke_interval": 0.1}, deferrable=False)
    sent = given["ti"].xcoms["source_sha256"]
    [result] = download(f"{place.uri}/new/out.pdf", operation_id=operation_id, source_sha256=sent)
    [(name, content)] = place.files().items()
    assert name == "new/out.pdf"
    assert content.startswith(b"%PDF-")
    digest = hashlib.sha256(content).hexdigest()
    assert result == {
        "uri": f"{place.uri}/new/out.pdf",
        "size": len(content),
        "sha256": digest,
        "source_sha256": hashlib.sha256(Path(source.removeprefix("file://")).read_bytes()).hexdigest(),
    }


NAMES: list[tuple[str, str, dict[str, Any], bytes, str]] = [
    ("/out.pdf", "", {}, PDF, "out.pdf"),
    ("/out.pdf", 'attachment; filename="other.pdf"', {}, PDF, "out.pdf"),
    ("/", 'attachment; filename="theirs.pdf"', {}, PDF, "theirs.pdf"),
    ("/", 'attachment; filename="document.pdf"', {"source": "s3://b/my deck.pptx"}, PDF, "my deck.pdf"),
    ("/", "", {"source": "s3://b/my deck.pptx"}, PDF, "my deck.pdf"),
    ("/", "", {}, PDF, "result.pdf"),
    ("/", "", {}, PNG, "result.png"),
    ("/", "", {}, b"a text", "result"),
    ("/pages.png", "", {}, ZIP, "pages.png.zip"),
    ("/", 'attachment; filename="document.zip"', {"source": "a.pptx"}, ZIP, "a.zip"),
    ("/", 'attachment; filename="document.png"', {"source": "a.pptx"}, ZIP, "a.png.zip"),
    ("/deck.pptx", "", {}, ZIP, "deck.pptx"),
    ("/page.png", "", {}, PNG, "page.png"),
]


@pytest.mark.parametrize(("destination", "disposition", "values", "content", "name"), NAMES)
def test_names(
    destination: str,
    disposition: str,
    values: dict[str, Any],
    content: bytes,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Hostile(Answer(content, headers={"Content-Disposition": disposition})) as server:
        connect(monkeypatch, server.url)
        [result] = download(f"file://{tmp_path}/x{destination}", **values)
    assert [path.name for path in (tmp_path / "x").iterdir()] == [name]
    assert result["uri"] == f"file://{tmp_path}/x/{name}"


@pytest.mark.parametrize("name", ["deck.pptx", "page.png", "page.jpg", "scan.djvu", "out.pdf"])
def test_a_result_that_is_not_what_its_name_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(b"<html>Please log in</html>")) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.ResultRejected, match="it is an HTML page"):
            download(f"file://{tmp_path}/x/{name}")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["all.pdf", "all.png", "all.html", "all.docx", "all.odp", "all.txt", "all.jpeg"])
@pytest.mark.parametrize("unpack", [False, True])
def test_a_merge_is_not_stored_as_something_else(
    name: str, unpack: bool, place: Place, deck_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(deck_bytes)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.ResultRejected, match=r"it is a \.pptx file.*correct destination"):
            download(f"{place.uri}/{name}", unpack=unpack)
    assert not place.files()


@pytest.mark.parametrize("name", ["all.pptx", "all.ppsx", "all.potx", "all.zip"])
def test_a_merge_is_stored_as_what_it_is(
    name: str, place: Place, deck_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(deck_bytes)) as server:
        connect(monkeypatch, server.url)
        download(f"{place.uri}/{name}")
    assert place.files() == {name: deck_bytes}


@pytest.mark.parametrize("destination", ["out/rel/", "all.pdf", "./out/", "~/out", "file://out/all.pdf", "s3:/b/out/"])
def test_a_relative_destination_is_refused_before_anything_is_fetched(
    destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile() as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.InvalidOptions, match="is a relative path: expected an absolute path or a URI"):
            download(destination)
        assert not server.seen


@pytest.mark.parametrize("destination", ["s3://b/{stem}.pdf", "s3://b/{folder}", "s3://b/{{ ds }}/{name}.{format}"])
def test_a_download_has_no_fields(destination: str) -> None:
    with pytest.raises(ValueError, match="which only ConvertDocumentsOperator knows"):
        DownloadResultOperator(task_id="t", operation_id="op", conn_id="docs", destination=destination)


@pytest.mark.parametrize(
    ("destination", "values", "names"),
    [
        ("/out.pdf", {}, ["out.pdf-1.pdf", "out.pdf-2.pdf"]),
        ("/out", {}, ["out/page 1.pdf", "out/page 2.pdf"]),
        ("/", {}, ["page 1.pdf", "page 2.pdf"]),
        ("/", {"source": "s3://b/deck.pptx"}, ["page 1.pdf", "page 2.pdf"]),
    ],
)
def test_several_results(
    destination: str, values: dict[str, Any], names: list[str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(stored("page {}.pdf"), Answer(b"1" + PDF), Answer(b"2" + PDF)) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        results = download(place.uri + destination, **values)
    assert place.files() == {names[0]: b"1" + PDF, names[1]: b"2" + PDF}
    assert [result["uri"] for result in results] == [f"{place.uri}/{name}" for name in names]


@pytest.mark.parametrize(
    ("offered", "names"),
    [
        (["page.pdf", "page.pdf", "page.pdf"], ["page.pdf", "page.pdf-2.pdf", "page.pdf-3.pdf"]),
        (["page.pdf-3.pdf", "page.pdf", "page.pdf"], ["page.pdf-3.pdf", "page.pdf", "page.pdf-3.pdf-3.pdf"]),
        (["e\u0301.pdf", "\u00e9.pdf", "\u00c9.PDF"], ["e\u0301.pdf", "\u00e9.pdf-2.pdf", "\u00c9.PDF-3.pdf"]),
    ],
)
def test_results_of_one_name_do_not_replace_each_other(
    offered: list[str], names: list[str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = [{"name": name, "path": f"{number}/{name}"} for number, name in enumerate(offered)]
    listed = Answer({"method": "ConvertAndSave", "status": "Finished", "result": result})
    contents = [b"%PDF-1.7 " + bytes([number]) + b"%%EOF" for number in range(3)]
    with Hostile(listed, *map(Answer, contents)) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        results = download(f"{place.uri}/")
    assert [result["uri"] for result in results] == [f"{place.uri}/{name}" for name in names]
    assert place.files() == dict(zip(names, contents, strict=True))


def test_a_truncated_result_is_fetched_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = Answer(PDF[:-1], length=len(PDF))
    with Hostile(cut, cut, Answer(PDF)) as server:
        connect(monkeypatch, server.url)
        [result] = download(f"{place.uri}/out.pdf")
    assert place.files() == {"out.pdf": PDF}
    assert result["sha256"] == hashlib.sha256(PDF).hexdigest()


BROKEN = {
    "cut": (Answer(PDF[:-1], length=len(PDF)), exceptions.TruncatedResult, True),
    "cut early": (Answer(PDF[:50], length=len(PDF)), exceptions.TruncatedResult, True),
    "without an end": (Answer(PDF[:-5]), exceptions.TruncatedResult, True),
    "empty": (Answer(b""), exceptions.TruncatedResult, True),
    "gone": (Answer({"message": "Operation does not exist"}, 404), exceptions.OperationNotFound, False),
    "no pdf": (Answer(b"<html>Sign in</html>"), exceptions.ResultRejected, False),
    "unavailable": (Answer(b"", 503), exceptions.ServiceUnavailable, True),
}


@pytest.mark.parametrize(("answer", "kind", "retried"), BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("before", [None, b"the result of last night"])
def test_nothing_half_written_is_ever_seen(
    answer: Answer, kind: type, retried: bool, before: bytes | None, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, bytes]] = []
    if before:
        place.folder.joinpath("out.pdf").write_bytes(before)

    def watch(_: Seen) -> Answer:
        seen.append(place.files())
        return answer

    with Hostile(answer=watch) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(kind) as raised:
            download(f"{place.uri}/out.pdf", source="s3://b/deck.pptx")
    assert isinstance(raised.value, AirflowFailException) is not retried
    assert isinstance(raised.value, AirflowException)
    assert str(raised.value).startswith("s3://b/deck.pptx: ")
    assert seen
    assert all(files == place.files() == ({"out.pdf": before} if before else {}) for files in seen)


@pytest.mark.parametrize("size", [5000, 9 << 20, 20 << 20], ids=["one request", "two parts", "three parts"])
def test_what_goes_wrong_midway_leaves_nothing(size: int, place: Place) -> None:
    def chunks() -> Iterator[bytes]:
        for at in range(0, size, 1 << 20):
            yield b"%PDF-1.7".ljust(min(1 << 20, size - at), b"x")
            assert place.files() == {} or all(name.startswith(".") for name in place.files())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Destination(f"{place.uri}/out.pdf", "X", None).write(chunks(), None, None)
    assert place.files() == {}


@pytest.mark.parametrize("size", [9 << 20, 20 << 20], ids=["two parts", "three parts"])
def test_a_large_result_appears_whole(size: int, place: Place) -> None:
    def chunks() -> Iterator[bytes]:
        for at in range(0, size, 1 << 20):
            assert "out.pdf" not in place.files()
            yield b"%PDF-1.7".ljust(min(1 << 20, size - at) - 5, b"x") + b"%%EOF"

    [result] = Destination(f"{place.uri}/out.pdf", "X", None).write(chunks(), None, None)
    assert {name: len(content) for name, content in place.files().items()} == {"out.pdf": size}
    assert (result["size"], result["sha256"]) == (size, hashlib.sha256(place.files()["out.pdf"]).hexdigest())


UNSAFE = [
    "../x.pdf",
    "..",
    "a/b.pdf",
    "a\\b.pdf",
    "/etc/passwd",
    "%00.pdf",
    ". .",
    "%0A.pdf",
    "%E2%80%AEfdp.exe",
    "%E2%80%A8.pdf",
    "x" * 300,
]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_hostile_name_is_refused(name: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(PDF, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})) as server:
        connect(monkeypatch, server.url)
        for source in (None, "s3://b/deck.pptx"):
            with pytest.raises(exceptions.ResultRejected, match="unsafe file name") as raised:
                download(f"{place.uri}/sub/", source=source)
            assert isinstance(raised.value, AirflowFailException)
    assert place.files() == {}


NAMES_OF_PEOPLE = [
    "Screen Shot 9.41\u202fAM.pdf",
    "Angebot\u00a0Nr.\u00a07.pdf",
    "見積書\u3000最終.pdf",
    "می\u200cخواهم.pdf",
    "שלום\u200f.pdf",
    "e\u0301.pdf",
    ".hidden.pdf",
    "100% #1?.pdf",
    "x" * 251 + ".pdf",
]


@pytest.mark.parametrize("name", NAMES_OF_PEOPLE)
def test_a_name_that_people_give_is_kept(name: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    with Hostile(Answer(PDF, headers={"Content-Disposition": disposition})) as server:
        connect(monkeypatch, server.url)
        [result] = download(f"{place.uri}/")
    assert result["uri"] == f"{place.uri}/{name}"
    assert place.files() == {name: PDF}


@pytest.mark.parametrize(
    "destination",
    [
        "file:///proc/nowhere/out.pdf",
        "file:///dev/null/out.pdf",
        "nonsense://x/out.pdf",
        "s3://aws_default@no-bucket/o.pdf",
    ],
)
def test_an_unwritable_destination(destination: str, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(s3.connection))
    with Hostile(Answer(PDF)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DestinationUnwritable, match="can't be written") as raised:
            download(destination)
        assert len(server.calls) == 1
    assert isinstance(raised.value, AirflowFailException)
    assert destination in str(raised.value)


def test_a_folder_is_no_file_to_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("results.pdf").mkdir()
    with Hostile(Answer(PDF)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DestinationUnwritable, match="Is a directory"):
            download(f"file://{tmp_path}/results.pdf")
    assert not list(tmp_path.joinpath("results.pdf").iterdir())


@pytest.mark.parametrize("operation_id", ["", "a b", None, {"id": 1}])
def test_what_is_no_operation_id(operation_id: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile() as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.InvalidOptions, match="not an operation id") as raised:
            download(f"file://{tmp_path}/out.pdf", operation_id=operation_id)
        assert server.seen == []
    assert isinstance(raised.value, AirflowFailException)
