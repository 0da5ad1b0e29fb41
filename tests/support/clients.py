"""Either client behind one face: they have to behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_docconv.client.asynchronous import AsyncClient, shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.http import Flow

SECRET = "client-secret/of+the tests"


def settings_for(url: str, service: str = "aspose_slides", **values: Any) -> Settings:
    return Settings(service, "my-client", SECRET, url, **values)


class EitherClient:
    """Runs flows through one of the two clients, which have to behave alike."""

    def __init__(self, kind: str, settings: Settings) -> None:
        self.settings = settings
        self.service = settings.service()
        self._client = Client(settings) if kind == "blocking" else None
        self._runner = asyncio.Runner() if kind == "asynchronous" else None
        self._lent: Any = None

    def run(self, flow: Flow[Any], until: float | None = None) -> Any:
        if self._client:
            return self._client.run(flow, until)
        assert self._runner
        return self._runner.run(self._run(flow, until))

    def status(self) -> Any:
        return self.run(self.service.status("op-1"))

    async def _run(self, flow: Flow[Any], until: float | None) -> Any:
        if self._lent is None:
            self._lent = shared_async_client(self.settings)
            self._entered: AsyncClient = await self._lent.__aenter__()
        return await self._entered.run(flow, until)

    def close(self) -> None:
        if self._runner:
            if self._lent:
                self._runner.run(self._lent.__aexit__(None, None, None))
            self._runner.close()


MakeClient = Callable[..., EitherClient]
