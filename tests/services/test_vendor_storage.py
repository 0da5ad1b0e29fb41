"""The vendors' storages: paths, failed uploads, and what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import (
    DocConvError,
    DocumentRejected,
    InvalidOptions,
    ResultNotFound,
    UnexpectedReply,
)
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import document, play, reply, requests_of

SLIDES, GROUPDOCS, OCR = (
    create_service(SERVICES[name]) for name in ("aspose_slides", "groupdocs_conversion", "aspose_ocr")
)
STORES = [SLIDES.remote_storage(), GROUPDOCS.remote_storage()]
FILE = RemoteDocument("in/my déck.pptx", "S 1")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"uploaded": [], "errors": [{"message": "No space."}]}, DocumentRejected, "No space"),
        ({"uploaded": ["a"], "errors": [{"message": "Half of it."}]}, DocumentRejected, "Half of it"),
        ({"Uploaded": [], "Errors": [{"Message": "Full."}]}, DocumentRejected, "Full"),
        ({}, DocumentRejected, "did not accept"),
        ([], UnexpectedReply, "instead of JSON"),
    ],
)
@pytest.mark.parametrize("store", STORES, ids=["slides", "groupdocs"])
def test_an_upload_that_failed_with_http_200(store: Any, answer: Any, kind: type[DocConvError], words: str) -> None:
    flow = store.upload(document(), FILE, "file")
    next(flow)
    with pytest.raises(kind, match=words):
        flow.send(reply(answer))


def test_an_upload_returns_where_it_lies() -> None:
    (request,), lies = play(STORES[0].upload(document(), FILE, "file"), reply({"Uploaded": ["x"], "Errors": []}))
    assert lies == FILE
    assert (request.method, request.repeatable, dict(request.query)) == ("PUT", True, {"storageName": "S 1"})


@pytest.mark.parametrize(
    ("store", "path"), [(STORES[0], "in/my%20d%C3%A9ck.pptx"), (STORES[1], "in%2Fmy%20d%C3%A9ck.pptx")]
)
def test_paths_are_encoded_as_the_sdks_do(store: Any, path: str) -> None:
    assert requests_of(store.delete_file(FILE))[0].path.endswith(f"/storage/file/{path}")
    assert requests_of(store.delete_folder(FILE))[0].path.endswith(f"/storage/folder/{path}")
    assert requests_of(store.exists(FILE))[0].path.endswith(f"/storage/exist/{path}")


@pytest.mark.parametrize("path", ["a/../b", "..", "./x"])
def test_a_path_never_leaves_its_storage(path: str) -> None:
    with pytest.raises(UnexpectedReply):
        next(STORES[0].delete_file(RemoteDocument(path)))


@pytest.mark.parametrize("store", STORES, ids=["slides", "groupdocs"])
def test_what_is_not_there_is_deleted_already(store: Any) -> None:
    play(store.delete_file(FILE), reply({"error": {"message": "no such key"}}, 404))
    play(store.delete_folder(FILE), reply(b"", 200))
    flow = store.delete_file(FILE)
    next(flow)
    with pytest.raises(UnexpectedReply, match="HTTP 403"):
        flow.send(reply(b"", 403))


def test_a_proxys_page_does_not_say_that_something_is_gone() -> None:
    for flow in (STORES[0].delete_file(FILE), STORES[0].find(RemoteDocument("out/")), OCR.cancel("op-1")):
        with pytest.raises(DocConvError) as raised:
            play(flow, reply(b"<html><title>No such site</title></html>", 404))
        assert not isinstance(raised.value, ResultNotFound)


@pytest.mark.parametrize(
    ("answer", "exists"), [({"exists": True}, True), ({"Exists": True}, True), ({"exists": False}, False), ({}, False)]
)
def test_whether_something_is_stored(answer: Any, exists: bool) -> None:
    assert play(STORES[0].exists(FILE), reply(answer))[1] is exists


def test_ocr_has_no_storage() -> None:
    with pytest.raises(InvalidOptions, match=r"Aspose\.OCR Cloud has no storage"):
        OCR.remote_storage()


def test_the_size_of_a_large_result_is_believed() -> None:
    size = 5 << 30
    files = [{"name": "a.pdf", "path": "out/a.pdf", "size": size}]
    [saved] = play(GROUPDOCS.results("op-1"), reply({"method": "ConvertAndSave", "result": files}))[1]
    [listed] = play(STORES[0].find(RemoteDocument("out/")), reply({"value": files}))[1]
    assert (saved.size, listed.size) == (size, size)


def test_results_of_groupdocs_say_where_they_are_stored() -> None:
    value = {"method": "ConvertAndSave", "status": "Finished", "result": [{"path": "/out/a.pdf", "name": "a.pdf"}]}
    [file] = play(GROUPDOCS.results("op-1"), reply(value))[1]
    assert (file.remote, file.operation_id, file.name) == (RemoteDocument("out/a.pdf"), "op-1", "a.pdf")
    [file] = play(GROUPDOCS.results("op-1"), reply({"method": "Convert", "status": "Finished"}))[1]
    assert file.remote is None


def test_formats_by_source() -> None:
    listed = [
        {"sourceFormat": "DOCX", "targetFormats": ["Pdf", "html"]},
        {"SourceFormat": "djvu", "TargetFormats": ["pdf", 1]},
        {"sourceFormat": "odd"},
        "x",
    ]
    (request,), formats = play(GROUPDOCS.supported_formats("docx"), reply(listed))
    assert (request.path, dict(request.query)) == ("/v2.0/conversion/formats", {"format": "docx"})
    assert formats == {"docx": ["html", "pdf"], "djvu": ["pdf"]}
    with pytest.raises(UnexpectedReply, match="instead of JSON"):
        play(GROUPDOCS.supported_formats(), reply({}))
    for service, source in ((SLIDES, "pptx"), (OCR, "djvu")):  # These are not asked.
        requests, known = play(service.supported_formats())
        assert (requests, "pdf" in known[source]) == ([], True)
        assert play(service.supported_formats(source.upper()))[1] == {source: known[source]}
        assert play(service.supported_formats(None, RemoteDocument(f"in/a.{source}")))[1] == {source: known[source]}
        assert play(service.supported_formats("exe"))[1] == {}
