"""The HTTP server: which call it is, the faults, the account, and the calls that only we make."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from workbench.standin import account, certificates, wire
from workbench.standin.account import Account
from workbench.standin.connections import Connections, CountingServer, is_gone
from workbench.standin.dialect import Dialect
from workbench.standin.faults import Fault, Faults
from workbench.standin.ocr import Ocr
from workbench.standin.operations import Operations
from workbench.standin.replies import Reply, json_reply, refusal
from workbench.standin.service import Service
from workbench.standin.settings import Settings
from workbench.standin.slides import Slides

HOST = "127.0.0.1"
BACKLOG = 1024


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
        self._dialects: list[Dialect] = [Slides(settings.steps), Ocr()]
        self._latency = settings.latency

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if request.path.startswith("/standin/"):
            return (await self._control(request)).response()
        found = self._find_call(request)
        if not found:
            return refusal(404, "There is no such path here.", "errorNotFound").response()
        call, dialect, id = found
        self.account.calls[call] += 1
        if not is_gone(request):
            self.connections.used(request.protocol)
        fault = self.faults.draw(call)
        try:
            reply, fault = await self._reply(request, call, dialect, id, fault)
        except (ConnectionError, web.RequestPayloadError):
            self.account.incomplete += call == "start"
            return web.Response()  # to nobody
        finally:
            self.account.received += request.content.total_bytes
        return await self._deliver(request, call, reply, fault)

    def _find_call(self, request: web.BaseRequest) -> tuple[str, Dialect, str] | None:
        for dialect in self._dialects:
            for method, path, call in dialect.calls:
                if method == request.method and (found := path.fullmatch(request.path)):
                    return call, dialect, found.groupdict().get("id") or request.query.get("id", "")
        return None

    async def _reply(
        self, request: web.BaseRequest, call: str, dialect: Dialect, id: str, fault: Fault | None
    ) -> tuple[Reply, Fault | None]:
        match call:
            case "start":
                return await self.service.start(dialect, request, fault)
            case "status":
                return self.service.status(dialect, request, id), fault
            case "result":
                return self.service.result(dialect, request, id), fault
            case "cancel":
                return self.service.cancel(dialect, request, id, fault), fault
        return await self.service.token(request), fault

    async def _deliver(
        self, request: web.BaseRequest, call: str, reply: Reply, fault: Fault | None
    ) -> web.StreamResponse:
        if reply.created:
            self.connections.started(request.protocol, reply.created)
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
        elif reply.ended:
            reply.ended.notice(self.service.operations.now())
        self.connections.answered(request.protocol)
        self.account.sent += len(reply.body)
        return reply.response()

    async def _control(self, request: web.BaseRequest) -> Reply:
        try:
            match request.method, request.path.removeprefix("/standin/"):
                case "GET", "health":
                    return json_reply({})
                case "GET", "stats":
                    stats = self._stats(request.query.get("sources") != "0")
                    return Reply(200, json.dumps(stats, separators=(",", ":")).encode())
                case "POST", "quota":
                    left = (await _json(request))["left"]
                    self.service.quota = None if left is None else max(0, int(left))
                    return json_reply({})
                case "POST", "finish":
                    self.service.operations.finish()
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
            "connections": self.connections.to_json(),
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
        tls = certificates.server_context(settings.tls) if settings.tls else None
        await web.TCPSite(runner, HOST, settings.port, backlog=BACKLOG, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _json(request: web.BaseRequest) -> dict[str, Any]:
    value = json.loads(await request.read() or b"{}")
    if not isinstance(value, dict):
        raise TypeError("a JSON object is due")
    return value
