"""The two replies that aiohttp would not send by itself."""

from __future__ import annotations

import socket
import struct

from aiohttp import web

from workbench.standin.replies import Reply


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection instead of replying."""
    transport = request.transport
    if transport is not None:
        # Closed with this, the kernel sends a RST and not a FIN.
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()
    return web.Response()


async def cut_short(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Send the first half of a reply and close the connection, as if the rest were still to come."""
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)), **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.force_close()
    await response.prepare(request)
    await response.write(first_half(reply))
    return response


def first_half(reply: Reply) -> bytes:
    """Return as much of a reply as is sent of it when it is cut short."""
    return reply.body[: len(reply.body) // 2]
