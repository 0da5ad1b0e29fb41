"""Errors in each service's own form, and what stands between us and a service says in theirs."""

from __future__ import annotations

from typing import Any

from airflow_provider_docconv.services.catalog import CLIENT_CREDENTIALS, SERVICES
from tests.support.hostile import HTML

#: The services with a login, whose replies the tests have in common; docling-serve has tests of its own.
VENDORS = {name: info for name, info in SERVICES.items() if info.authentication is CLIENT_CREDENTIALS}

#: What proxies, gateways and load balancers say, whatever the status.
FOREIGN: dict[str, Any] = {
    "Kong": {"message": "no Route matched with those values"},
    "FastAPI": {"detail": "Not Found"},
    "Spring": {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/x"},
    "Google": {"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}},
    "page": HTML,
    "Go": b"404 page not found\n",
    "nginx": b"default backend - 404",
    "S3": b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
    "list": [{"error": {"message": "in a list"}}],
    "nothing": b"",
}


def own_error(service: str, status: int, message: str = "Because.") -> dict[str, Any]:
    """
    Return an error as a service documents it.

    :param service: the connection type
    :param status: the HTTP status it comes with
    :param message: its message
    """
    if service == "docling_serve":
        return {"detail": "Task not found." if status == 404 else message}
    if service == "aspose_ocr":
        return {"type": "about:blank", "title": "An error.", "status": status, "detail": message, "instance": None}
    error = {"code": "errorCode", "message": message, "description": message, "innerError": None}
    return {"requestId": "1", "error": error}
