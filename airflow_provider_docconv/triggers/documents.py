"""Fires when documents arrive in a folder, for an ``AssetWatcher``."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_docconv.batch.sources import OWN_FOLDER, Patterns, list_folder
from airflow_provider_docconv.compat import BaseEventTrigger
from airflow_provider_docconv.services.errors import explain
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.transfer.object_storage import forget_store
from airflow_provider_docconv.triggers.watermark import Watermark

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath

log = logging.getLogger(__name__)

#: The documents of a folder at one time: the path of each below the folder, with its size and version.
Listing = Mapping[str, str]

_LONGEST_PAUSE = 600.0
# Some stores put the request's id and the time into their messages.
_VARYING = re.compile(r"\S*\d\S*")


class IncomingDocumentsTrigger(BaseEventTrigger):
    """
    Fires whenever documents in a folder are new or changed, and two successive listings show them unchanged.

    For an ``AssetWatcher``; it never ends by itself. Its event is ``{"folder": …, "documents": …}`` with the number of
    documents, not their names: ``ConvertDocumentsOperator`` lists the folder itself, and skips what it has converted.

    What was reported is remembered in the asset's state store (Airflow 3.3), so that a restarted triggerer does not
    report it again. Triggers of one folder share its listings (3.3).

    :param folder: the folder, in anything that ``ObjectStoragePath`` takes. Everything below it counts except the
        results and what is certainly not a document, such as hidden files, Office's lock files and unfinished uploads
    :param include: patterns of the documents that count, such as ``"*.{ppt,pptx}"`` or ``["2026/**"]``; a pattern
        without a slash is about the name alone, in any folder, and letter case does not matter
    :param exclude: patterns of those that do not count
    :param destination: the folder of the results, if it is below the other, so that they do not count as arrivals
    :param poke_interval: seconds between two listings
    :raises ValueError: if the folder is empty or a glob, or the interval is not positive
    """

    def __init__(
        self,
        folder: str | ObjectStoragePath,
        *,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        destination: str | ObjectStoragePath | None = None,
        poke_interval: float = 30.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        address = str(folder or "").strip().rstrip("/")
        # An unset variable must not turn the whole machine into the inbox.
        if not address or address.endswith(":"):
            raise ValueError(f"folder is {folder!r}: expected a path or URI")
        self.folder = f"{address}/"
        self.include = [include] if isinstance(include, str) else list(include)
        self.exclude = [exclude] if isinstance(exclude, str) else list(exclude)
        self.destination = str(destination) if destination else None
        self.poke_interval = poke_interval
        if "*" in self.folder:
            raise ValueError(f"folder is a glob: {folder}; pass the folder, and the rest of it as include")
        if "" in (*self.include, *self.exclude):
            raise ValueError("include or exclude has an empty pattern, which fits no document; omit it")
        if poke_interval <= 0:
            raise ValueError(f"poke_interval must be a positive number of seconds, not {poke_interval!r}")
        self._wanted, self._unwanted = Patterns(self.include, "include"), Patterns(self.exclude, "exclude")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments for the database; they hold no secrets."""
        return (
            "airflow_provider_docconv.triggers.documents.IncomingDocumentsTrigger",
            {
                "folder": self.folder,
                "include": self.include,
                "exclude": self.exclude,
                "destination": self.destination,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for each arrival, from listings of its own."""
        async for event in self._events(self.open_shared_stream(self.serialize()[1])):
            yield event

    def shared_stream_key(self) -> Hashable:
        """Return what triggers must have in common to share their listings."""
        return (type(self).__name__, self.folder, self.destination, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Listing]:
        """List the folder until the trigger is cancelled."""
        folder = kwargs["folder"]
        destination = kwargs["destination"] or f"{folder}{OWN_FOLDER}/"
        async for listing in listings(folder, destination, kwargs["poke_interval"]):
            yield listing

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Listing]) -> AsyncIterator[TriggerEvent]:
        """Fire for each arrival, from listings that others share."""
        async for event in self._events(shared_stream):
            yield event

    async def _events(self, listings: AsyncIterator[Listing]) -> AsyncIterator[TriggerEvent]:
        watermark = Watermark(self, self.folder, *self.include, "", *self.exclude, "", self.destination or "")
        arrivals = Arrivals(await watermark.load())
        async for listing in listings:
            # Only now is the previous event certainly in Airflow's database: losing one is worse than reporting it
            # twice.
            await watermark.save(arrivals.watermark)
            # In a thread, because ten thousand documents would block the loop.
            if documents := await asyncio.to_thread(self._count, listing, arrivals):
                yield TriggerEvent({"folder": self.folder, "documents": documents})

    def _count(self, listing: Listing, arrivals: Arrivals) -> int:
        return arrivals.count({name: content for name, content in listing.items() if self._counts(name)})

    def _counts(self, name: str) -> bool:
        return not self._unwanted.fit(name) and (not self._wanted or self._wanted.fit(name))


class Arrivals:
    """
    Compares listings of a folder with what was reported before.

    A document counts once two successive listings show it unchanged: before, it may still be being written.

    :param watermark: the digest of what an earlier process has reported, or None if nothing was reported yet
    """

    def __init__(self, watermark: str | None = None) -> None:
        self.watermark = watermark
        self._last: Listing | None = None
        # None if only its digest is known.
        self._reported: Listing | None = {} if watermark is None else None

    def count(self, listing: Listing) -> int:
        """
        Take the next listing, and return how many documents have arrived.

        If only the digest of what was reported is known, and it differs, all unchanged documents count as arrived.

        :param listing: the listing
        """
        last, self._last = self._last, listing
        if last is None:
            return 0
        settled = {name: content for name, content in listing.items() if last.get(name) == content}
        if settled == self._reported:
            return 0
        watermark, self.watermark = self.watermark, _digest(settled)
        reported, self._reported = self._reported, settled
        if reported is None:
            reported = settled if self.watermark == watermark else {}
        return sum(reported.get(name) != content for name, content in settled.items())


def _digest(listing: Listing) -> str:
    return hashlib.sha256(json.dumps(sorted(listing.items())).encode()).hexdigest()


async def listings(
    folder: str, destination: str, poke_interval: float, *, warn_after: float = 600.0
) -> AsyncIterator[Listing]:
    """
    List a folder again and again.

    After an error of the store, the pauses double, up to ten minutes. Each error is logged once, until a listing
    succeeds.

    :param folder: the folder
    :param destination: the folder of the results, which is never searched
    :param poke_interval: seconds between two listings
    :param warn_after: seconds after which a listing hangs: the store raises no error that could be reported
    """
    pause, logged = poke_interval, set[str]()
    # A store that hangs must not hold one of the loop's own threads, which resolve host names for all triggers.
    pool = ThreadPoolExecutor(1, "docconv-listing")
    # On Airflow 3.0 and 3.1, connections can only be read in threads that asgiref has started.
    look = sync_to_async(_list, thread_sensitive=False, executor=pool)
    try:
        while True:
            try:
                listing = await _warn_if_it_hangs(folder, look(folder, destination), warn_after)
            except Exception as error:  # The stores' drivers raise errors of their own types.
                message = f"{folder}: could not list the documents ({explain(error)})"
                pause = max(poke_interval, min(2 * pause, _LONGEST_PAUSE))
                if (constant := _VARYING.sub("", message)) not in logged:
                    logged.add(constant)
                    log.warning("%s; trying again in %g seconds, and then after longer pauses", message, pause)
            else:
                if logged:
                    log.info("%s: the documents can be listed again", folder)
                pause, logged = poke_interval, set()
                yield listing
            await asyncio.sleep(delay(pause))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _warn_if_it_hangs(folder: str, look: Awaitable[Listing], seconds: float) -> Listing:
    message = "%s: the store has not answered for %g seconds; no arrivals are noticed until it does"
    warning = asyncio.get_running_loop().call_later(seconds, log.warning, message, folder, seconds)
    try:
        return await look
    finally:
        warning.cancel()


def _list(folder: str, destination: str) -> Listing:
    try:
        return {found.relative: f"{found.size} {found.version}" for found in list_folder(folder, [destination])}
    except Exception:  # Raised again; the stores' drivers raise errors of their own types.
        # A wrong connection may have been corrected before the next attempt.
        forget_store(folder)
        raise
