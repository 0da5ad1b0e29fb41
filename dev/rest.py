"""Airflow's public REST API, as far as we use it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests

TIMEOUT = (5, 60)
# SQLite turns a write away when another one came first; what may be said twice is said again.
AGAIN = (0.5, 1, 2, 0)
PAUSES = {"GET": AGAIN, "PATCH": AGAIN, "DELETE": AGAIN, "POST": (0,)}


class RestError(RuntimeError):
    """
    Airflow answered with an error.

    :param status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Rest:
    """
    A session with an API server that takes everybody for an administrator.

    :param url: where the API server listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        # Loopback never goes through a proxy, whatever the environment says.
        self.session.trust_env = False

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Return what lies at ``path``, below ``/api/v2``."""
        return self._json(self._send("GET", path, params=params))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a new thing to ``path``."""
        return self._json(self._send("POST", path, json=body))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change what lies at ``path``."""
        return self._json(self._send("PATCH", path, json=body))

    def delete(self, path: str) -> None:
        """Remove what lies at ``path``."""
        self._json(self._send("DELETE", path))

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at ``path``."""
        answer = self._send("GET", path)
        if answer.status_code != 404:
            self._json(answer)
        return answer.status_code != 404

    def try_get(self, path: str) -> dict[str, Any] | None:
        """Return what lies at ``path`` of the server, or ``None`` while nobody answers; needs no login."""
        try:
            answer = self.session.get(f"{self.url}{path}", timeout=TIMEOUT)
        except requests.ConnectionError:
            return None
        return dict(answer.json()) if answer.ok else None

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        if "Authorization" not in self.session.headers:
            login = self.session.get(f"{self.url}/auth/token", timeout=TIMEOUT)
            self.session.headers["Authorization"] = f"Bearer {self._json(login)['access_token']}"
        for pause in PAUSES[method]:
            answer = self.session.request(method, f"{self.url}/api/v2/{path}", timeout=TIMEOUT, **options)
            if answer.status_code < 500:
                break
            time.sleep(pause)
        return answer

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            request = answer.request
            message = f"{request.method} {request.url} -> {answer.status_code} {answer.text[:2000]}"
            raise RestError(message, answer.status_code)
        return dict(answer.json()) if answer.content else {}
