"""Remembers what a watcher of an asset has told, so that a restarted triggerer does not tell it again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from airflow.triggers.base import BaseTrigger


class Watermark:
    """
    A short text in the state store of the asset, which Airflow has since 3.3; before, nothing is kept.

    A store that fails is said to fail, and does not stop the watcher.

    :param trigger: the watcher's trigger
    :param watched: what it watches; an asset may have several watchers
    """

    def __init__(self, trigger: BaseTrigger, *watched: str) -> None:
        self._store: Any = getattr(trigger, "asset_state_store", None)
        self._log = trigger.log
        self._watched = watched[0]
        digest = hashlib.sha256("\0".join(watched).encode(errors="surrogatepass")).hexdigest()
        self._key = f"docconv-{digest[:16]}"
        self._kept: str | None = None

    async def load(self) -> str | None:
        """Return what is kept, or None."""
        if self._store is not None:
            self._kept = await self._tolerate(self._store.aget(self._key))
        return self._kept

    async def save(self, text: str | None) -> None:
        """Keep a text, if it is another one."""
        if self._store is not None and text not in (None, self._kept):
            self._kept = text
            await self._tolerate(self._store.aset(self._key, text))

    async def _tolerate(self, call: Awaitable[Any]) -> Any:
        from airflow_provider_docconv.services.errors import explain

        try:
            return await call
        except Exception as error:  # Whatever it is, the watcher goes on.
            self._log.warning(
                "%s: Airflow can't keep what was told (%s), so a restarted triggerer may tell it again",
                self._watched,
                explain(error),
            )
