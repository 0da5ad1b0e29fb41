"""What all clients of a connection share in a process: the token, the pause, the rate limit and the counts."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TypeAlias

from airflow_provider_docconv.client.rate_limit import RateLimit
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import AuthenticationFailed, DocConvError, scrub
from airflow_provider_docconv.services.http import Token
from airflow_provider_docconv.testing import delay

#: A token, or why there is none.
LoginOutcome: TypeAlias = Token | Exception

# For so many seconds a refused login is not repeated: each refusal brings the vendor's lock closer.
_REFUSAL_REMEMBERED = 60.0
# Nor is one that has failed otherwise: a thousand waiters would ask for it one after the other.
_FAILURE_REMEMBERED = 5.0
# Counts the requests of one user of a session, beside those of all.
_own_calls: ContextVar[Counter[str] | None] = ContextVar("own_calls", default=None)


class Session:
    """
    What the clients of one connection share, in all threads and event loops.

    :param settings: the connection
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: Signs the requests.
        self.auth = settings.auth
        #: Counts calls against the connection's ``max_calls_per_second``; None if it sets no limit.
        self.rate_limit: RateLimit | None = None
        if settings.max_calls_per_second:
            self.rate_limit = RateLimit(settings.max_calls_per_second, settings.rate_limit_url, settings.account)
        # Event loops take this lock, so nothing slow happens under it.
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._paused_until = 0.0
        self._token: Token | None = None
        self._login: Future[LoginOutcome] | None = None
        self._failed_until = 0.0
        # Listeners may be slow, so they have a lock of their own.
        self._telling = threading.Lock()
        self._listeners: set[Callable[[str], object]] = set()

    def count(self, kind: str) -> None:
        """Count a request."""
        own = _own_calls.get()
        with self._lock:
            self._calls[kind] += 1
            if own is not None:
                own[kind] += 1

    @property
    def calls(self) -> Counter[str]:
        """How many requests have been sent, by kind; the vendors bill them."""
        with self._lock:
            return self._calls.copy()

    def pause(self, seconds: float) -> None:
        """Hold all senders for so many seconds, as the service asks, in all processes that share the rate limit."""
        with self._lock:
            self._paused_until = max(self._paused_until, monotonic() + delay(seconds))
        if self.rate_limit:
            self.rate_limit.pause(delay(seconds))

    @property
    def pause_left(self) -> float:
        """The seconds for which all senders must still wait, 0 if there is no pause."""
        return max(0.0, self._paused_until - monotonic()) if self._paused_until else 0.0

    def token(self, refused: Token | None = None) -> Token | None:
        """
        Return the token, or None if a login is needed.

        :param refused: a token that the service has refused
        """
        token = self._token
        return token if token and token is not refused and monotonic() < token.renew_at else None

    def log_in(self, log_in: Callable[[Session], Token], refused: Token | None = None) -> Future[LoginOutcome]:
        """
        Return the login in progress, or the last one if its token is valid or its failure recent, or start a new one.

        A login runs in its own thread: its caller may be interrupted or lose its event loop while others still wait.

        :param log_in: asks the service for a token
        :param refused: a token that the service has refused
        """
        with self._lock:
            if self._login and (not self._login.done() or self.token(refused) or monotonic() < self._failed_until):
                return self._login
            login: Future[LoginOutcome] = Future()
            # So no waiter can cancel it for the others.
            login.set_running_or_notify_cancel()
            threading.Thread(target=self._run_login, args=(log_in, login), name="docconv-login", daemon=True).start()
            self._login = login
            return login

    def forget_login(self) -> None:
        """Make the next call log in, even if there is a token or a recent failure."""
        with self._lock:
            self._token, self._failed_until = None, 0.0

    def add_listener(self, listener: Callable[[str], object]) -> None:
        """Call a listener with the current token, and with every later one before it is used."""
        with self._telling:
            self._listeners.add(listener)
            if self._token:
                listener(self._token.value)

    def complete(self, error: DocConvError) -> None:
        """Name the connection in an error, and remove the connection's secrets from it."""
        if self.settings.conn_id:
            error.conn_id = self.settings.conn_id
            error.remedy = error.remedy.replace("of the connection", f"of connection {self.settings.conn_id!r}")
        scrub(error, *self.auth.secrets, self._token.value if self._token else None)

    def _run_login(self, log_in: Callable[[Session], Token], login: Future[LoginOutcome]) -> None:
        try:
            token = log_in(self)
            with self._telling:
                for listener in self._listeners:
                    listener(token.value)
                self._token = token
            login.set_result(token)
        except Exception as error:  # All waiters of the login raise it.
            refused = isinstance(error, AuthenticationFailed)
            self._failed_until = monotonic() + (_REFUSAL_REMEMBERED if refused else delay(_FAILURE_REMEMBERED))
            login.set_result(error)


@contextmanager
def counting_own_calls() -> Iterator[Counter[str]]:
    """Count the requests that are sent in this context and in the tasks that it starts, by kind."""
    own: Counter[str] = Counter()
    reset = _own_calls.set(own)
    try:
        yield own
    finally:
        _own_calls.reset(reset)


_log = logging.getLogger(__name__)
_sessions: dict[Settings, Session] = {}
_lock = threading.Lock()


def session_of(settings: Settings) -> Session:
    """Return this process's session of a connection."""
    with _lock:
        if settings not in _sessions:
            _sessions[settings] = Session(settings)
            _warn_about_plain_http(settings)
        return _sessions[settings]


def _warn_about_plain_http(settings: Settings) -> None:
    for host in sorted(settings.plain_hosts()):
        _log.warning(
            "%s sends its credentials and the documents to %s unencrypted: its address begins with http://",
            f"Connection {settings.conn_id!r}" if settings.conn_id else "The connection",
            host,
        )


def forget_sessions() -> None:
    """Start without tokens, pauses and counts, as a new process does."""
    global _lock
    # When the process was forked, another thread may have held the old lock.
    _lock = threading.Lock()
    _sessions.clear()


os.register_at_fork(after_in_child=forget_sessions)
