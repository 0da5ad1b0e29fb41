"""The server: all services, one login, one port on loopback, the faults that it is to have, and what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.account import Connections
from docconv_sandbox.auth import BAN_SECONDS, Auth
from docconv_sandbox.bodies import read_to_end
from docconv_sandbox.docling import Docling
from docconv_sandbox.errors import ApiError
from docconv_sandbox.faults import Fault, Faults
from docconv_sandbox.groupdocs import GroupDocs
from docconv_sandbox.ocr import Ocr
from docconv_sandbox.operations import Operations
from docconv_sandbox.service import Service, Starts
from docconv_sandbox.settings import Settings
from docconv_sandbox.slides import Slides
from docconv_sandbox.storage import Storages

HOST = "127.0.0.1"
_BACKLOG = 1024
_READ_AHEAD = 1 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """
    One running sandbox.

    :param settings: its settings.
    :param folder: an empty folder for everything it keeps.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self.auth = Auth(settings)
        self.operations = Operations(settings, folder / "operations")
        self.faults = Faults(settings.faults, settings.seed)
        self.connections = Connections()
        self.starts = Starts(self.operations, self.faults, self.connections)
        common = (settings, self.operations, self.starts)
        self._services: list[Service] = [
            Slides(*common, Storages(settings.storages, folder / "slides")),
            GroupDocs(*common, Storages(settings.storages, folder / "groupdocs")),
            Ocr(*common),
            Docling(*common),
        ]
        self.url = ""

    def application(self) -> web.Application:
        """Make the web application."""
        application = web.Application(middlewares=[self._serve])
        application.router.add_post("/connect/token", self.token)
        application.router.add_get("/sandbox/health", self.health)
        application.router.add_get("/sandbox/stats", self.stats)
        application.router.add_post("/sandbox/{order:faults|finish|quota|lose-next-start}", self.take_order)
        for service in self._services:
            application.add_routes(service.routes())
        return application

    async def token(self, request: web.Request) -> web.Response:
        """Log in."""
        try:
            form = dict(parse_qsl(await wire.text(request)))
        except web.RequestPayloadError:
            return web.json_response({"error": "invalid_request"}, status=400)
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if self.auth.is_banned(client_id, client_secret):
            self.auth.logins_refused += 1
            return web.Response(status=429, headers={"Retry-After": str(BAN_SECONDS)})
        token = self.auth.log_in(client_id, client_secret)
        if token is None:
            return web.json_response({"error": "invalid_client"}, status=400)
        return web.json_response(
            {"access_token": token, "expires_in": self._settings.token_lifetime, "token_type": "Bearer"},
            headers={"Cache-Control": "no-store"},
        )

    async def health(self, request: web.Request) -> web.Response:
        """Tell that the sandbox is up."""
        return web.json_response({"status": "ok"})

    async def stats(self, request: web.Request) -> web.Response:
        """Tell everything there is to know."""
        return web.json_response(self.to_stats(details=request.query.get("details") != "0"))

    def to_stats(self, *, details: bool = True) -> dict[str, Any]:
        """
        Give everything there is to know.

        :param details: whether with each operation and each source.
        """
        return {
            "logins_ok": self.auth.logins_ok,
            "logins_refused": self.auth.logins_refused,
            "connections": self.connections.to_json(),
            **self.operations.account.to_json(details=details),
            "operations": self.operations.to_stats() if details else [],
        }

    async def take_order(self, request: web.Request) -> web.Response:
        """Do what a test asks for."""
        try:
            order = json.loads(await request.read() or b"{}")
            match request.match_info["order"]:
                case "faults":
                    self.faults.replace(str(order["rules"]))
                case "finish":
                    self.operations.finish()
                case "quota":
                    left = order["left"]
                    self.starts.quota = None if left is None else max(0, int(left))
                case "lose-next-start":
                    source = order.get("source")
                    self.faults.lose_next_start(order.get("kind", "reset"), bytes.fromhex(source) if source else None)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({})

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        account = self.operations.account
        service = next((found for found in self._services if request.path.lower().startswith(found.prefix)), None)
        sort, method = self._describe(request, service)
        account.methods[method] += 1
        if service is None and sort != "login":
            return await handler(request)
        account.calls[sort] += 1
        if not wire.is_gone(request):
            self.connections.used(request.protocol)
        call = wire.Call(self.faults.draw(sort))
        wire.CALL.set(call)
        try:
            response = await self._reply(request, handler, service, call.fault, sort)
        except (ConnectionError, web.RequestPayloadError) as error:
            account.incomplete += sort == "start"
            if isinstance(error, ConnectionError) or wire.is_gone(request):
                return web.Response()  # to nobody
            refused = ApiError(400, "The body is not what its headers say.", "errorInvalidRequest")
            response = service.refuse(refused) if service else web.Response(status=400)
            # aiohttp hangs up after that: the caller is to know, and not to send its next request here.
            response.force_close()
        return await self._deliver(request, response, service, sort, call)

    async def _reply(
        self, request: web.Request, handler: Handler, service: Service | None, fault: Fault | None, sort: str
    ) -> web.StreamResponse:
        changes = sort in {"login", "cancel"} or (sort == "storage" and request.method != "GET")
        if fault and not fault.done and changes:
            await read_to_end(request)
            return web.json_response({"access_token": "none"})
        if service is None:
            return await handler(request)
        try:
            if not service.admits(request, self.auth):
                raise ApiError(401, "The access token is missing, invalid or expired.", "Unauthorized")
            return await handler(request)
        except ApiError as error:
            response = service.refuse(error)
            if error.status == 401 and service.has_tokens:
                response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response
        except web.HTTPException as error:
            # An unknown path or method: these servers answer with nothing but the status.
            return web.Response(status=error.status)

    async def _deliver(
        self, request: web.Request, response: web.StreamResponse, service: Service | None, sort: str, call: wire.Call
    ) -> web.StreamResponse:
        account = self.operations.account
        # Another one may have been ordered for this start.
        fault = call.fault
        delay = self._settings.latency
        if fault and fault.kind == "delay":
            delay += 1.0 if fault.seconds is None else fault.seconds
        if delay:
            await asyncio.sleep(delay)
        if wire.is_gone(request):
            return web.Response()  # to nobody
        if fault:
            account.faults[sort][fault.kind] += 1
            if fault.kind == "reset":
                return wire.reset(request)
            if fault.kind == "truncated":
                return await wire.cut_short(request, response)
            if fault.kind == "garbage":
                kind = "text/html" if fault.noise.startswith(b"<") else "application/octet-stream"
                response = web.Response(body=fault.noise, content_type=kind)
            elif fault.status:
                response = _refusal(fault, service)
        if not (fault and fault.loses_reply):
            if response.status >= 400:
                account.refused[str(response.status)] += 1
            elif call.told:
                account.told(call.told)
        self.connections.answered(request.protocol)
        return response

    def _describe(self, request: web.Request, service: Service | None) -> tuple[str, str]:
        """Tell the sort of a call, and the name that it is counted under."""
        if request.match_info.http_exception is not None:
            return "other", "unknown.path"
        handler: Any = request.match_info.handler
        if handler.__self__ is self:
            return ("login", "login.token") if handler.__name__ == "token" else ("other", f"sandbox.{handler.__name__}")
        name = f"{handler.__self__.name}.{handler.__name__}"
        if handler.__self__ is not service or service is None:
            return "storage", name
        return service.SORTS.get(handler.__name__, "other"), name


def _refusal(fault: Fault, service: Service | None) -> web.Response:
    status = fault.status or 500
    if service:
        error = ApiError(status, f"The sandbox was told to answer {status} here.", f"error{status}")
        response = service.refuse(error)
    else:
        # Only these say that the credentials are wrong.
        response = web.json_response({"error": "invalid_client" if status in {400, 401} else "fault"}, status=status)
    response.headers.update(fault.retry_after())
    return response


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """
    Run a sandbox for as long as the context lasts.

    :param settings: its settings.
    """
    folder = Path(tempfile.mkdtemp(prefix="docconv-sandbox-"))
    try:
        server = Server(settings, folder)
        runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1.0, read_bufsize=_READ_AHEAD)
        await runner.setup()
        _watch(runner, server.connections)
        sweeping = asyncio.create_task(server.operations.sweep())
        try:
            tls = _tls(settings)
            await web.TCPSite(runner, HOST, settings.port, backlog=_BACKLOG, ssl_context=tls).start()
            server.url = f"{'https' if tls else 'http'}://{HOST}:{runner.addresses[0][1]}"
            yield server
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            await server.operations.close()
            await runner.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watch(runner: web.AppRunner, connections: Connections) -> None:
    """Let the account know of each connection that closes, before its socket is closed."""
    server: Any = runner.server
    inherited = server.connection_lost

    def connection_lost(handler: Any, error: BaseException | None = None) -> None:
        connections.closed(handler, error)
        inherited(handler, error)

    server.connection_lost = connection_lost


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context
