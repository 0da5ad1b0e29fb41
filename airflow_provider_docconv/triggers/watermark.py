"""Remembers what an asset's watcher has reported, so that a restarted triggerer does not report it again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_docconv.services.errors import explain


class Watermark:
    """
    A short text in the asset's state store, which Airflow has since 3.3; before, nothing is kept.

    If the store fails, that is logged, and the watcher continues.

    :param trigger: the watcher's trigger
    :param watched: what it watches, because an asset may have several watchers
    """

    def __init__(self, trigger: BaseTrigger, *watched: str) -> None:
        self._store: Any = getattr(trigger, "asset_state_store", None)
        self._log = trigger.log
        self._watched = watched[0]
        digest = hashlib.sha256("\0".join(watched).encode(errors="surrogatepass")).hexdigest()
        self._key = f"docconv-{digest[:16]}"
        self._kept: str | None = None

    async def load(self) -> str | None:
        """Return the text that was kept, or None."""
        if self._store is not None:
            self._kept = await self._tolerate(self._store.aget(self._key))
        return self._kept

    async def save(self, text: str | None) -> None:
        """Keep a text if it has changed."""
        if self._store is not None and text not in (None, self._kept):
            self._kept = text
            await self._tolerate(self._store.aset(self._key, text))

    async def _tolerate(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except Exception as error:  # the watcher continues without it
            self._log.warning(
                "%s: could not read or write the asset's state (%s), so a restarted triggerer may report again",
                self._watched,
                explain(error),
            )
