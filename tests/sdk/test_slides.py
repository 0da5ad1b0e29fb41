"""Aspose's own SDK for Slides, unchanged, against the sandbox."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from docconv_sandbox import Sandbox
from tests.sdk.waiting import PASSWORD, ended, pages

pytest.importorskip("asposeslidescloud", reason="asposeslidescloud is not installed: uv sync --group test")

from asposeslidescloud.apis.slides_api import SlidesApi
from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi
from asposeslidescloud.configuration import Configuration
from asposeslidescloud.models.image_export_options import ImageExportOptions
from asposeslidescloud.models.ordered_merge_request import OrderedMergeRequest
from asposeslidescloud.models.presentation_to_merge import PresentationToMerge
from asposeslidescloud.rest import ApiException


def configuration(sandbox: Sandbox, secret: str = "my-secret") -> Configuration:
    found = Configuration()
    found.base_url = found.auth_base_url = sandbox.url
    found.app_sid, found.app_key = "my-client", secret
    return found


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> SlidesAsyncApi:
    return SlidesAsyncApi(configuration(sandbox))


@pytest.fixture(scope="module")
def storage(sandbox: Sandbox) -> SlidesApi:
    return SlidesApi(configuration(sandbox))


def finished(api: SlidesAsyncApi, id: str) -> Any:
    return ended(lambda: api.get_operation_status(id))


def test_convert(api: SlidesAsyncApi, deck: Path) -> None:
    id = api.start_convert(deck.read_bytes(), "pdf")
    operation = finished(api, id)
    assert (operation.id, operation.method, operation.status) == (id, "Convert", "Finished")
    assert operation.progress.step_index == operation.progress.step_count == 4
    assert operation.error is None
    assert pages(api.get_operation_result(id)) == 4


def test_convert_with_everything(api: SlidesAsyncApi, secret_deck: Path) -> None:
    options = ImageExportOptions()
    options.width = 200
    with secret_deck.open("rb") as document:
        id = api.start_convert(document, "png", PASSWORD, "MyStore", "fonts", [2, 4], options)
    assert finished(api, id).status == "Finished"
    with zipfile.ZipFile(api.get_operation_result(id)) as archive:
        assert len(archive.namelist()) == 2


def test_convert_and_save(api: SlidesAsyncApi, deck: Path) -> None:
    id = api.start_convert_and_save(deck.read_bytes(), "pdf", "sdk/out/conv.pdf", storage="MyStore")
    assert finished(api, id).method == "ConvertAndSave"
    assert pages(api.download("sdk/out/conv.pdf", "MyStore")) == 4


def test_from_the_storage(api: SlidesAsyncApi, deck: Path) -> None:
    uploaded = api.upload("sdk/in dir/My Pres.pptx", deck.read_bytes())
    assert uploaded.uploaded == ["My Pres.pptx"]
    assert not uploaded.errors
    id = api.start_download_presentation("My Pres.pptx", "pdf", folder="sdk/in dir", slides=[1, 3])
    assert finished(api, id).method == "DownloadPresentation"
    assert pages(api.get_operation_result(id)) == 2
    id = api.start_save_presentation("My Pres.pptx", "tiff", "sdk/out/deck.tiff", folder="sdk/in dir")
    assert finished(api, id).method == "SavePresentation"
    assert Path(api.download("sdk/out/deck.tiff")).read_bytes().startswith(b"II*\0")


def slides_of(path: str) -> int:
    return len(Presentation(path).slides)


def test_merge(api: SlidesAsyncApi, deck: Path, secret_deck: Path) -> None:
    id = api.start_merge([deck.read_bytes(), deck.read_bytes()])
    operation = finished(api, id)
    assert (operation.method, operation.status) == ("Merge", "Finished")
    assert operation.progress.step_index == operation.progress.step_count == 2
    assert slides_of(api.get_operation_result(id)) == 8


def test_merge_and_save(api: SlidesAsyncApi, deck: Path, secret_deck: Path) -> None:
    api.upload("sdk/in dir/secret.pptx", secret_deck.read_bytes(), "MyStore")
    request, sent, stored = OrderedMergeRequest(), PresentationToMerge(), PresentationToMerge()
    sent.path, sent.slides = "file1", [4, 1]
    stored.path, stored.password, stored.source = "sdk/in dir/secret.pptx", PASSWORD, "Storage"
    request.presentations = [sent, stored]
    id = api.start_merge_and_save("sdk/out/merged.pptx", [deck.read_bytes()], request, "MyStore")
    assert finished(api, id).method == "MergeAndSave"
    assert slides_of(api.download("sdk/out/merged.pptx", "MyStore")) == 6


def test_split(api: SlidesAsyncApi, deck: Path) -> None:
    api.upload("sdk/in dir/My Pres.pptx", deck.read_bytes())
    id = api.start_split("My Pres.pptx", "png", width=200, _from=2, to=3, folder="sdk/in dir", dest_folder="sdk/slides")
    operation = finished(api, id)
    assert (operation.method, operation.status) == ("Split", "Finished")
    assert Path(api.download("sdk/slides/My Pres_2.png")).read_bytes().startswith(b"\x89PNG")


def test_upload_and_split(api: SlidesAsyncApi, deck: Path) -> None:
    id = api.start_upload_and_split(deck.read_bytes(), "pptx")
    operation = finished(api, id)
    assert (operation.method, operation.status) == ("UploadAndSplit", "Finished")
    assert operation.progress.step_index == operation.progress.step_count == 4
    with zipfile.ZipFile(api.get_operation_result(id)) as archive:
        assert len(archive.namelist()) == 4


def test_bad_operation(api: SlidesAsyncApi) -> None:
    operation = finished(api, api.start_download_presentation("IDoNotExist.pptx", "pdf"))
    assert operation.status == "Failed"
    assert operation.error.http_status_code == 404
    assert "The specified key does not exist" in operation.error.message


def test_a_wrong_password(api: SlidesAsyncApi, secret_deck: Path) -> None:
    operation = finished(api, api.start_convert(secret_deck.read_bytes(), "pdf", "wrong"))
    assert (operation.status, operation.error.message) == ("Failed", "Invalid password.")


def test_an_unknown_operation(api: SlidesAsyncApi) -> None:
    with pytest.raises(ApiException) as caught:
        api.get_operation_status("00000000-0000-0000-0000-000000000000")
    assert (caught.value.status, caught.value.body) == (404, "Operation does not exist")


def test_an_unknown_storage(api: SlidesAsyncApi, deck: Path) -> None:
    with pytest.raises(ApiException) as caught:
        api.start_convert(deck.read_bytes(), "pdf", storage="Nowhere")
    assert caught.value.status == 404
    assert "was not found or is not associated" in caught.value.body


def test_bad_credentials(sandbox: Sandbox) -> None:
    with pytest.raises(ApiException) as caught:
        SlidesAsyncApi(configuration(sandbox, "wrong")).get_operation_status("x")
    assert caught.value.status == 401


def test_an_expired_token_is_renewed(sandbox: Sandbox, deck: Path) -> None:
    api = SlidesAsyncApi(configuration(sandbox))
    id = api.start_convert(deck.read_bytes(), "pdf")
    logins = sandbox.stats()["logins_ok"]
    sandbox.expire_tokens()
    assert finished(api, id).status == "Finished"
    assert sandbox.stats()["logins_ok"] == logins + 1


def test_storage(storage: SlidesApi) -> None:
    storage.upload_file("sdk/files/a b.bin", b"abc")
    assert storage.object_exists("sdk/files/a b.bin").exists
    [file] = storage.get_files_list("sdk/files").value
    assert (file.name, file.size, file.is_folder) == ("a b.bin", 3, False)
    assert Path(storage.download_file("sdk/files/a b.bin")).read_bytes() == b"abc"
    storage.copy_file("sdk/files/a b.bin", "sdk/files/c.bin")
    storage.move_file("sdk/files/c.bin", "sdk/files/d.bin")
    storage.delete_file("sdk/files/a b.bin")
    storage.create_folder("sdk/files/empty")
    assert {entry.name for entry in storage.get_files_list("sdk/files").value} == {"d.bin", "empty"}
    with pytest.raises(ApiException) as caught:
        storage.delete_folder("sdk/files")
    assert caught.value.status == 409
    storage.delete_folder("sdk/files", recursive=True)
    assert not storage.object_exists("sdk/files").exists
    assert storage.storage_exists("MyStore").exists
    assert not storage.storage_exists("Nowhere").exists
    assert storage.get_disc_usage().total_size > 0
