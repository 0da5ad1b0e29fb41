"""The HTTP server: which call it is, the faults, the account, and the calls that only we make."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from workbench.standin import account, wire
from workbench.standin.account import Account
from workbench.standin.connections import Connections, CountingServer, is_gone
from workbench.standin.faults import Fault, Faults
from workbench.standin.operations import Operations
from workbench.standin.replies import Reply, json_reply, refusal
from workbench.standin.service import Service
from workbench.standin.settings import Settings

HOST = "127.0.0.1"
BACKLOG = 1024
_ASYNC = r"/v3\.0/slides/async"
_CALLS = [
    ("GET", re.compile(rf"{_ASYNC}/([^/]+)"), "status"),
    ("GET", re.compile(rf"{_ASYNC}/([^/]+)/result"), "result"),
    ("POST", re.compile(rf"{_ASYNC}/convert/([^/]+)"), "start"),
    ("POST", re.compile(r"(/connect/token)"), "token"),
]


class Server:
    """
    The stand-in's server.

    :param settings: its settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.account = Account()
        self.connections = Connections()
        self.faults = Faults(settings.faults, settings.fault_kinds, settings.seed)
        operations = Operations(settings.seconds, settings.spread, settings.capacity, settings.retention, settings.seed)
        self.service = Service(operations, settings.result_bytes)
        self._latency = settings.latency

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if request.path.startswith("/standin/"):
            return (await self._control(request)).response()
        call, id = _call(request)
        if not call:
            return refusal(404, "There is no such path here.", "errorNotFound").response()
        self.account.calls[call] += 1
        if not is_gone(request):
            self.connections.used(request.protocol)
        fault = self.faults.draw(call)
        try:
            reply, fault = await self._reply(request, call, id, fault)
        except (ConnectionError, web.RequestPayloadError):
            self.account.incomplete += call == "start"
            return web.Response()  # to nobody
        finally:
            self.account.received += request.content.total_bytes
        return await self._deliver(request, call, reply, fault)

    async def _reply(
        self, request: web.BaseRequest, call: str, id: str, fault: Fault | None
    ) -> tuple[Reply, Fault | None]:
        match call:
            case "start":
                return await self.service.start(request, fault)
            case "status":
                return await self.service.status(request, id), fault
            case "result":
                return await self.service.result(request, id), fault
        return await self.service.token(request), fault

    async def _deliver(
        self, request: web.BaseRequest, call: str, reply: Reply, fault: Fault | None
    ) -> web.StreamResponse:
        if reply.operation:
            self.connections.started(request.protocol, reply.operation)
        if self._latency:
            await asyncio.sleep(self._latency)
        if is_gone(request):
            return web.Response()  # to nobody
        if fault:
            self.account.faults[call][fault.kind] += 1
            if fault.kind == "reset":
                return wire.reset(request)
            if fault.kind == "truncated":
                self.account.sent += len(wire.first_half(reply))
                return await wire.cut_short(request, reply)
            reply = fault.reply()
        elif reply.status >= 400:
            self.account.refused[str(reply.status)] += 1
        self.connections.answered(request.protocol)
        self.account.sent += len(reply.body)
        return reply.response()

    async def _control(self, request: web.BaseRequest) -> Reply:
        try:
            match request.method, request.path.removeprefix("/standin/"):
                case "GET", "health":
                    return json_reply({})
                case "GET", "stats":
                    return json_reply(self._stats(request.query.get("sources") != "0"))
                case "POST", "quota":
                    left = (await _json(request))["left"]
                    self.service.quota = None if left is None else max(0, int(left))
                    return json_reply({})
                case "POST", "lose-next-start":
                    order = await _json(request)
                    source = order.get("source")
                    self.service.losses.order(order.get("kind", "reset"), bytes.fromhex(source) if source else None)
                    return json_reply({})
        except (ValueError, KeyError, TypeError) as error:
            return refusal(400, f"{type(error).__name__}: {error}", "errorInvalidRequest")
        return refusal(404, "There is no such path here.", "errorNotFound")

    def _stats(self, with_sources: bool) -> dict[str, Any]:
        operations = self.service.operations
        known = operations.all()
        sources = account.by_source(known)
        flight = {"in_flight": operations.in_flight(), "peak_in_flight": operations.peak}
        return {
            **self.account.to_json(),
            "operations": account.summary(known, sources) | flight,
            "polls": account.polls(known),
            "connections": {"open": len(self.connections), "peak": self.connections.peak},
            "sources": sources if with_sources else {},
        }


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """
    Run a stand-in for as long as the context lasts, and give its port.

    :param settings: its settings.
    """
    server = Server(settings)
    runner = web.ServerRunner(CountingServer(server.handle, server.connections), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, settings.port, backlog=BACKLOG).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _call(request: web.BaseRequest) -> tuple[str, str]:
    for method, path, call in _CALLS:
        if method == request.method and (found := path.fullmatch(request.path)):
            return call, found[1]
    return "", ""


async def _json(request: web.BaseRequest) -> dict[str, Any]:
    value = json.loads(await request.read() or b"{}")
    if not isinstance(value, dict):
        raise TypeError("a JSON object is due")
    return value
