"""Batches without an Airflow: documents whose states are given."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from airflow_provider_docconv.batch.batch import Batch, Connections, Document
from airflow_provider_docconv.batch.record import ConversionRequest, DocumentState, Entry
from airflow_provider_docconv.batch.sources import Naming, SourceSpec
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.exceptions import ConversionFailed, DocConvError
from tests.support.tasks import context

SETTINGS = Settings("aspose_slides", "my-client", "the secret of a batch", "https://service.example")


def empty_batch(folder: Path | str = "/nowhere", **ti: Any) -> Batch:
    """Make a batch of no documents; nothing is written before it is asked to."""
    return make_batch(f"file://{folder}", [], context(**ti))


def make_batch(root: str, specs: Sequence[SourceSpec], given: Any, **values: Any) -> Batch:
    """Make a batch of some sources, whose results go to ``pdf/`` below a folder."""
    fields = {
        "record_folder": f"{root}/pdf/",
        "destination_as_written": f"{root}/pdf/",
        "connections": Connections({"*": "docs"}, {"docs": SETTINGS}, lambda _: {}),
        "context": given,
        "log": logging.getLogger("batch"),
        "full_refresh": False,
        "start_again": True,
    }
    return Batch(specs, Naming(f"{root}/pdf/"), **{**fields, **values})


def add(batch: Batch, name: str, state: str = "waiting", error: DocConvError | None = None) -> Document:
    """Add a document in a state that it has in this run."""
    request = ConversionRequest(name, f"s3://b/{name}", f"s3://b/pdf/{name}", "pdf", "spec", "f", versioned=True)
    document = Document(request, Entry(request.key, "f", run=batch.run.id))
    batch.documents[request.key] = document
    move(batch, document, state, error)
    return document


def move(batch: Batch, document: Document, state: str, error: DocConvError | None = None) -> None:
    """Bring a document into another state."""
    seen = DocumentState(state)
    known = {DocumentState.SKIPPED: DocumentState.DELIVERED, DocumentState.FAILED: DocumentState.WAITING}
    run = "an earlier run" if seen is DocumentState.SKIPPED else batch.run.id
    operation_id = "op-1" if seen is DocumentState.STARTED else None
    entry = replace(document.entry, state=known.get(seen, seen), run=run, operation_id=operation_id, error=None)
    if error is None and seen in (DocumentState.REJECTED, DocumentState.FAILED):
        error = ConversionFailed("the service could not convert the document")
    document.entry = entry.failed(error) if error else entry
    assert document.entry.state_in(batch.run) is seen
