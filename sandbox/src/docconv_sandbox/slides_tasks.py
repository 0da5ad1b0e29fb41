"""Aspose.Slides Cloud: from a request to a task, and from its outcome to the storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from aiohttp import web

from docconv_sandbox import formats, wire
from docconv_sandbox.errors import ApiError
from docconv_sandbox.operation import Operation, Stored
from docconv_sandbox.service import StoringService
from docconv_sandbox.storage import Storage
from docconv_sandbox.task import Outcome, Task
from docconv_sandbox.uploads import Upload

Deliver: TypeAlias = Callable[[Operation, Outcome], list[Stored]]


def conversion_values(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a conversion is asked for, beside its source and its target."""
    return _common(request, service, options) | {"pages": _slide_numbers(wire.query(request).get("slides", ""))}


def split_values(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a split is asked for, beside its source and its target."""
    query = wire.query(request)
    first, last = (wire.ensure_whole(query.get(name), name) for name in ("from", "to"))
    first = first or 1
    if last and last < first:
        raise ApiError(400, f"Invalid value for to: {last}.", "errorInvalidParameter")
    sizes = {name: wire.ensure_whole(query.get(name), name) for name in ("width", "height")}
    return {
        **_common(request, service, options),
        **{name: size for name, size in sizes.items() if size},
        "action": "split",
        "first_page": first,
        "page_count": last - first + 1 if last else 0,
        "bundle": "never" if query.get("destfolder") else "pages",
    }


def _common(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    query = wire.query(request)
    if options.get("password"):
        raise ApiError(400, "The sandbox cannot protect results with a password.", "errorInvalidParameter")
    return {
        "accepts": sorted(formats.PRESENTATIONS),
        "tier": service.context.settings.engine,
        "password": request.headers.get("password"),
        "fonts": service.fonts(query.get("storage"), query.get("fontsfolder")),
        "width": wire.ensure_whole(str(options.get("width") or ""), "width"),
        "height": wire.ensure_whole(str(options.get("height") or ""), "height"),
        "quality": min(100, wire.ensure_whole(str(options.get("jpegquality") or ""), "jpegQuality", 90)),
    }


def read_merge(upload: Upload, storage: Storage) -> list[dict[str, Any]]:
    """Read what is to be merged: the documents as they came, or what the request's list says of them.

    :param upload: the request's documents and list
    :param storage: where stored presentations lie
    :return: for each the path, and maybe the storage, the password and the slides
    """
    listed = upload.options.get("presentations")
    if listed is None:
        items: list[dict[str, Any]] = [{"path": str(document.path)} for document in upload.documents]
    elif isinstance(listed, list) and all(isinstance(item, dict) for item in listed):
        items = [_merge_item({key.lower(): value for key, value in item.items()}, upload, storage) for item in listed]
    else:
        raise ApiError(400, "Invalid value for presentations: it is not a list of objects.", "errorInvalidParameter")
    if not items:
        raise ApiError(400, "There are no presentations to merge.", "errorMissingParameter")
    return items


def _merge_item(item: Mapping[str, Any], upload: Upload, storage: Storage) -> dict[str, Any]:
    path, password, source = item.get("path"), item.get("password"), str(item.get("source") or "Request").lower()
    if not isinstance(path, str) or not isinstance(password, str | None):
        raise ApiError(400, "Invalid value for presentations: a path or password is no text.", "errorInvalidParameter")
    found: dict[str, Any] = {"password": password, "slides": _slide_numbers(item.get("slides") or "")}
    if source == "storage":
        storage.locate(path)
        return found | {"path": path, "storage": storage}
    sent = next((document for document in upload.documents if document.name == path), None)
    if source != "request" or sent is None:
        why = "the sandbox fetches nothing from elsewhere" if source == "url" else "no part has that file name"
        raise ApiError(400, f"Invalid value for presentations: {path[:80]!r}: {why}.", "errorInvalidParameter")
    return found | {"path": str(sent.path)}


def merge_task(
    request: web.Request, service: StoringService, items: list[dict[str, Any]], operation: Operation
) -> Task:
    """Make the task of a merge, once a worker is free."""
    merged = []
    for number, item in enumerate(items, 1):
        storage = item.get("storage")
        path = storage.link(item["path"], operation.folder / f"source-{number}") if storage else item["path"]
        merged.append({"path": str(path), "password": item.get("password"), "slides": item.get("slides") or []})
    values = _common(request, service, {})
    return Task(action="merge", source="", folder=str(operation.folder), target="pptx", merged=merged, **values)


def save_to(storage: Storage, out_path: str | None) -> Deliver | None:
    """Put the result under one name, with ``.zip`` appended where it is one; None leaves it for a download."""
    if not out_path:
        return None

    def deliver(operation: Operation, outcome: Outcome) -> list[Stored]:
        [file] = map(Path, outcome.files)
        place = out_path
        if file.suffix == ".zip" and not place.lower().endswith(".zip"):
            place += ".zip"
        size = file.stat().st_size
        return [Stored(storage.adopt(file, place), size)]

    return deliver


def save_slides(storage: Storage, folder: str | None) -> Deliver | None:
    """Put each slide's file into a folder; None leaves a ZIP for a download."""
    if not folder:
        return None
    storage.locate(folder)

    def deliver(operation: Operation, outcome: Outcome) -> list[Stored]:
        stem = PurePosixPath(operation.source_name).stem or "document"
        stored = []
        for file in map(Path, outcome.files):
            size = file.stat().st_size
            number = file.stem.rpartition("_")[2]
            stored.append(Stored(storage.adopt(file, f"{folder}/{stem}_{number}{file.suffix}"), size))
        return stored

    return deliver


def _slide_numbers(given: object) -> list[int]:
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    numbers = [wire.ensure_whole(str(part).strip(), "slides") for part in parts if str(part).strip()]
    if 0 in numbers:
        raise ApiError(400, "Invalid value for slides: slides are numbered from 1.", "errorInvalidParameter")
    return numbers
