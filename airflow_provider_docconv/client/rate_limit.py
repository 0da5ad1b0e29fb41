"""The rate of a connection's calls: of one process, or of all that share a Redis or Valkey server."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_docconv.services.errors import InvalidOptions, explain

if TYPE_CHECKING:
    from limits import RateLimitItem

_PREFIX = "docconv"
# A call waits so many seconds for the server's answer, and a server that gave none is left alone for a while.
_TIMEOUT = 2.0
_LEFT_ALONE = 30.0
# A shorter pause does not end a longer one.
_PROLONG = """
if tonumber(ARGV[1]) > redis.call('PTTL', KEYS[1]) then
    redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
end
"""
_log = logging.getLogger(__name__)


class RateLimit:
    """
    Counts calls against a limit per second.

    With a server, the limit holds for all processes that name it, and so does a pause that the service asks one of them
    to make. While the server does not answer, each process keeps to the limit by itself.

    :param per_second: how many calls may be sent in any second; a fraction such as 0.5 is one in any two seconds
    :param server_url: the Redis or Valkey server, empty for none
    :param account: what identifies the account at the service, for all processes
    """

    def __init__(self, per_second: float, server_url: str = "", account: str = "") -> None:
        # Imported only where a connection sets a limit.
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        rate = Fraction(per_second).limit_denominator(60) or Fraction(1, ceil(1 / per_second))
        self._limit = RateLimitItemPerSecond(rate.numerator, rate.denominator)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = _SharedLimit(self._limit, server_url, account) if server_url else None

    def acquire(self) -> float:
        """
        Count a call and return 0, or return the seconds after which to try again.

        :raises InvalidOptions: if the driver of the server is missing
        """
        seconds = self._acquire_own()
        return seconds if seconds or not self._shared else self._shared.acquire()

    async def acquire_async(self) -> float:
        """Do the same as :meth:`acquire` from an event loop."""
        seconds = self._acquire_own()
        return seconds if seconds or not self._shared else await self._shared.acquire_async()

    def pause(self, seconds: float) -> None:
        """
        Make all other processes pause, too. Returns at once.

        :param seconds: for how long
        """
        if self._shared:
            self._shared.pause(seconds)

    def _acquire_own(self) -> float:
        # The shared limit can't grant more than this, so the server is asked no more often.
        if self._own.hit(self._limit):
            return 0.0
        return max(0.01, self._own.get_window_stats(self._limit).reset_time - time.time())


class _SharedLimit:
    """A limit that all processes count against, at a server."""

    def __init__(self, limit: RateLimitItem, server_url: str, account: str) -> None:
        self._limit = limit
        self._url = server_url
        self._account = hashlib.sha256(account.encode()).hexdigest()[:32]
        self._pause_key = f"{_PREFIX}:pause:{self._account}"
        self._limiter: Any = None
        self._opening = threading.Lock()
        self._left_alone_until = 0.0
        # Not an event loop's own threads, which others need while the server does not answer.
        self._threads = ThreadPoolExecutor(2, "docconv-rate-limit")

    def acquire(self) -> float:
        """
        Count a call and return 0, also if the server does not answer; or return the seconds after which to try again.

        :raises InvalidOptions: if the driver is missing
        """
        seconds = self._ask(self._acquire)
        return seconds or 0.0

    async def acquire_async(self) -> float:
        """Do the same from an event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.acquire)

    def pause(self, seconds: float) -> None:
        """Make all other processes pause; returns at once."""
        milliseconds = ceil(seconds * 1000)

        self._threads.submit(self._ask, lambda limiter: self._prolong(limiter.storage.storage, milliseconds))

    def _prolong(self, server: Any, milliseconds: int) -> None:
        server.eval(_PROLONG, 1, self._pause_key, milliseconds)

    def _acquire(self, limiter: Any) -> float:
        if (paused := limiter.storage.storage.pttl(self._pause_key)) > 0:
            return float(paused) / 1000
        if limiter.hit(self._limit, self._account):
            return 0.0
        free_at: float = limiter.get_window_stats(self._limit, self._account).reset_time
        return max(0.01, free_at - time.time())

    def _ask(self, question: Callable[[Any], float | None]) -> float | None:
        """Ask the server; return None if it does not answer, or has not just now."""
        if monotonic() < self._left_alone_until:
            return None
        try:
            import redis
        except ImportError:
            raise InvalidOptions(
                "rate_limit_url of the connection needs the package redis, which is not installed",
                remedy="install airflow-provider-docconv[redis]",
            ) from None
        try:
            answer = question(self._connected())
        except (redis.RedisError, OSError) as error:  # The limit must not stop the work.
            self._leave_alone(error)
            return None
        if self._left_alone_until:
            self._left_alone_until = 0.0
            _log.info("The server of rate_limit_url answers again")
        return answer

    def _connected(self) -> Any:
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter

        with self._opening:
            if self._limiter is None:
                # Valkey speaks Redis's protocol.
                url = self._url.replace("valkey", "redis", 1) if self._url.startswith("valkey") else self._url
                timeouts = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
                storage = RedisStorage(url, None, _PREFIX, wrap_exceptions=False, **timeouts)
                self._limiter = MovingWindowRateLimiter(storage)
            return self._limiter

    def _leave_alone(self, error: Exception) -> None:
        if not self._left_alone_until:
            words = explain(error).replace(urlsplit(self._url).password or "\0", "***")
            _log.warning(
                "The server of rate_limit_url does not answer (%s); until it does, max_calls_per_second holds for each "
                "process by itself",
                words,
            )
        self._left_alone_until = monotonic() + _LEFT_ALONE
