"""What differs between the services that are stood in for: their paths, and how they word what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeAlias

from aiohttp import web

from workbench.standin.operations import Operation
from workbench.standin.replies import Reply
from workbench.standin.uploads import Upload

Call: TypeAlias = tuple[str, re.Pattern[str], str]
LOGIN: Call = ("POST", re.compile("/connect/token"), "token")


class Dialect(Protocol):
    """
    One vendor's protocol.

    :cvar name: its name; an operation is known only to the service that it was asked of.
    :cvar calls: method, path and kind (token, start, status, result, cancel) of each call; the operation id is the
        group ``id`` of the path or, where there is none, that of the query.
    :cvar started: the HTTP status of a start that succeeds.
    """

    name: ClassVar[str]
    calls: ClassVar[Sequence[Call]]
    started: ClassVar[int]

    async def receive(self, request: web.BaseRequest) -> Upload:
        """
        Take in the body of a start to its end.

        :param request: the request.
        :raises ValueError: if there is no document in it, or it is not what its headers say.
        """

    def refusal(self, status: int, message: str, code: str) -> Reply:
        """
        Refuse a call.

        :param status: the HTTP status.
        :param message: what the caller reads.
        :param code: a word for it.
        """

    def unknown(self, id: str) -> Reply:
        """Answer for an operation that does not exist, or no longer."""

    def status(self, id: str, operation: Operation, now: float) -> Reply:
        """
        Tell where an operation is.

        :param id: its id.
        :param operation: the operation.
        :param now: the time on the operations' clock.
        """

    def result(self, id: str, operation: Operation, now: float, size: int) -> Reply:
        """
        Give the result of an operation, if there is one.

        :param id: its id.
        :param operation: the operation.
        :param now: the time on the operations' clock.
        :param size: the result's length in bytes.
        """
