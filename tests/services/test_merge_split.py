"""Merges and splits: the requests beyond those that are compared with the SDK's, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.documents import PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions, StartReplyLost
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import body_of, document, play, reply, requests_of

SLIDES, GROUPDOCS, OCR = (
    partial(create_service, SERVICES[name]) for name in ("aspose_slides", "groupdocs_conversion", "aspose_ocr")
)
ONE, TWO = PresentationToMerge(document(b"one")), PresentationToMerge(document(b"two"))


def stored(path: str, storage: str | None = None) -> PresentationToMerge:
    return PresentationToMerge(RemoteDocument(path, storage))


def test_a_merge_sends_the_documents_in_order() -> None:
    (request,), started = play(SLIDES().start_merge([ONE, TWO], {}), reply(b"op-1", 201))
    assert (started, started.remote_source) == ("op-1", None)
    assert (request.method, request.path, dict(request.query)) == ("POST", "/v3.0/slides/async/merge", {})
    body = body_of(request)
    assert body.index(b'name="file1"; filename="file1"') < body.index(b"one") < body.index(b"two")
    assert b"pipeline" not in body
    assert request.body is not None
    assert request.body.length == len(b"".join(request.body.chunks()))


def test_a_password_of_a_merge_shows_nowhere() -> None:
    secret = PresentationToMerge(document(b"one"), password="s3cret")
    [request] = requests_of(SLIDES().start_merge([secret, TWO], {}))
    assert b"s3cret" in body_of(request)
    assert "s3cret" not in repr(secret) + repr(dict(request.headers)) + repr(dict(request.query))


@pytest.mark.parametrize(
    ("presentations", "options", "storage"),
    [
        ([ONE, TWO], {}, "Mine"),
        ([ONE, TWO], {"storage": "Other"}, "Other"),
        ([stored("a"), stored("b", "Mine")], {}, "Mine"),
        ([stored("a"), stored("b")], {"storage": "Other"}, "Other"),
        ([stored("a", "Third"), TWO], {}, "Third"),
    ],
)
def test_the_storage_of_a_merge(presentations: list[Any], options: dict[str, Any], storage: str) -> None:
    [request] = requests_of(SLIDES("Mine").start_merge(presentations, options))
    assert request.query == {"storage": storage}


@pytest.mark.parametrize(
    ("presentations", "options", "words"),
    [
        ([], {}, "at least two documents"),
        ([ONE], {}, "at least two documents"),
        ([stored("a", "S"), stored("b", "T")], {}, "different storages"),
        ([ONE, PresentationToMerge(TWO.document, (0,))], {}, "from 1"),
        ([ONE, TWO], {"outpath": "x"}, "no option 'outpath', only outPath, storage"),
    ],
)
def test_a_merge_that_cannot_be(presentations: list[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOptions, match=words):
        next(SLIDES().start_merge(presentations, options))


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("mpeg4", {}, "can't convert to 'mpeg4'"),
        ("", {}, "not a target format"),
        ("pdf", {"slides": [1]}, "no option 'slides', only "),
        ("pdf", {"from": "one"}, "from must be a whole number"),
        ("pdf", {"from": 0}, "from must be a whole number from 1, not 0"),
        ("pdf", {"from": 3, "to": 2}, "to must not be less than from, but 2 is less than 3"),
        ("png", {"width": -1}, "width must be a whole number from 1, not -1"),
        ("png", {"exportOptions": {"compliance": "PdfA2b"}}, "no option 'exportOptions.compliance'"),
    ],
)
def test_a_split_that_cannot_be(target: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOptions, match=words):
        next(SLIDES().start_split(document(), target, options))


def test_a_merge_or_split_whose_reply_is_lost_may_have_begun() -> None:
    for flow in (SLIDES().start_merge([ONE, TWO], {}), SLIDES().start_split(document(), "pdf", {})):
        assert not next(flow).repeatable
        with pytest.raises(StartReplyLost):
            flow.send(reply(b"", 500))


@pytest.mark.parametrize("service", [GROUPDOCS, OCR])
def test_only_slides_merges_and_splits(service: Any) -> None:
    for start in (
        lambda: service().start_merge([ONE, TWO], {}),
        lambda: service().start_split(document(), "pdf", {}),
    ):
        with pytest.raises(InvalidOptions, match=r"can't (merge|split) documents"):
            start()


@pytest.mark.parametrize(
    ("target", "kind"), [("pdf", "pdf"), ("PPSX", "pptx"), ("Jpeg", "image"), ("mpeg4", "mpeg4"), ("odp", None)]
)
def test_export_options_name_the_vendors_class_of_them(target: str, kind: str | None) -> None:
    source = RemoteDocument("a.pptx")
    options = {"exportOptions": {"DefaultRegularFont": "Inter"}}
    [request] = requests_of(SLIDES().start(source, target, options))
    wanted = {"format": kind, "defaultRegularFont": "Inter"}
    assert json.loads(body_of(request)) == {key: value for key, value in wanted.items() if value}
