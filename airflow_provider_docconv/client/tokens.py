"""The token of a connection, which all threads and event loops of the process share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import TypeAlias

from airflow_provider_docconv.client.promises import promise
from airflow_provider_docconv.services.errors import AuthenticationFailed
from airflow_provider_docconv.services.http import Token

#: What came of a login.
Outcome: TypeAlias = Token | Exception

#: The name of the threads that log in.
THREAD = "docconv-login"
# Whoever asks this soon after a refusal gets the same answer: each further one brings the account closer to its lock.
_REMEMBERED = 60.0


class Tokens:
    """
    Gets a token when one is needed; all who need it meanwhile wait for that one login.

    A login runs in a thread of its own, because whoever asked first may be interrupted or cancelled, or lose the event
    loop, while the others still wait.

    :param log_in: logs in, and may take its time
    """

    def __init__(self, log_in: Callable[[], Token]) -> None:
        self._log_in = log_in
        # Never held for longer than a few assignments: event loops take it.
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._listeners: set[Callable[[str], object]] = set()
        self._under_way: Future[Outcome] | None = None
        self._last: Outcome | None = None
        self._ended = 0.0

    def ask(self, refused: Token | None = None) -> Outcome | Future[Outcome]:
        """
        Return the token, or why there is none, or the promise of either.

        :param refused: a token that the service has refused, so that this one is not it
        """
        with self._lock:
            if self._under_way:
                return self._under_way
            if self._last is not None and self._holds(self._last, refused):
                return self._last
            login = promise()
            threading.Thread(target=self._keep, args=(login,), name=THREAD, daemon=True).start()
            self._under_way = login
            return login

    def forget(self) -> None:
        """Let the next one who asks log in."""
        with self._lock:
            self._last = None

    def tell(self, listener: Callable[[str], object]) -> None:
        """Tell a listener the token there is, and every later one before anybody can use it."""
        with self._telling:
            self._listeners.add(listener)
            if self.value:
                listener(self.value)

    @property
    def value(self) -> str | None:
        """What goes into the Authorization header, if there is a token."""
        return self._last.value if isinstance(self._last, Token) else None

    def _holds(self, last: Outcome, refused: Token | None) -> bool:
        if isinstance(last, Token):
            return last is not refused and monotonic() < last.renew_at
        return isinstance(last, AuthenticationFailed) and monotonic() < self._ended + _REMEMBERED

    def _keep(self, login: Future[Outcome]) -> None:
        try:
            token = self._log_in()
            with self._telling:
                for listener in self._listeners:
                    listener(token.value)
                self._publish(login, token)
        except Exception as error:  # It belongs to those who wait.
            self._publish(login, error)

    def _publish(self, login: Future[Outcome], outcome: Outcome) -> None:
        with self._lock:
            self._last, self._ended, self._under_way = outcome, monotonic(), None
        login.set_result(outcome)
