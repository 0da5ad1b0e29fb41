"""The server: three services, one login, one port on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.auth import BAN_SECONDS, Auth
from docconv_sandbox.errors import ApiError
from docconv_sandbox.groupdocs import GroupDocs
from docconv_sandbox.introspection import Introspection
from docconv_sandbox.ocr import Ocr
from docconv_sandbox.operations import Operations
from docconv_sandbox.service import Context, Service
from docconv_sandbox.settings import Settings
from docconv_sandbox.slides import Slides
from docconv_sandbox.storage import Storages

HOST = "127.0.0.1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """One running sandbox.

    :param settings: its settings
    :param folder: an empty folder for everything it keeps
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self.auth = Auth(settings)
        self.operations = Operations(settings, folder / "operations")
        self.introspection = Introspection(self.auth, self.operations)
        context = Context(settings, self.operations)
        self._services: list[Service] = [
            Slides(context, Storages(settings.storages, folder / "slides")),
            GroupDocs(context, Storages(settings.storages, folder / "groupdocs")),
            Ocr(context),
        ]
        self.port = 0

    def application(self) -> web.Application:
        """Make the web application."""
        application = web.Application(middlewares=[self._serve])
        application.router.add_post("/connect/token", self.token)
        application.add_routes(self.introspection.routes())
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

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._count(request)
        service = next((found for found in self._services if request.path.lower().startswith(found.prefix)), None)
        if service is None:
            return await handler(request)
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not self.auth.is_valid(token.strip()):
                raise ApiError(401, "The access token is missing, invalid or expired.", "Unauthorized")
            return await handler(request)
        except ApiError as error:
            response = service.refuse(error)
            if error.status == 401:
                response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response
        except web.RequestPayloadError:
            response = service.refuse(ApiError(400, "The body is not what its headers say.", "errorInvalidRequest"))
            # aiohttp hangs up after that: the caller is to know, and not to send its next request here.
            response.force_close()
            return response
        except web.HTTPException as error:
            # An unknown path or method: these servers answer with nothing but the status.
            return web.Response(status=error.status)

    def _count(self, request: web.Request) -> None:
        handler: Any = request.match_info.handler
        if request.match_info.http_exception is not None:
            call = "unknown.path"
        elif handler.__self__ is self:
            call = "login.token"
        else:
            call = f"{handler.__self__.name}.{handler.__name__}"
        self.introspection.calls[call] += 1


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """Run a sandbox for as long as the context lasts.

    :param settings: its settings
    """
    folder = Path(tempfile.mkdtemp(prefix="docconv-sandbox-"))
    try:
        server = Server(settings, folder)
        runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        sweeping = asyncio.create_task(server.operations.sweep())
        try:
            site = web.TCPSite(runner, HOST, settings.port)
            await site.start()
            server.port = runner.addresses[0][1]
            yield server
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            await server.operations.close()
            await runner.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
