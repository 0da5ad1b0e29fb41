"""One document after the other, over the vendor's SDK, as its tutorials have it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi  # type: ignore[import-untyped]  # it has no types
from asposeslidescloud.configuration import Configuration  # type: ignore[import-untyped]  # it has no types

from benchmarks.documents import Documents
from dev.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox

# What the tutorials wait between two polls, in seconds.
PAUSE = 2


def convert_in_turn(documents: Documents, echo: Sandbox, results: Path) -> float:
    """
    Convert documents one after the other, and return the seconds that it took.

    :param documents: the documents
    :param echo: the service
    :param results: the folder of the results
    """
    api = SlidesAsyncApi(_configuration(echo, results.parent))
    results.mkdir()
    began = time.monotonic()
    for name in documents.digests:
        operation_id = api.start_convert((documents.folder / f"{name}.pptx").read_bytes(), "pdf")
        while True:
            time.sleep(PAUSE)
            if api.get_operation_status(operation_id).status in {"Finished", "Failed", "Canceled"}:
                break
        # This version of the SDK stores the result in a file of its own.
        shutil.move(api.get_operation_result(operation_id), results / f"{name}.pdf")
    return time.monotonic() - began


def _configuration(echo: Sandbox, folder: Path) -> Configuration:
    found = Configuration()
    found.base_url = found.auth_base_url = echo.url
    found.app_sid, found.app_key = CLIENT_ID, CLIENT_SECRET
    found.temp_folder_path = str(folder)
    return found
