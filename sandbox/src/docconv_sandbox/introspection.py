"""What the sandbox tells of itself, outside of the vendors' paths."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web

from docconv_sandbox.auth import Auth
from docconv_sandbox.operations import Operations


class Introspection:
    """Counts calls and shows operations.

    :param auth: has counted the logins
    :param operations: the queue
    """

    name = "sandbox"
    prefix = "/sandbox"

    def __init__(self, auth: Auth, operations: Operations) -> None:
        self.calls: Counter[str] = Counter()
        self._auth = auth
        self._operations = operations

    def routes(self) -> list[web.RouteDef]:
        """Give the routes it serves."""
        return [web.get(f"{self.prefix}/stats", self.stats), web.get(f"{self.prefix}/health", self.health)]

    def to_stats(self) -> dict[str, Any]:
        """Give everything there is to know."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "logins_ok": self._auth.logins_ok,
            "logins_refused": self._auth.logins_refused,
            "operations": self._operations.to_stats(),
        }

    async def stats(self, request: web.Request) -> web.Response:
        """Tell everything there is to know."""
        return web.json_response(self.to_stats())

    async def health(self, request: web.Request) -> web.Response:
        """Tell that the sandbox is up."""
        return web.json_response({"status": "ok"})
