"""Replies as plain values, before it is decided whether and how they are sent."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from workbench.standin.operations import Operation


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What a call is answered.

    :param status: the HTTP status.
    :param body: the body.
    :param content_type: its type.
    :param headers: more headers.
    :param created: the operation that the call has created, if it was a start.
    :param ended: the operation of whose end it tells, if it is about a status.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    created: Operation | None = None
    ended: Operation | None = None

    def response(self) -> web.Response:
        """Make the response that sends it."""
        headers = {"Content-Type": self.content_type, **self.headers}
        return web.Response(status=self.status, body=self.body, headers=headers)


def json_reply(value: object, status: int = 200) -> Reply:
    """Make a reply that is JSON."""
    return Reply(status, json.dumps(value).encode())


def refusal(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> Reply:
    """
    Make a refusal in the shape of Aspose.Slides, which is also that of whatever stands in front of the services.

    :param status: the HTTP status.
    :param message: what the caller reads.
    :param code: the vendor's word for it.
    :param headers: more headers.
    """
    error = {"code": code, "message": message, "description": message}
    body = json.dumps({"requestId": str(uuid.uuid4()), "error": error}).encode()
    return Reply(status, body, headers=headers or {})
