"""What a Dag may give to the parameters of the operators, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import AirflowFailException, ObjectStoragePath
from airflow_provider_docconv.exceptions import InvalidOptions, OperationNotFound, SourceNotFound
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    MergePresentationsOperator,
    SplitPresentationOperator,
    StartConversionOperator,
)
from tests.support.hostile import Answer, Hostile
from tests.support.replies import own_error
from tests.support.tasks import Store, connect, context

PDF = b"%PDF-1.7 %%EOF"
NOTHING = [None, "", "None", 7]
STARTS = [StartConversionOperator, SplitPresentationOperator]


def refuse(operator: type, words: str, **values: Any) -> None:
    task = operator(**{"task_id": "t", "conn_id": "docs", **values})
    with Hostile(Answer(b"op-1")) as server, pytest.MonkeyPatch.context() as patch:
        connect(patch, server.url)
        with pytest.raises(InvalidOptions, match=words) as raised:
            task.execute(context(Store()))
        assert server.seen == []
    assert isinstance(raised.value, AirflowFailException)
    assert "connection 'docs'" in str(raised.value)


@pytest.mark.parametrize("given", NOTHING)
@pytest.mark.parametrize("operator", STARTS)
def test_a_source_that_is_no_address(operator: type, given: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("None").write_bytes(b"a document of that name")
    refuse(operator, "source is .*: expected a path or URI", source=given, target_format="pdf")


def test_a_source_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "pipe", "is a pipe or a device")):
        start = StartConversionOperator(task_id="t", source=f"file://{path}", target_format="pdf", conn_id="docs")
        with Hostile() as server:
            connect(monkeypatch, server.url)
            with pytest.raises(SourceNotFound, match=words):
                start.execute(context(Store()))
            assert server.seen == []


@pytest.mark.parametrize("given", NOTHING)
def test_a_destination_that_is_no_address(given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(DownloadResultOperator, "destination is .*: expected a path or URI", operation_id="op-1", destination=given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sources", [None, "", 7, [None], [{}], [{"source": ""}], {"slides": [1]}])
def test_sources_that_are_no_addresses(sources: Any) -> None:
    refuse(MergePresentationsOperator, r"sources\[0\].source is .*: expected a path or URI", sources=sources)


def test_one_source_is_no_merge(deck: str) -> None:
    for one in (deck, ObjectStoragePath(deck), {"source": deck}, [deck]):
        refuse(MergePresentationsOperator, "my deck.pptx: a merge needs at least two documents", sources=one)


@pytest.mark.parametrize("options", ["{'slides': 1}", ["slides"], 7])
def test_options_that_are_no_mapping(options: Any, deck: str, tmp_path: Path) -> None:
    for operator in STARTS:
        refuse(operator, "options must be a mapping", source=deck, target_format="pdf", options=options)
    refuse(MergePresentationsOperator, "options must be a mapping", sources=[deck, deck], options=options)
    values = {"source": deck, "target_format": "pdf", "destination": f"file://{tmp_path}/", "options": options}
    refuse(ConvertDocumentsOperator, "options must be a mapping", **values)


@pytest.mark.parametrize("operator", [*STARTS, MergePresentationsOperator])
def test_a_misspelt_policy_is_found_when_the_dag_is_parsed(operator: type) -> None:
    values = {"sources": []} if operator is MergePresentationsOperator else {"source": "a", "target_format": "pdf"}
    with pytest.raises(ValueError, match="on_lost_reply must be 'fail' or 'start_again', not 'Fail'"):
        operator(task_id="t", conn_id="docs", on_lost_reply="Fail", **values)


@pytest.mark.parametrize("path", ["../deck.pptx", "in/./deck.pptx", "in/%2e%2e/deck.pptx", ".."])
def test_a_remote_path_that_leads_out_of_a_folder(path: str, tmp_path: Path) -> None:
    uri, words = f"aspose-slides://My Store/{path}", "unsupported path .* in the vendor's storage"
    refuse(StartConversionOperator, words, source=uri, target_format="pdf")
    refuse(DownloadResultOperator, words, operation_id="op-1", remote_result=uri, destination=f"file://{tmp_path}/")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (ObjectStoragePath("file:///in/my deck.pptx"), "my deck.pdf"),
        ("aspose-slides://My%20Store/in/my%20deck%20100%25.pptx", "my deck 100%.pdf"),
        ("s3://bucket/my%20deck #1?.pptx", "my%20deck #1?.pdf"),
    ],
)
def test_a_result_is_named_after_its_source(
    source: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ObjectStoragePath(f"file://{tmp_path}")
    values = {"task_id": "t", "operation_id": "op-1", "conn_id": "docs", "source": source}
    with Hostile(Answer(PDF), Answer(own_error("aspose_slides", 404), 404)) as server:
        connect(monkeypatch, server.url)
        [result] = DownloadResultOperator(destination=f"{folder}/", **values).execute(context())
        with pytest.raises(OperationNotFound) as raised:
            DownloadResultOperator(destination=folder / "x.pdf", **values).execute(context())
    assert result["uri"] == f"file://{tmp_path}/{name}"
    assert str(raised.value).startswith(f"{source}: ")
