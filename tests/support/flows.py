"""Runs the services' flows without any socket."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.http import Flow, Reply, Request

OPERATION = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"


def reply(body: Any = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {"content-type": "application/json"}, data)


def play(flow: Flow[Any], *replies: Reply) -> tuple[list[Request], Any]:
    """Run a flow against these replies; return the requests it made and its result."""
    made, waiting = [], list(replies)
    try:
        made.append(next(flow))
        while True:
            made.append(flow.send(waiting.pop(0)))
    except StopIteration as end:
        assert not waiting, "the flow left replies unread"
        return made, end.value


def requests_of(flow: Flow[Any], *replies: Reply) -> list[Request]:
    """Run a flow until its replies are used up and return the requests it made."""
    made = [next(flow)]
    made += [flow.send(each) for each in replies]
    flow.close()
    return made


def document(content: bytes = b"PPTXBYTES", name: str = "deck.pptx", **kwargs: Any) -> Document:
    return Document(name, lambda: io.BytesIO(content), kwargs.pop("size", len(content)), **kwargs)


def body_of(request: Request) -> bytes:
    """Return a request's body, with a multipart boundary replaced by ``BOUNDARY``."""
    if request.body is None:
        return b""
    boundary = request.body.content_type.partition("boundary=")[2]
    body = b"".join(request.body.chunks())
    return body.replace(boundary.encode(), b"BOUNDARY") if boundary else body
