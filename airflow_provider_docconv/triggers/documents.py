"""Decides which documents of a folder have arrived: are new or changed, and have settled."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_docconv.batch.sources import list_folder
from airflow_provider_docconv.services.errors import explain
from airflow_provider_docconv.transfer.object_storage import forget_store
from airflow_provider_docconv.triggers.watermark import Watermark

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: The documents of a folder at one time: the path of each below the folder, and what tells its content from others.
Listing = Mapping[str, str]


class Arrivals:
    """
    Compares listings of a folder with what was told before.

    A document has settled when two successive listings show it alike: one that is still being written does not count.

    :param watermark: the digest of what an earlier process has told, or None if nothing was told yet
    """

    def __init__(self, watermark: str | None = None) -> None:
        self.watermark = watermark
        self._last: Listing | None = None
        # None where only its digest is known.
        self._told: Listing | None = {} if watermark is None else None

    def see(self, listing: Listing) -> int:
        """
        Take the next listing, and return how many documents have arrived by it.

        Where only the digest of what was told is known, and it is another one, all settled documents count as arrived.

        :param listing: the listing
        """
        last, self._last = self._last, listing
        if last is None:
            return 0
        settled = {name: content for name, content in listing.items() if last.get(name) == content}
        if settled == self._told:
            return 0
        watermark, self.watermark = self.watermark, _digest(settled)
        told, self._told = self._told, settled
        if told is None:
            told = settled if self.watermark == watermark else {}
        return sum(told.get(name) != content for name, content in settled.items())


def _digest(listing: Listing) -> str:
    return hashlib.sha256(json.dumps(sorted(listing.items())).encode()).hexdigest()


log = logging.getLogger(__name__)

_LONGEST_PAUSE = 600.0
# So long is no listing: the store hangs, and raises nothing that could be told.
_HANGS = 600.0
# Some stores name the request and the time in their words.
_VARYING = re.compile(r"\S*\d\S*")


async def listings(folder: str, destination: str, poke_interval: float) -> AsyncIterator[Listing]:
    """
    List a folder, for ever.

    A store that fails is tried again after pauses that double, up to ten minutes. Each of its faults is logged once,
    until it is well again.

    :param folder: the folder
    :param destination: the folder of the results, which is never searched
    :param poke_interval: seconds between two listings
    """
    from asgiref.sync import sync_to_async

    pause, told = poke_interval, set[str]()
    # A store that hangs must not hold one of the loop's own threads, which look up everybody's addresses.
    pool = ThreadPoolExecutor(1, "docconv-listing")
    # On Airflow 3.0 and 3.1, connections can be looked up from no other thread than one that asgiref has started.
    look = sync_to_async(_list, thread_sensitive=False, executor=pool)
    try:
        while True:
            try:
                listing = await _told_if_it_hangs(folder, look(folder, destination))
            except Exception as error:  # The stores' drivers raise errors of their own kinds.
                fault = f"{folder}: the documents can't be listed ({explain(error)})"
                pause = max(poke_interval, min(2 * pause, _LONGEST_PAUSE))
                if (known := _VARYING.sub("", fault)) not in told:
                    told.add(known)
                    log.warning("%s; trying again in %g seconds, and then after longer pauses", fault, pause)
            else:
                if told:
                    log.info("%s: the documents can be listed again", folder)
                pause, told = poke_interval, set()
                yield listing
            await asyncio.sleep(pause)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _told_if_it_hangs(folder: str, look: Awaitable[Listing]) -> Listing:
    words = "%s: the store has not answered for %g seconds, so no documents are seen there until it does"
    warning = asyncio.get_running_loop().call_later(_HANGS, log.warning, words, folder, _HANGS)
    try:
        return await look
    finally:
        warning.cancel()


def _list(folder: str, destination: str) -> Listing:
    try:
        return {found.relative: f"{found.size} {found.version}" for found in list_folder(folder, destination)}
    except Exception:  # Raised again; the stores' drivers raise errors of their own kinds.
        # A connection that was wrong may have been corrected since.
        forget_store(folder)
        raise


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
    :param poke_interval: seconds between two listings
    :raises ValueError: if the folder is none or a glob, the pattern is not one, or the interval is not positive
    """

    def __init__(
        self,
        folder: str | ObjectStoragePath,
        *,
        pattern: str = "**/*",
        destination: str | ObjectStoragePath | None = None,
        poke_interval: float = 30.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        address = str(folder or "").rstrip("/")
        # A variable that is not set must not make the whole machine the inbox.
        if not address or address.endswith(":"):
            raise ValueError(f"{folder!r} names no folder")
        self.folder = f"{address}/"
        self.pattern = pattern
        self.destination = str(destination) if destination else None
        self.poke_interval = poke_interval
        if "*" in self.folder:
            raise ValueError(f"{folder} is a glob; give the folder, and pattern for the rest of it")
        if not pattern:
            raise ValueError("the pattern is empty, so no document would ever count; leave it out for all of them")
        if poke_interval <= 0:
            raise ValueError(f"poke_interval is a positive number of seconds, not {poke_interval!r}")
        self._matches = _matcher(pattern)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger's row holds; no secret is among it."""
        return (
            "airflow_provider_docconv.triggers.documents.IncomingDocumentsTrigger",
            {
                "folder": self.folder,
                "pattern": self.pattern,
                "destination": self.destination,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for ever, from listings of its own."""
        async for event in self._events(self.open_shared_stream(self.serialize()[1])):
            yield event

    def shared_stream_key(self) -> Hashable:
        """Return what triggers have in common that can share their listings."""
        return (type(self).__name__, self.folder, self.destination, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Listing]:
        """List the folder for ever."""
        pass
        from airflow_provider_docconv.batch.sources import OWN_FOLDER

        folder = kwargs["folder"]
        destination = kwargs["destination"] or f"{folder}{OWN_FOLDER}/"
        async for listing in listings(folder, destination, kwargs["poke_interval"]):
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
