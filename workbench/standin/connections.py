"""The clients' connections: how many there are, and whether one was dropped with the reply to a start unread."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from workbench.standin.operations import Operation

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connections:
    """Those that carried a call, from the first one on; who only asks for the account is not counted."""

    def __init__(self) -> None:
        # With the operation that was started over it last, until another call shows that its reply was read.
        self._open: dict[object, Operation | None] = {}
        self._unsent: set[object] = set()
        #: How many there have been, and the most at one time.
        self.opened = 0
        self.peak = 0

    def to_json(self) -> dict[str, int]:
        """Return the counts."""
        return {"open": len(self._open), "opened": self.opened, "peak": self.peak}

    def used(self, connection: object) -> None:
        """Note that a connection carries a call."""
        self.opened += connection not in self._open
        self._open[connection] = None
        self.peak = max(self.peak, len(self._open))

    def started(self, connection: object, operation: Operation) -> None:
        """Note that an operation was created, of which nobody knows yet."""
        if connection in self._open:
            self._open[connection] = operation
            self._unsent.add(connection)
        else:
            _lose(operation)

    def answered(self, connection: object) -> None:
        """Note that the reply to the call is sent."""
        self._unsent.discard(connection)

    def closed(self, connection: object, unread: bool) -> None:
        """
        Note that a connection is closed.

        :param connection: the connection.
        :param unread: whether the client's kernel has thrown away something that we sent.
        """
        operation = self._open.pop(connection, None)
        if operation and (unread or connection in self._unsent):
            _lose(operation)
        self._unsent.discard(connection)


class CountingServer(web.Server):
    """
    aiohttp's server, which tells of the connections that are closed.

    :param handler: answers the requests.
    :param used: is told.
    """

    def __init__(self, handler: Handler, used: Connections) -> None:
        super().__init__(handler, access_log=None)
        self._used = used

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Tell the account before the socket is closed."""
        self._used.closed(handler, exc is not None or _was_reset(handler))
        super().connection_lost(handler, exc)


def is_gone(request: web.BaseRequest) -> bool:
    """Tell whether nobody would hear a reply."""
    return request.transport is None or request.transport.is_closing()


def _was_reset(handler: RequestHandler) -> bool:
    # After a FIN the kernel keeps a reset to itself until it is asked: the client closed, then our reply came.
    # Under TLS asyncio has closed the socket by now: a client that closed just before our reply counts as one that
    # has heard it.
    found = handler.transport.get_extra_info("socket") if handler.transport else None
    return found is not None and found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def _lose(operation: Operation) -> None:
    # Where a fault has lost the reply already, the client's end adds nothing.
    operation.lost = operation.lost or "client"
