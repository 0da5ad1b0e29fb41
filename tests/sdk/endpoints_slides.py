"""Aspose.Slides Cloud: each endpoint, called by its SDK and by this package."""

from __future__ import annotations

from pathlib import Path

from asposeslidescloud.apis.slides_api import SlidesApi
from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi
from asposeslidescloud.configuration import Configuration as SlidesConfiguration
from asposeslidescloud.models.image_export_options import ImageExportOptions
from asposeslidescloud.models.ordered_merge_request import OrderedMergeRequest
from asposeslidescloud.models.pdf_export_options import PdfExportOptions
from asposeslidescloud.models.presentation_to_merge import PresentationToMerge as SdkPresentation

from airflow_provider_docconv.services.documents import PresentationToMerge, RemoteDocument
from tests.sdk.endpoint_calls import (
    DECK,
    ID,
    OTHER,
    STORED,
    Cases,
    deck,
    fetch_result,
    fetch_stored,
    filled,
    run,
    stored,
)

PDF = {"jpegQuality": 90, "compliance": "PdfA2b", "drawSlidesFrame": True}


def sdk_pdf() -> PdfExportOptions:
    return filled(PdfExportOptions(), jpeg_quality=90, compliance="PdfA2b", draw_slides_frame=True)


def sdk_png() -> ImageExportOptions:
    return filled(ImageExportOptions(), width=640)


EVERYTHING = {"password": "pw", "storage": "MyStore", "fontsFolder": "my fonts", "slides": [2, 4]}
SDK_EVERYTHING = {"password": "pw", "storage": "MyStore", "fonts_folder": "my fonts"}
SPLIT = {"width": 640, "height": 480, "from": 2, "to": 3, "destFolder": "out/slides"}
SDK_SPLIT = {"width": 640, "height": 480, "_from": 2, "to": 3, "dest_folder": "out/slides"}
SPLIT_FONTS = {"password": "pw", "fontsFolder": "my fonts", "exportOptions": {"width": 640}}
SDK_SPLIT_FONTS = {"password": "pw", "fonts_folder": "my fonts"}


def ordered() -> OrderedMergeRequest:
    """A part that is sent along, some slides of it, and a stored document with a password."""
    return filled(
        OrderedMergeRequest(),
        presentations=[
            filled(SdkPresentation(), path="file1", slides=[2, 1], source="Request"),
            filled(SdkPresentation(), path="in/dir/My Pres.pptx", password="pw", source="Storage"),
            filled(SdkPresentation(), path="file2", source="Request"),
        ],
    )


def only_stored() -> OrderedMergeRequest:
    return filled(
        OrderedMergeRequest(),
        presentations=[
            filled(SdkPresentation(), path="a.pptx", source="Storage"),
            filled(SdkPresentation(), path="b.pptx", slides=[1], source="Storage"),
        ],
    )


TWO = [PresentationToMerge(deck()), PresentationToMerge(deck(OTHER))]
MIXED = [PresentationToMerge(deck(), (2, 1)), PresentationToMerge(STORED, (), "pw"), PresentationToMerge(deck(OTHER))]
BOTH_STORED = [
    PresentationToMerge(RemoteDocument("a.pptx", "MyStore")),
    PresentationToMerge(RemoteDocument("b.pptx", "MyStore"), (1,)),
]

SLIDES: Cases = {
    "POST /v3.0/slides/async/convert/{format}": [
        (lambda api: api.start_convert(DECK, "pdf"), run("start", deck(), "pdf", {})),
        (
            lambda api: api.start_convert(DECK, "Pdf", slides=[2, 4], options=sdk_pdf(), **SDK_EVERYTHING),
            run("start", deck(), "Pdf", EVERYTHING | {"exportOptions": PDF}),
        ),
        (
            lambda api: api.start_convert(DECK, "png", options=sdk_png()),
            run("start", deck(), "png", {"exportOptions": {"Width": "640"}}),
        ),
    ],
    "PUT /v3.0/slides/async/convert/{format}": [
        (
            lambda api: api.start_convert_and_save(DECK, "pdf", "out/my conv.pdf", slides=[2, 4], **SDK_EVERYTHING),
            run("start", deck(), "pdf", EVERYTHING | {"outPath": "out/my conv.pdf"}),
        )
    ],
    "POST /v3.0/slides/async/{name}/{format}": [
        (
            lambda api: api.start_download_presentation("My Pres.pptx", "pdf", folder="in/dir", storage="MyStore"),
            run("start", STORED, "pdf", {}),
        ),
        (
            lambda api: api.start_download_presentation(
                "My Pres.pptx", "pdf", options=sdk_pdf(), folder="in/dir", slides=[2, 4], **SDK_EVERYTHING
            ),
            run("start", STORED, "pdf", EVERYTHING | {"exportOptions": PDF}),
        ),
    ],
    "PUT /v3.0/slides/async/{name}/{format}": [
        (
            lambda api: api.start_save_presentation(
                "My Pres.pptx", "png", "out/img", sdk_png(), folder="in/dir", slides=[2, 4], **SDK_EVERYTHING
            ),
            run("start", STORED, "png", EVERYTHING | {"outPath": "out/img", "exportOptions": {"width": 640}}),
        )
    ],
    "POST /v3.0/slides/async/merge": [
        (lambda api: api.start_merge([DECK, OTHER]), run("start_merge", TWO, {})),
        (
            lambda api: api.start_merge([DECK, OTHER], ordered(), storage="MyStore"),
            run("start_merge", MIXED, {"storage": "MyStore"}),
        ),
        (
            lambda api: api.start_merge(request=only_stored(), storage="MyStore"),
            run("start_merge", BOTH_STORED, {}),
        ),
    ],
    "PUT /v3.0/slides/async/merge": [
        (
            lambda api: api.start_merge_and_save("out/all.pptx", [DECK, OTHER], storage="MyStore"),
            run("start_merge", TWO, {"outPath": "out/all.pptx", "storage": "MyStore"}),
        ),
        (
            lambda api: api.start_merge_and_save("out/all.pptx", request=only_stored(), storage="MyStore"),
            run("start_merge", BOTH_STORED, {"outPath": "out/all.pptx"}),
        ),
    ],
    "POST /v3.0/slides/async/split/{format}": [
        (lambda api: api.start_upload_and_split(DECK, "pptx"), run("start_split", deck(), "pptx", {})),
        (
            lambda api: api.start_upload_and_split(
                DECK, "png", storage="MyStore", options=sdk_png(), **SDK_SPLIT, **SDK_SPLIT_FONTS
            ),
            run("start_split", deck(), "png", {**SPLIT, **SPLIT_FONTS, "storage": "MyStore"}),
        ),
    ],
    "POST /v3.0/slides/async/{name}/split/{format}": [
        (
            lambda api: api.start_split("My Pres.pptx", "pptx", folder="in/dir", storage="MyStore"),
            run("start_split", STORED, "pptx", {}),
        ),
        (
            lambda api: api.start_split(
                "My Pres.pptx", "png", sdk_png(), folder="in/dir", storage="MyStore", **SDK_SPLIT, **SDK_SPLIT_FONTS
            ),
            run("start_split", STORED, "png", {**SPLIT, **SPLIT_FONTS}),
        ),
    ],
    "GET /v3.0/slides/async/{id}": [(lambda api: api.get_operation_status(ID), run("status", ID))],
    "GET /v3.0/slides/async/{id}/result": [(lambda api: api.get_operation_result(ID), fetch_result)],
    "PUT /v3.0/slides/async/storage/file/{path}": [
        (
            lambda api: api.upload("in/dir/My Pres.pptx", DECK, "MyStore"),
            stored("upload", deck(), STORED, "file"),
        )
    ],
    "GET /v3.0/slides/async/storage/file/{path}": [
        (lambda api: api.download("in/dir/My Pres.pptx", "MyStore"), fetch_stored(STORED))
    ],
    "DELETE /v3.0/slides/storage/file/{path}": [
        (
            lambda api: SlidesApi(api.api_client.configuration).delete_file("in/dir/My Pres.pptx", "MyStore"),
            stored("delete_file", STORED),
        )
    ],
    "DELETE /v3.0/slides/storage/folder/{path}": [
        (
            lambda api: SlidesApi(api.api_client.configuration).delete_folder("in/my dir", "MyStore", True),
            stored("delete_folder", RemoteDocument("in/my dir", "MyStore")),
        )
    ],
    "GET /v3.0/slides/storage/folder/{path}": [
        (
            lambda api: SlidesApi(api.api_client.configuration).get_files_list("in/my dir", "MyStore"),
            stored("find", RemoteDocument("in/my dir/", "MyStore")),
        )
    ],
    "GET /v3.0/slides/storage/exist/{path}": [
        (
            lambda api: SlidesApi(api.api_client.configuration).object_exists("in/dir/My Pres.pptx", "MyStore"),
            stored("exists", STORED),
        )
    ],
}


def slides_api(url: str, folder: Path) -> SlidesAsyncApi:
    return SlidesAsyncApi(
        filled(SlidesConfiguration(), base_url=url, auth_base_url=url, app_sid="my-client", app_key="my-secret")
    )
