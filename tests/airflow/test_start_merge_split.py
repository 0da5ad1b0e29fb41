"""Merges and splits as tasks: start, wait and download, on the same records as conversions."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msoffcrypto
import pytest
from pptx import Presentation

from airflow_provider_docconv.compat import AirflowFailException
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    MergePresentationsOperator,
    SplitPresentationOperator,
)
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import InvalidOptions, SourceNotFound, StartReplyLost
from docconv_sandbox import Sandbox
from tests.support.hostile import Answer, Hostile
from tests.support.tasks import SECRET, Store, connect, context, wait

PASSWORD = "the password of the deck"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(
        engine="wheels", client_id="my-client", client_secret=SECRET, storages=("Main", "My Store")
    ) as running:
        connect(monkeypatch, running.url)
        yield running


@pytest.fixture
def secret_deck(deck_bytes: bytes, tmp_path: Path) -> str:
    path = tmp_path / "secret.pptx"
    with path.open("wb") as target:
        msoffcrypto.OfficeFile(io.BytesIO(deck_bytes)).encrypt(PASSWORD, target)
    return f"file://{path}"


def merging(*sources: Any, **values: Any) -> MergePresentationsOperator:
    return MergePresentationsOperator(**{"task_id": "t", "sources": list(sources), "conn_id": "docs", **values})


def splitting(source: str, **values: Any) -> SplitPresentationOperator:
    return SplitPresentationOperator(
        **{"task_id": "t", "source": source, "target_format": "png", "conn_id": "docs", **values}
    )


def upload(path: str, content: bytes, storage: str | None = None) -> None:
    document = Document(path.rpartition("/")[2], lambda: io.BytesIO(content), len(content))
    DocConvHook.for_connection("docs").upload(document, path, storage)


def download(operation_id: str, destination: str) -> list[Path]:
    done = wait({"operation_id": operation_id}, deferrable=False)
    results = DownloadResultOperator(task_id="t", conn_id="docs", operation_id=done, destination=destination).execute(
        context()
    )
    return [Path(result["uri"].removeprefix("file://")) for result in results]


def test_a_merge_is_started_waited_for_and_downloaded(
    service: Sandbox, deck: str, secret_deck: str, deck_bytes: bytes, tmp_path: Path
) -> None:
    upload("in dir/stored.pptx", deck_bytes, "My Store")
    sources = [
        {"source": deck, "slides": "2, 1"},
        {"source": secret_deck, "password": PASSWORD},
        "aspose-slides://My%20Store/in%20dir/stored.pptx",
    ]
    operation_id = merging(*sources).execute(context(Store()))
    [merged] = download(operation_id, f"file://{tmp_path}/merged.pptx")
    titles = [slide.shapes.title.text for slide in Presentation(merged).slides]
    assert titles == ["Slide 2", "Slide 1", "Slide 1", "Slide 2", "Slide 1", "Slide 2"]


def test_a_split_is_started_waited_for_and_downloaded(service: Sandbox, deck: str, tmp_path: Path) -> None:
    operation_id = splitting(deck, options={"from": "2", "width": 200}).execute(context(Store()))
    [archive] = download(operation_id, f"file://{tmp_path}/slides.zip")
    assert zipfile.ZipFile(archive).namelist() == ["slide_2.png"]


def test_an_archive_of_decks_is_not_called_a_deck(service: Sandbox, deck: str, tmp_path: Path) -> None:
    operation_id = splitting(deck, target_format="pptx").execute(context(Store()))
    [archive] = download(operation_id, f"file://{tmp_path}/slides.pptx")
    assert archive.name == "slides.pptx.zip"
    assert zipfile.ZipFile(archive).namelist() == ["slide_1.pptx", "slide_2.pptx"]


def test_results_in_the_vendors_storage_are_fetched_and_deleted(service: Sandbox, deck: str, deck_bytes: bytes) -> None:
    hook = DocConvHook.for_connection("docs")
    merge = merging(deck, deck, options={"outPath": "out/all.pptx", "storage": "My Store"}).execute(context(Store()))
    split = splitting(deck, options={"destFolder": "out/slides", "storage": "My Store"}).execute(context(Store()))
    for operation_id in (merge, split):
        wait({"operation_id": operation_id}, deferrable=False)
    with hook.open_result(hook.get_remote_file("out/all.pptx", "My Store")) as (_, chunks):
        assert len(Presentation(io.BytesIO(b"".join(chunks))).slides) == 4
    assert hook.remote_exists("out/slides", "My Store")
    assert hook.remote_exists("/out/slides", "My Store")
    assert not hook.remote_exists("out/all.pptx")
    hook.delete_remote("out/all.pptx", "My Store")
    assert not hook.remote_exists("out/all.pptx", "My Store")
    hook.delete_remote("out/", "My Store")
    hook.delete_remote("out/", "My Store")
    assert not hook.remote_exists("out/slides", "My Store")
    with pytest.raises(InvalidOptions, match="is not a path"):
        hook.delete_remote("/", "My Store")


def test_the_formats_are_known_before_the_upload(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, service.url, "groupdocs_conversion")
    hook = DocConvHook.for_connection("docs")
    assert "pdf" in hook.get_supported_formats("docx")["docx"]
    assert hook.get_supported_formats("exe") == {}
    assert set(hook.get_supported_formats(path="in dir/letter.docx")) == {"docx"}


def test_a_retry_goes_on_with_the_merge_that_was_started(
    deck: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Answer(b"op-1"), Answer({"status": "Started"}), Answer({"status": "Started"}), Answer(b"op-2")]
    with Hostile(*answers) as server:
        connect(monkeypatch, server.url)
        store = Store()
        for password in ("one", "two"):
            source = {"source": deck, "password": password}
            assert merging(source, deck).execute(context(store)) == "op-1"
        assert "one" not in json.dumps(store.rows)
        merging(deck, deck).execute(context(store))
        merging({"source": deck, "slides": [1]}, deck).execute(context(store))
    assert [call.method for call in server.calls] == ["POST", "GET", "GET", "POST"]


@pytest.mark.parametrize(
    ("sources", "kind", "words"),
    [
        ([], InvalidOptions, "at least two documents"),
        (["file:///nowhere/a.pptx", "file:///nowhere/b.pptx"], SourceNotFound, "nowhere/a.pptx"),
        ([{"slides": [1]}], InvalidOptions, r"sources\[0\]\.source is None: expected a path or URI"),
        ([{"source": "file:///a", "slide": [1]}], InvalidOptions, r"no option 'sources\[0\]\.slide', only "),
        ([{"source": "file:///a", "slides": "all"}], InvalidOptions, r"sources\[0\]\.slides must be a list"),
        ([{"source": "file:///a", "slides": []}], InvalidOptions, r"sources\[0\]\.slides must be a list"),
        ([{"source": "file:///a", "slides": "0,1"}], InvalidOptions, r"sources\[0\]\.slides must be a list"),
    ],
)
def test_a_merge_that_cannot_be_sends_nothing(
    sources: list[Any], kind: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(b"op-1")) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(kind, match=words) as raised:
            merging(*sources).execute(context(Store()))
        assert isinstance(raised.value, AirflowFailException)
        assert not server.calls


def test_a_password_that_the_service_repeats_is_hidden(
    deck: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(Answer({"error": {"message": f"{PASSWORD} is wrong"}}, 400)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowFailException, match="is wrong") as raised:
            merging({"source": deck, "password": PASSWORD}, deck).execute(context(Store()))
    assert PASSWORD not in str(raised.value) + caplog.text


def test_a_lost_reply_to_a_split_is_not_repeated(deck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(b"", 500)) as server:
        connect(monkeypatch, server.url)
        store = Store()
        for _ in range(2):
            with pytest.raises(StartReplyLost):
                splitting(deck).execute(context(store))
        assert len(server.calls) == 1


@pytest.mark.parametrize(("service", "option"), [("aspose_slides", "outPath"), ("groupdocs_conversion", "outputPath")])
def test_a_batch_does_not_have_its_results_replace_each_other(
    service: str, option: str, deck: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(b"op-1")) as server:
        connect(monkeypatch, server.url, service)
        batch = ConvertDocumentsOperator(
            task_id="t",
            source=deck,
            target_format="pdf",
            conn_id="docs",
            destination=f"file://{tmp_path}/out/",
            options={option: "out/"},
        )
        with pytest.raises(InvalidOptions, match=f"{option} would make the results of a batch replace each other"):
            batch.execute(context(Store()))
        assert not server.calls
