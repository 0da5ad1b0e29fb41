"""
Ends calls of the blocking client that take too long as a whole; socket timeouts only limit silence.

A server that sends a byte now and then could hold a task for years. So a thread watches the calls in progress, and
shuts down the sockets of those that are late; their readers then see the connection end.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

# How late a call may be ended, in seconds.
_TICK = 0.2


class Call:
    """
    A request in progress. A context, which watches it from beginning to end; used in the thread that sends it.

    :param deadline: when to end it, on the monotonic clock; infinite for never
    :param reply_time: seconds from the end of the request within which the headers of the reply must arrive
    :param may_be_cut: whether the deadline also ends the wait for the reply. It must not end that of a start, whose
        outcome would then be unknown
    """

    def __init__(self, deadline: float, reply_time: float, *, may_be_cut: bool) -> None:
        self._deadline = self._until = deadline
        self._reply_time = reply_time
        self._may_be_cut = may_be_cut
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        #: Whether it was ended because it was late.
        self.was_ended = False

    def __enter__(self) -> Self:
        _current.call = self
        _watch(self)
        return self

    def __exit__(self, *_: object) -> None:
        _forget(self)
        with self._lock:
            self._drop()

    def uses(self, connection: Any) -> None:
        """Remember the socket of the call."""
        with self._lock:
            self._drop()
            # A copy, because the wrapping for TLS takes the socket away from the object that urllib3 has opened.
            self._socket = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)

    def is_sent(self) -> None:
        """Take note that the request is sent, and its reply is due."""
        self._until = monotonic() + self._reply_time
        if self._may_be_cut:
            self._until = min(self._until, self._deadline)

    def streams(self) -> None:
        """Take note that the reply has begun, and its body may take as long as there is time."""
        self._until = self._deadline

    def end_if_late(self) -> None:
        """Shut the socket down if the time is up."""
        if monotonic() < self._until:
            return
        with self._lock:
            self.was_ended = True
            if self._socket:
                with suppress(OSError):  # The other side may have closed it.
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None


class _WatchedConnection:
    """What a connection of urllib3 does besides: it tells the thread's call what happens."""

    def _new_conn(self) -> Any:
        opened = super()._new_conn()  # type: ignore[misc]  # It is mixed into urllib3's classes.
        _current.call.uses(opened)
        return opened

    def request(self, *args: Any, **kwargs: Any) -> None:
        if kept := getattr(self, "sock", None):
            _current.call.uses(kept)
        super().request(*args, **kwargs)  # type: ignore[misc]  # Likewise.

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _current.call.is_sent()
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]  # Likewise.


@lru_cache(maxsize=16)
def watched(connection: type) -> type:
    """
    Return a class of urllib3's connections that is watched.

    :param connection: the class, which may be watched already
    """
    if issubclass(connection, _WatchedConnection):
        return connection
    return type(f"Watched{connection.__name__}", (_WatchedConnection, connection), {})


_current = threading.local()
_calls: set[Call] = set()
_lock = threading.Lock()
_runs = False


def _watch(call: Call) -> None:
    global _runs
    with _lock:
        _calls.add(call)
        if not _runs:
            _runs = True
            threading.Thread(target=_look_after_calls, name="docconv-watchdog", daemon=True).start()


def _forget(call: Call) -> None:
    with _lock:
        _calls.discard(call)


def _look_after_calls() -> None:
    global _runs
    while True:
        time.sleep(_TICK)
        with _lock:
            if not _calls:
                _runs = False
                return
            calls = list(_calls)
        for call in calls:
            call.end_if_late()


def _forget_all() -> None:
    global _lock, _runs
    # The threads of the process that was forked are not here, and one of them may have held the lock.
    _lock, _runs = threading.Lock(), False
    _calls.clear()


os.register_at_fork(after_in_child=_forget_all)
