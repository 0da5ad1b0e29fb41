"""A sandbox in a thread of this process, for anyone's tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from docconv_sandbox.settings import Settings

if TYPE_CHECKING:
    from docconv_sandbox.server import Server

T = TypeVar("T")


class Sandbox:
    """
    A sandbox that runs while the context lasts.

    .. code-block:: python

        with Sandbox(workers=1) as sandbox:
            requests.get(f"{sandbox.url}/sandbox/health")

    :param settings: what ``Settings`` takes; the port is a free one unless told otherwise.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.url = ""
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._started = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def client_id(self) -> str:
        """The client id that logs in."""
        return self.settings.client_id

    @property
    def client_secret(self) -> str:
        """The secret that goes with it."""
        return self.settings.client_secret

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="docconv-sandbox", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def stats(self, *, details: bool = True) -> dict[str, Any]:
        """
        Give what ``GET /sandbox/stats`` tells.

        :param details: whether with each operation and each source, which is much where there were many.
        """
        return self._ask(lambda server: server.to_stats(details=details))

    def set_faults(self, rules: str) -> None:
        """Replace the faults that were chosen at the start; nothing takes them away."""
        self._ask(lambda server: server.faults.replace(rules))

    def fail_next(self, kind: int | str, call: str = "start", times: int = 1, seconds: float | None = None) -> None:
        """
        Let the next calls of a sort go wrong.

        :param kind: an HTTP status from 400 to 599, or ``lost``, ``delay``, ``reset``, ``truncated``, ``garbage`` or
            ``forget``.
        :param call: ``login``, ``start``, ``status``, ``result``, ``cancel`` or ``storage``.
        :param times: how many.
        :param seconds: how long a delay takes, or what Retry-After says.
        """
        self._ask(lambda server: server.faults.fail_next(str(kind), call, times, seconds))

    @property
    def calls(self) -> dict[str, int]:
        """How many calls have come so far, by sort."""
        return dict(self.stats(details=False)["calls"])

    def finish(self) -> None:
        """Let all operations end now that wait in the queue or for their time."""
        self._ask(lambda server: server.operations.finish())

    def set_quota(self, left: int | None) -> None:
        """Refuse all starts after as many operations more, or none any longer."""

        def set_quota(server: Server) -> None:
            server.starts.quota = left

        self._ask(set_quota)

    def lose_next_start(self, kind: str = "reset", source_sha256: str | None = None) -> None:
        """
        Let the reply to the next start that creates an operation be lost.

        :param kind: how: ``500``, ``reset``, ``truncated`` or ``garbage``.
        :param source_sha256: the source whose next start it is, None for any.
        """
        source = bytes.fromhex(source_sha256) if source_sha256 else None
        self._ask(lambda server: server.faults.lose_next_start(kind, source))

    def expire_tokens(self) -> None:
        """Make every token given so far invalid, as if its time had come."""
        self._ask(lambda server: server.auth.expire_tokens())

    def _ask(self, question: Callable[[Server], T]) -> T:
        server, loop = self._server, self._loop
        if server is None or loop is None:
            raise RuntimeError("The sandbox is not running.")

        async def ask() -> T:
            return question(server)

        return asyncio.run_coroutine_threadsafe(ask(), loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # It belongs to the thread that waits for the start; after the start nobody is there to take it.
            self._error = error
        finally:
            self._server = None
            self._started.set()

    async def _serve(self) -> None:
        from docconv_sandbox.server import serving

        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with serving(self.settings) as server:
            self._server = server
            self.url = server.url
            self._started.set()
            await self._stop.wait()
