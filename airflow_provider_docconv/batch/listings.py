"""Lists a folder for ever, off the event loop, whatever becomes of its store."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_docconv.batch.arrivals import Listing
from airflow_provider_docconv.batch.sources import list_folder
from airflow_provider_docconv.client.failures import explain
from airflow_provider_docconv.storage import forget_store

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 600.0
# So long is no listing: the store hangs, and raises nothing that could be told.
_HANGS = 600.0
# Some stores name the request and the time in their words.
_VARYING = re.compile(r"\S*\d\S*")


async def listings(folder: str, destination: str, poll_interval: float) -> AsyncIterator[Listing]:
    """
    List a folder, for ever.

    A store that fails is tried again after pauses that double, up to ten minutes. Each of its faults is logged once,
    until it is well again.

    :param folder: the folder
    :param destination: the folder of the results, which is never searched
    :param poll_interval: seconds between two listings
    """
    from asgiref.sync import sync_to_async

    pause, told = poll_interval, set[str]()
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
                pause = max(poll_interval, min(2 * pause, _LONGEST_PAUSE))
                if (known := _VARYING.sub("", fault)) not in told:
                    told.add(known)
                    log.warning("%s; trying again in %g seconds, and then after longer pauses", fault, pause)
            else:
                if told:
                    log.info("%s: the documents can be listed again", folder)
                pause, told = poll_interval, set()
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
