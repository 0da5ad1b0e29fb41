"""What the transfers alone take: uploads and downloads with the blocking client, without waiting and records."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.documents import Document
from benchmarks.documents import Documents
from dev.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox


def copy_all(documents: Documents, echo: Sandbox, results: Path, transfers: int) -> float:
    """
    Send every document and fetch its result at once, and return the seconds that it took.

    :param documents: the documents
    :param echo: a service that needs no time
    :param results: the folder of the results
    :param transfers: how many at once
    """
    client = Client(Settings("aspose_slides", CLIENT_ID, CLIENT_SECRET, echo.url))
    client.log_in()
    results.mkdir()

    def copy(name: str) -> None:
        path = documents.folder / f"{name}.pptx"
        document = Document(path.name, lambda: path.open("rb"), path.stat().st_size)
        operation_id = client.run(client.service.start(document, "pdf", {})).operation_id
        (file,) = client.run(client.service.results(operation_id))
        with client.open_result(file) as (_, chunks), (results / f"{name}.pdf").open("wb") as result:
            result.writelines(chunks)

    began = time.monotonic()
    with ThreadPoolExecutor(transfers) as pool:
        for _ in pool.map(copy, documents.digests):
            pass
    return time.monotonic() - began
