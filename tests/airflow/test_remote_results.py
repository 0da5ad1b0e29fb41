"""Results that an operation has saved in the vendor's storage are fetched, left or deleted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import DAG
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    MergePresentationsOperator,
    SplitPresentationOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from docconv_sandbox import Sandbox
from tests.support.hostile import Answer, Hostile
from tests.support.tasks import SECRET, Store, connect, context, wait

SLIDES, GROUPDOCS = "aspose-slides://My%20Store", "groupdocs-conversion://My%20Store"


@pytest.fixture(scope="module")
def storing() -> Iterator[Sandbox]:
    with Sandbox(
        engine="wheels", client_id="my-client", client_secret=SECRET, storages=("Main", "My Store")
    ) as running:
        yield running


@pytest.fixture
def slides(storing: Sandbox, monkeypatch: pytest.MonkeyPatch) -> DocConvHook:
    connect(monkeypatch, storing.url)
    return DocConvHook.for_connection("docs")


@pytest.fixture
def groupdocs(storing: Sandbox, monkeypatch: pytest.MonkeyPatch) -> DocConvHook:
    connect(monkeypatch, storing.url, "groupdocs_conversion")
    return DocConvHook.for_connection("docs")


def started(operator: type = StartConversionOperator, **values: Any) -> tuple[str, dict[str, Any]]:
    """Start something, wait for it, and return its id and the XComs of the start."""
    given = context(Store())
    start = operator(**{"task_id": "s", "conn_id": "docs", **values})
    operation_id = wait({"operation_id": start.execute(given), "poke_interval": 0.1}, deferrable=False)
    return operation_id, given["ti"].own_xcoms


def folder_of(uploaded: str) -> str:
    return uploaded.removeprefix(f"{GROUPDOCS}/").rpartition("/")[0]


def download(operation_id: str, destination: str, **values: Any) -> list[Path]:
    given = {"task_id": "t", "conn_id": "docs", "operation_id": operation_id, "destination": destination, **values}
    results = DownloadResultOperator(**given).execute(context())
    return [Path(result["uri"].removeprefix("file://")) for result in results]


@pytest.mark.parametrize("cleanup", [True, False])
def test_a_saved_conversion_is_fetched(cleanup: bool, deck: str, slides: DocConvHook, tmp_path: Path) -> None:
    options = {"outPath": "out/my #1.pdf", "storage": "My Store"}
    operation_id, _ = started(source=deck, target_format="pdf", options=options)
    where = f"{SLIDES}/out/my%20%231.pdf"
    [file] = download(operation_id, f"file://{tmp_path}/got/", remote_result=where, cleanup=cleanup)
    assert file.name == "my #1.pdf"
    assert file.read_bytes().startswith(b"%PDF")
    assert slides.remote_exists("out/my #1.pdf", "My Store") is not cleanup


def test_the_zip_that_the_service_appends_is_found(deck: str, slides: DocConvHook, tmp_path: Path) -> None:
    operation_id, _ = started(source=deck, target_format="png", options={"outPath": "out/pages"})
    stored = {"remote_result": "aspose-slides:///out/pages", "cleanup": True}
    files = download(operation_id, f"file://{tmp_path}/got/", unpack=True, **stored)
    assert len(files) == 2
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert not slides.remote_exists("out/pages.zip")


def test_a_saved_merge_is_fetched(deck: str, slides: DocConvHook, tmp_path: Path) -> None:
    options = {"outPath": "out/all.pptx", "storage": "My Store"}
    operation_id, _ = started(MergePresentationsOperator, sources=[deck, deck], options=options)
    [file] = download(operation_id, f"file://{tmp_path}/got.pptx", remote_result=f"{SLIDES}/out/all.pptx")
    assert len(Presentation(file).slides) == 4


def test_all_files_of_a_saved_split_are_fetched_and_nothing_else_is_deleted(
    deck: str, slides: DocConvHook, tmp_path: Path
) -> None:
    options = {"destFolder": "out/slides", "storage": "My Store"}
    operation_id, _ = started(SplitPresentationOperator, source=deck, target_format="pptx", options=options)
    content = b"of somebody else"
    slides.upload(Document("x", lambda: io.BytesIO(content), len(content)), "out/slides/deeper/x", "My Store")
    folder = f"{SLIDES}/out/slides/"
    files = download(operation_id, f"file://{tmp_path}/got/", remote_result=folder, cleanup=True)
    assert len(files) == 2
    assert all(len(Presentation(file).slides) == 1 for file in files)
    assert not any(slides.remote_exists(f"out/slides/{file.name}", "My Store") for file in files)
    assert slides.remote_exists("out/slides/deeper/x", "My Store")
    with pytest.raises(exceptions.ResultNotFound, match=f"no files in 'out/slides/' .*My Store.*{operation_id}"):
        download(operation_id, f"file://{tmp_path}/got/", remote_result=folder)


@pytest.mark.parametrize("path", ["out/nothing.pdf", "out", "nothing/"])
def test_what_is_not_there_is_said(path: str, slides: DocConvHook, deck_bytes: bytes, tmp_path: Path) -> None:
    slides.upload(Document("x", lambda: io.BytesIO(deck_bytes), len(deck_bytes)), "out/x.pptx")
    with pytest.raises(exceptions.ResultNotFound, match=f"'{path}' in its default storage .*correct remote_result"):
        download("op-1", f"file://{tmp_path}/got/", remote_result=f"aspose-slides:///{path}")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "s3://bucket/a.pdf",
            "not an address in the storage of Aspose.Slides Cloud .*; expected aspose-slides://storage/path",
        ),
        (f"{GROUPDOCS}/a.pdf", "not an address in the storage of Aspose.Slides Cloud"),
        (SLIDES, "does not report where it has saved a result"),
        (f"{SLIDES}/", "does not report where it has saved a result"),
    ],
)
def test_an_address_of_something_else_is_refused(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Hostile() as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.InvalidOptions, match=words):
            download("op-1", f"file://{tmp_path}/got/", remote_result=address)
        assert not server.calls


def test_an_ocr_account_has_no_storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Hostile() as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        with pytest.raises(exceptions.InvalidOptions, match=r"Aspose\.OCR Cloud has no storage"):
            download("op-1", f"file://{tmp_path}/got/", remote_result="aspose-ocr:///a.pdf")
        assert not server.calls


@pytest.mark.parametrize("name", ["../../other/a.pdf", "..", "a\\b.pdf", 7])
def test_a_listing_never_leads_out_of_its_folder(name: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Hostile(answer=lambda seen: Answer({"value": [{"Name": name, "IsFolder": False}]})) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        with pytest.raises(exceptions.UnexpectedReply, match="leads out of its folder"):
            download("op-1", f"file://{tmp_path}/got/", remote_result=f"{GROUPDOCS}/out/", cleanup=True)
        assert [seen.method for seen in server.calls] == ["GET"]


def test_slides_are_numbered_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["s_1.pdf", "s_10.pdf", "s_2.pdf"]

    def answer(seen: Any) -> Answer:
        if "/storage/folder/" in seen.path:
            return Answer({"value": [{"name": name} for name in names]})
        return Answer(f"%PDF-1.7 {seen.path.rpartition('/')[2]} %%EOF".encode())

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        files = download("op-1", f"file://{tmp_path}/all.pdf", remote_result=f"{SLIDES}/out/")
    assert [file.name for file in files] == ["all.pdf-1.pdf", "all.pdf-2.pdf", "all.pdf-3.pdf"]
    assert [file.read_bytes().split()[1] for file in files] == [b"s_1.pdf", b"s_2.pdf", b"s_10.pdf"]


def test_an_upload_is_deleted_where_the_result_was_saved_elsewhere(
    deck: str, groupdocs: DocConvHook, tmp_path: Path
) -> None:
    options = {"outputPath": "converted/", "storageName": "My Store"}
    operation_id, xcoms = started(source=deck, target_format="pdf", options=options)
    uploaded = xcoms["remote_source"]
    assert uploaded.startswith(f"{GROUPDOCS}/docconv/")
    folder = folder_of(uploaded)
    assert groupdocs.remote_exists(folder, "My Store")
    where = {"remote_result": GROUPDOCS, "remote_source": uploaded, "cleanup": True}
    [file] = download(operation_id, f"file://{tmp_path}/got/", **where)
    assert file.name == "my deck.pdf"
    assert not groupdocs.remote_exists("converted/my deck.pdf", "My Store")
    assert not groupdocs.remote_exists(folder, "My Store")


def test_a_result_is_found_in_another_storage_than_the_connections(
    deck: str, groupdocs: DocConvHook, tmp_path: Path
) -> None:
    options = {"convertOptions": {"Dpi": 100}, "storageName": "My Store"}
    operation_id, xcoms = started(source=deck, target_format="pdf", options=options)
    with pytest.raises(exceptions.DocConvError):
        download(operation_id, f"file://{tmp_path}/got/")
    [file] = download(
        operation_id,
        f"file://{tmp_path}/got/",
        remote_result=GROUPDOCS,
        cleanup=True,
        remote_source=xcoms["remote_source"],
    )
    assert file.read_bytes().startswith(b"%PDF")
    assert not groupdocs.remote_exists(folder_of(xcoms["remote_source"]), "My Store")


@pytest.mark.parametrize("lies_there", [True, False])
def test_a_batch_finds_its_results_in_another_storage(
    lies_there: bool, deck: str, deck_bytes: bytes, groupdocs: DocConvHook, tmp_path: Path
) -> None:
    if lies_there:
        groupdocs.upload(Document("d", lambda: io.BytesIO(deck_bytes), len(deck_bytes)), "in/d.pptx", "My Store")
    batch = ConvertDocumentsOperator(
        task_id="t",
        source=f"{GROUPDOCS}/in/d.pptx" if lies_there else deck,
        target_format="pdf",
        conn_id="docs",
        options={} if lies_there else {"storageName": "My Store"},
        destination=f"file://{tmp_path}/got/",
        poke_interval=0.1,
        timeout=30,  # A result that is not found is looked for again.
    )
    batch.execute(context(Store()))
    [result] = (tmp_path / "got").glob("*.pdf")
    assert result.read_bytes().startswith(b"%PDF")


def test_a_page_of_one_document_does_not_replace_another_document(
    deck_bytes: bytes, groupdocs: DocConvHook, tmp_path: Path
) -> None:
    one_slide = Presentation()
    one_slide.slides.add_slide(one_slide.slide_layouts[0])
    for folder in ("in", "out"):
        tmp_path.joinpath(folder).mkdir()
    tmp_path.joinpath("in", "report.pptx").write_bytes(deck_bytes)
    one_slide.save(str(tmp_path / "in" / "report-1.pptx"))
    ConvertDocumentsOperator(
        task_id="t",
        source=f"file://{tmp_path}/in/",
        target_format="png",
        conn_id="docs",
        options={"convertOptions": {"UsePdf": True}},
        destination=f"file://{tmp_path}/out/",
        poke_interval=0.1,
    ).execute(context(Store()))
    names = sorted(path.name for path in tmp_path.joinpath("out").glob("*.png"))
    assert names == ["report-1.png", "report.png-1.png", "report.png-2.png"]


def test_what_is_made_of_a_stored_document_is_deleted_and_the_document_left(
    deck_bytes: bytes, groupdocs: DocConvHook, tmp_path: Path
) -> None:
    groupdocs.upload(Document("d", lambda: io.BytesIO(deck_bytes), len(deck_bytes)), "in/left.pptx")
    operation_id, xcoms = started(source="groupdocs-conversion:///in/left.pptx", target_format="pdf")
    [saved] = groupdocs.get_results(operation_id)
    [file] = download(operation_id, f"file://{tmp_path}/got/", cleanup=True)
    assert file.name == "left.pdf"
    assert saved.remote is not None
    assert not groupdocs.remote_exists(saved.remote.path)
    assert groupdocs.remote_exists("in/left.pptx")
    assert xcoms == {}


def test_a_storage_that_the_reply_names_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://api.groupdocs.cloud/v2.0/conversion/storage/file/out/a.pdf?storageName=Named"
    listed = {"method": "ConvertAndSave", "status": "Finished", "result": [{"url": url}]}
    with Hostile(answer=lambda seen: Answer(listed)) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        [file] = DocConvHook.for_connection("docs").get_results("op-1", RemoteDocument("", "Given"))
    assert file.remote == RemoteDocument("out/a.pdf", "Named")


def test_a_retry_knows_the_upload_of_the_try_before(monkeypatch: pytest.MonkeyPatch, deck: str) -> None:
    def answer(seen: Any) -> Answer:
        if seen.method == "POST":
            return Answer("op-1")
        return Answer({"uploaded": ["x"], "status": "Started", "method": "ConvertAndSave"})

    store, uploads = Store(), []
    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        for number in (1, 2):
            given = context(store, try_number=number)
            options = {"outputPath": "converted/"}
            StartConversionOperator(
                task_id="s", source=deck, target_format="pdf", conn_id="docs", options=options
            ).execute(given)
            uploads.append(given["ti"].xcoms["remote_source"])
        [put] = [seen for seen in server.calls if seen.method == "PUT"]
    assert uploads[0] == uploads[1]
    key = uploads[0].split("/docconv/")[1].partition("/")[0]
    assert f"docconv%2F{key}%2F" in put.path


def test_a_document_that_travels_with_the_start_is_no_upload(deck: str, groupdocs: DocConvHook) -> None:
    _, xcoms = started(source=deck, target_format="pdf", options={"fromPage": 1})
    assert set(xcoms) == {"source_sha256"}


def test_a_dag_names_the_upload_by_the_start_tasks_output() -> None:
    with DAG("d", schedule=None):
        start = StartConversionOperator(task_id="s", source="file:///a", target_format="pdf", conn_id="docs")
        fetch = DownloadResultOperator(
            task_id="f",
            conn_id="docs",
            destination="file:///out/",
            operation_id="op-1",
            remote_source=start.output["remote_source"],
        )
    assert fetch.upstream_task_ids == {"s"}
    assert (fetch.remote_source.operator, fetch.remote_source.key) == (start, "remote_source")
