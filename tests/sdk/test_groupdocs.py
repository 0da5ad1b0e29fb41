"""GroupDocs' own SDK, unchanged, against the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docconv_sandbox import Sandbox
from tests.sdk.waiting import SCAN, ended, pages

groupdocs = pytest.importorskip(
    "groupdocs_conversion_cloud", reason="groupdocs-conversion-cloud is not installed: uv sync --group test"
)


def configuration(sandbox: Sandbox, secret: str = "my-secret") -> Any:
    found = groupdocs.Configuration("my-client", secret)
    found.api_base_url = sandbox.url
    return found


# This SDK never renews a token, and other tests here make tokens expire: each test gets its own.
@pytest.fixture
def api(sandbox: Sandbox) -> Any:
    return groupdocs.AsyncApi.from_config(configuration(sandbox))


@pytest.fixture
def files(sandbox: Sandbox) -> Any:
    return groupdocs.FileApi.from_config(configuration(sandbox))


def finished(api: Any, id: str) -> Any:
    return ended(lambda: api.get_operation_status(groupdocs.GetOperationStatusRequest(id)))


def test_convert(api: Any, letter: Path) -> None:
    id = api.start_convert(groupdocs.StartConvertRequest("pdf", str(letter)))
    operation = finished(api, id)
    assert (operation.id, operation.method, operation.status) == (id, "Convert", "Finished")
    assert operation.error is None
    assert pages(api.get_operation_result(groupdocs.GetOperationResultRequest(id))) == 4


def test_convert_some_pages(api: Any, letter: Path) -> None:
    id = api.start_convert(groupdocs.StartConvertRequest("pdf", str(letter), 2, 3))
    assert finished(api, id).status == "Finished"
    assert pages(api.get_operation_result(groupdocs.GetOperationResultRequest(id))) == 3


def test_convert_djvu(api: Any) -> None:
    id = api.start_convert(groupdocs.StartConvertRequest("pdf", str(SCAN)))
    assert finished(api, id).status == "Finished"
    assert pages(api.get_operation_result(groupdocs.GetOperationResultRequest(id))) == 2


def test_convert_and_save(api: Any, files: Any, secret_deck: Path) -> None:
    files.upload_file(groupdocs.UploadFileRequest("sdk/in dir/secret.pptx", str(secret_deck), "MyStorage"))
    settings = groupdocs.ConvertSettings()
    settings.storage_name = "MyStorage"
    settings.file_path = "sdk/in dir/secret.pptx"
    settings.format = "pdf"
    settings.load_options = groupdocs.PresentationLoadOptions()
    settings.load_options.password = "pw"
    settings.convert_options = groupdocs.PdfConvertOptions()
    settings.convert_options.from_page = 2
    settings.convert_options.pages_count = 2
    settings.output_path = "sdk/converted"
    operation = finished(api, api.start_convert_and_save(groupdocs.StartConvertAndSaveRequest(settings)))
    assert (operation.method, operation.status, operation.error) == ("ConvertAndSave", "Finished", None)
    [stored] = operation.result
    assert (stored.name, stored.path) == ("secret.pdf", "sdk/converted/secret.pdf")
    downloaded = files.download_file(groupdocs.DownloadFileRequest(stored.path, "MyStorage"))
    assert Path(downloaded).stat().st_size == stored.size
    assert pages(downloaded) == 2


def test_a_missing_source(api: Any) -> None:
    settings = groupdocs.ConvertSettings()
    settings.file_path, settings.format, settings.output_path = "sdk/nothing.docx", "pdf", "sdk"
    operation = finished(api, api.start_convert_and_save(groupdocs.StartConvertAndSaveRequest(settings)))
    assert operation.status == "Failed"
    assert "The specified key does not exist" in operation.error


def test_an_unknown_operation(api: Any) -> None:
    with pytest.raises(groupdocs.ApiException) as caught:
        api.get_operation_status(groupdocs.GetOperationStatusRequest("00000000-0000-0000-0000-000000000000"))
    assert caught.value.message == "Operation not found"


def test_bad_credentials(sandbox: Sandbox) -> None:
    with pytest.raises(groupdocs.ApiException) as caught:
        groupdocs.AsyncApi.from_config(configuration(sandbox, "bad")).get_operation_status(
            groupdocs.GetOperationStatusRequest("x")
        )
    assert (caught.value.code, caught.value.message) == (400, "invalid_client")


def test_an_expired_token_is_not_renewed(sandbox: Sandbox, api: Any, letter: Path) -> None:
    id = api.start_convert(groupdocs.StartConvertRequest("pdf", str(letter)))
    sandbox.expire_tokens()
    with pytest.raises(groupdocs.ApiException):
        api.get_operation_status(groupdocs.GetOperationStatusRequest(id))
    other = groupdocs.AsyncApi.from_config(configuration(sandbox))
    assert finished(other, id).status == "Finished"


def test_storage(sandbox: Sandbox, files: Any, letter: Path) -> None:
    storage = groupdocs.StorageApi.from_config(configuration(sandbox))
    folders = groupdocs.FolderApi.from_config(configuration(sandbox))
    uploaded = files.upload_file(groupdocs.UploadFileRequest("sdk/files/four pages.docx", str(letter)))
    assert uploaded.uploaded == ["four pages.docx"]
    assert storage.object_exists(groupdocs.ObjectExistsRequest("sdk/files/four pages.docx")).exists
    files.copy_file(groupdocs.CopyFileRequest("sdk/files/four pages.docx", "sdk/files/copy.docx"))
    files.move_file(groupdocs.MoveFileRequest("sdk/files/copy.docx", "sdk/files/moved.docx"))
    files.delete_file(groupdocs.DeleteFileRequest("sdk/files/four pages.docx"))
    [file] = folders.get_files_list(groupdocs.GetFilesListRequest("sdk/files")).value
    assert (file.name, file.size) == ("moved.docx", letter.stat().st_size)
    folders.create_folder(groupdocs.CreateFolderRequest("sdk/files/empty"))
    folders.delete_folder(groupdocs.DeleteFolderRequest("sdk/files", recursive=True))
    assert not storage.object_exists(groupdocs.ObjectExistsRequest("sdk/files")).exists
    assert storage.storage_exists(groupdocs.StorageExistsRequest("MyStorage")).exists
    assert storage.get_disc_usage(groupdocs.GetDiscUsageRequest()).total_size > 0


def test_formats(sandbox: Sandbox) -> None:
    info = groupdocs.InfoApi.from_config(configuration(sandbox))
    listed = info.get_supported_conversion_types(groupdocs.GetSupportedConversionTypesRequest())
    formats = {entry.source_format: entry.target_formats for entry in listed}
    assert "pdf" in formats["docx"]
    assert "pdf" in formats["djvu"]
