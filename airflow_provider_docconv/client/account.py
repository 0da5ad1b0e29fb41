"""What all clients of a connection share in a process."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

from airflow_provider_docconv.client.budget import Budget
from airflow_provider_docconv.client.conversation import log_in
from airflow_provider_docconv.client.logins import Logins
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.client.tokens import Tokens
from airflow_provider_docconv.client.transport import Transport
from airflow_provider_docconv.client.turns import Turns
from airflow_provider_docconv.services.errors import AuthenticationFailed
from airflow_provider_docconv.services.http import Token


class Account:
    """
    The token, the budget and the count of calls of one connection; threads and event loops share it.

    :param settings: the connection
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tokens = Tokens(self._log_in)
        self.turns = Turns(Budget(settings.max_concurrent_calls, settings.max_calls_per_second or 1000.0))
        self._calls: Counter[str] = Counter()
        self._counting = threading.Lock()

    def count(self, kind: str) -> None:
        """Count a request."""
        with self._counting:
            self._calls[kind] += 1

    @property
    def calls(self) -> Counter[str]:
        """How many requests were sent so far, by kind; the vendors bill them."""
        with self._counting:
            return self._calls.copy()

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """What must not appear in any error."""
        return self.settings.client_secret, self.tokens.value

    def _log_in(self) -> Token:
        logins = Logins(self.settings)
        with logins.turn(), Transport(self) as transport:
            logins.require_allowed()
            try:
                return transport.drive(log_in(self, time.monotonic()))
            except AuthenticationFailed:
                logins.record_refused()
                raise


_accounts: dict[Settings, Account] = {}
_lock = threading.Lock()


def account_of(settings: Settings) -> Account:
    """Return this process's one account for a connection."""
    with _lock:
        if settings not in _accounts:
            _accounts[settings] = Account(settings)
        return _accounts[settings]


def forget_accounts() -> None:
    """Begin as a new process does."""
    global _lock
    # Another thread of the parent may have held it when the process was forked.
    _lock = threading.Lock()
    _accounts.clear()


os.register_at_fork(after_in_child=forget_accounts)
