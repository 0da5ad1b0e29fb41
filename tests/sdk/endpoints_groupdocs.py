"""GroupDocs.Conversion Cloud: each endpoint, called by its SDK and by this package."""

from __future__ import annotations

from pathlib import Path

import groupdocs_conversion_cloud as groupdocs

from airflow_provider_docconv.services.documents import Document, RemoteDocument
from tests.sdk.endpoint_calls import DECK, ID, LETTER, Cases, document, fetch_result, fetch_stored, filled, run, stored


class GroupDocsApis:
    def __init__(self, url: str, folder: Path) -> None:
        configuration = groupdocs.Configuration("my-client", "my-secret")
        configuration.api_base_url = url
        self.jobs = groupdocs.AsyncApi.from_config(configuration)
        self.files = groupdocs.FileApi.from_config(configuration)
        self.folders = groupdocs.FolderApi.from_config(configuration)
        self.storage = groupdocs.StorageApi.from_config(configuration)
        self.info = groupdocs.InfoApi.from_config(configuration)
        path = folder / "four pages.docx"
        path.write_bytes(DECK)
        self.document = str(path)


def letter() -> Document:
    return document(DECK, "four pages.docx")


def all_settings() -> groupdocs.ConvertSettings:
    return filled(
        groupdocs.ConvertSettings(),
        storage_name="MyStorage",
        file_path="in dir/letter.docx",
        format="pdf",
        load_options=filled(groupdocs.WordProcessingLoadOptions(), password="pw", page_numbering=True),
        convert_options=filled(groupdocs.PdfConvertOptions(), from_page=2, pages_count=3, dpi=300, page_size="A4"),
        output_path="converted",
        fonts_path="fonts",
    )


ALL_SETTINGS = {
    "password": "pw",
    "loadOptions": {"pageNumbering": "true"},
    "convertOptions": {"Dpi": 300, "PageSize": "A4"},
    "fromPage": 2,
    "pagesCount": "3",
    "outputPath": "converted",
    "fontsPath": "fonts",
}

GROUPDOCS: Cases = {
    "PUT /v2.0/conversion/async": [
        (
            lambda api: api.jobs.start_convert(groupdocs.StartConvertRequest("pdf", api.document)),
            run("start", letter(), "pdf", {}),
        ),
        (
            lambda api: api.jobs.start_convert(groupdocs.StartConvertRequest("pdf", api.document, 2, 3)),
            run("start", letter(), "pdf", {"fromPage": 2, "pagesCount": 3}),
        ),
    ],
    "POST /v2.0/conversion/async": [
        (
            lambda api: api.jobs.start_convert_and_save(groupdocs.StartConvertAndSaveRequest(all_settings())),
            run("start", LETTER, "pdf", ALL_SETTINGS),
        )
    ],
    "GET /v2.0/conversion/async": [
        (lambda api: api.jobs.get_operation_status(groupdocs.GetOperationStatusRequest(ID)), run("status", ID))
    ],
    "GET /v2.0/conversion/async/result": [
        (lambda api: api.jobs.get_operation_result(groupdocs.GetOperationResultRequest(ID)), fetch_result)
    ],
    "GET /v2.0/conversion/formats": [
        (
            lambda api: api.info.get_supported_conversion_types(groupdocs.GetSupportedConversionTypesRequest()),
            run("supported_formats"),
        ),
        (
            lambda api: api.info.get_supported_conversion_types(
                groupdocs.GetSupportedConversionTypesRequest("in dir/letter.docx", "MyStorage")
            ),
            run("supported_formats", None, LETTER),
        ),
    ],
    "PUT /v2.0/conversion/storage/file/{path}": [
        (
            lambda api: api.files.upload_file(
                groupdocs.UploadFileRequest("in dir/letter.docx", api.document, "MyStorage")
            ),
            stored("upload", letter(), LETTER, "four pages.docx"),
        )
    ],
    "GET /v2.0/conversion/storage/file/{path}": [
        (
            lambda api: api.files.download_file(groupdocs.DownloadFileRequest("in dir/letter.docx", "MyStorage")),
            fetch_stored(LETTER),
        )
    ],
    "DELETE /v2.0/conversion/storage/file/{path}": [
        (
            lambda api: api.files.delete_file(groupdocs.DeleteFileRequest("in dir/letter.docx", "MyStorage")),
            stored("delete_file", LETTER),
        )
    ],
    "DELETE /v2.0/conversion/storage/folder/{path}": [
        (
            lambda api: api.folders.delete_folder(groupdocs.DeleteFolderRequest("in dir/old", "MyStorage", True)),
            stored("delete_folder", RemoteDocument("in dir/old", "MyStorage")),
        )
    ],
    "GET /v2.0/conversion/storage/folder/{path}": [
        (
            lambda api: api.folders.get_files_list(groupdocs.GetFilesListRequest("in dir/old", "MyStorage")),
            stored("find", RemoteDocument("in dir/old/", "MyStorage")),
        )
    ],
    "GET /v2.0/conversion/storage/exist/{path}": [
        (
            lambda api: api.storage.object_exists(groupdocs.ObjectExistsRequest("in dir/letter.docx", "MyStorage")),
            stored("exists", LETTER),
        )
    ],
}
