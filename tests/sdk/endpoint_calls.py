"""What the calls of both sides share: an operation, documents, and how ours are run."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.services.documents import Document, RemoteDocument

ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
DECK, OTHER, SCAN = b"PK deck", b"PK other deck", b"AT&TFORM scan"
STORED = RemoteDocument("in/dir/My Pres.pptx", "MyStore")
LETTER = RemoteDocument("in dir/letter.docx", "MyStorage")

Call = Callable[[Any], object]
Cases = dict[str, list[tuple[Call, Call]]]


def document(content: bytes, name: str) -> Document:
    return Document(name, lambda: io.BytesIO(content), len(content))


def deck(content: bytes = DECK) -> Document:
    return document(content, "deck.pptx")


def run(method: str, *arguments: Any) -> Callable[[Client], object]:
    """Make what runs one of the service's flows."""
    return lambda client: client.run(getattr(client.service, method)(*arguments))


def stored(method: str, *arguments: Any) -> Callable[[Client], object]:
    """Make what runs one of the storage's flows."""
    return lambda client: client.run(getattr(client.service.remote_storage(), method)(*arguments))


def fetch_stored(file: RemoteDocument) -> Callable[[Client], object]:
    return lambda client: read(client, client.service.remote_storage().file(file))


def fetch_result(client: Client, operation_id: str = ID) -> None:
    for file in client.run(client.service.results(operation_id)):
        read(client, file)


def read(client: Client, file: Any) -> None:
    with client.open_result(file) as (_, chunks):
        b"".join(chunks)


def filled(model: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(model, name, value)
    return model
