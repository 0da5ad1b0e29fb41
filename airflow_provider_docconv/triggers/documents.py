"""Starts a Dag when documents arrive."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Hashable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_docconv.batch.arrivals import Arrivals, Listing
from airflow_provider_docconv.triggers.watermark import Watermark

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


class IncomingDocumentsTrigger(BaseEventTrigger):
    """
    Fires whenever documents in a folder are new or changed, and have settled: two successive listings show them alike.

    For an ``AssetWatcher``. It never ends by itself. Its event is ``{"folder": …, "pattern": …, "documents": …}`` with
    the number of documents, not their names: ``ConvertDocumentsOperator`` lists the folder itself, and skips what it
    has converted.

    What was told is kept in the state store of the asset (Airflow 3.3), so that a restarted triggerer does not tell it
    again. Triggers of one folder share its listings (3.3).

    :param folder: the folder, in anything that ``ObjectStoragePath`` takes; everything below it is looked at, but
        hidden files, symbolic links and the results
    :param pattern: which documents count, as a glob below the folder: ``*.pptx`` for those that lie in it,
        ``**/*.pptx`` for those below it, too
    :param destination: the folder of the results, if it lies below the other: they are no arrivals
    :param poll_interval: seconds between two listings
    :raises ValueError: if the folder is none or a glob, the pattern is not one, or the interval is not positive
    """

    def __init__(
        self,
        folder: str | ObjectStoragePath,
        *,
        pattern: str = "**/*",
        destination: str | ObjectStoragePath | None = None,
        poll_interval: float = 30.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        address = str(folder or "").rstrip("/")
        # A variable that is not set must not make the whole machine the inbox.
        if not address or address.endswith(":"):
            raise ValueError(f"{folder!r} names no folder")
        self.folder = f"{address}/"
        self.pattern = pattern
        self.destination = str(destination) if destination else None
        self.poll_interval = poll_interval
        if "*" in self.folder:
            raise ValueError(f"{folder} is a glob; give the folder, and pattern for the rest of it")
        if not pattern:
            raise ValueError("the pattern is empty, so no document would ever count; leave it out for all of them")
        if poll_interval <= 0:
            raise ValueError(f"poll_interval is a positive number of seconds, not {poll_interval!r}")
        self._matches = _matcher(pattern)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger's row holds; no secret is among it."""
        return (
            "airflow_provider_docconv.triggers.documents.IncomingDocumentsTrigger",
            {
                "folder": self.folder,
                "pattern": self.pattern,
                "destination": self.destination,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for ever, from listings of its own."""
        async for event in self._events(self.open_shared_stream(self.serialize()[1])):
            yield event

    def shared_stream_key(self) -> Hashable:
        """Return what triggers have in common that can share their listings."""
        return (type(self).__name__, self.folder, self.destination, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Listing]:
        """List the folder for ever."""
        from airflow_provider_docconv.batch.listings import listings
        from airflow_provider_docconv.batch.sources import OWN_FOLDER

        folder = kwargs["folder"]
        destination = kwargs["destination"] or f"{folder}{OWN_FOLDER}/"
        async for listing in listings(folder, destination, kwargs["poll_interval"]):
            yield listing

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Listing]) -> AsyncIterator[TriggerEvent]:
        """Fire for ever, from listings that others share."""
        async for event in self._events(shared_stream):
            yield event

    async def _events(self, listings: AsyncIterator[Listing]) -> AsyncIterator[TriggerEvent]:
        watermark = Watermark(self, self.folder, self.pattern, self.destination or "")
        arrivals = Arrivals(await watermark.load())
        async for listing in listings:
            # Only now, when the event is surely in Airflow's database: to lose one is worse than to tell it twice.
            await watermark.save(arrivals.watermark)
            # Ten thousand documents would hold the loop.
            if documents := await asyncio.to_thread(self._look, listing, arrivals):
                yield TriggerEvent({"folder": self.folder, "pattern": self.pattern, "documents": documents})

    def _look(self, listing: Listing, arrivals: Arrivals) -> int:
        return arrivals.see({name: content for name, content in listing.items() if self._matches(name)})


def _matcher(pattern: str) -> Callable[[str], object]:
    from fsspec.utils import glob_translate  # type: ignore[import-untyped]  # It has no types.

    return re.compile(glob_translate(pattern)).match
