"""The trigger of an operation as the watcher of an asset: Airflow starts it again whenever it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.transfer.source import open_source
from airflow_provider_docconv.triggers import docconv
from dev.sandbox import Sandbox
from tests.support.patience import wait_until
from tests.support.tasks import StateStore


async def events(operation_id: str, store: StateStore | None, expected: int) -> list[Any]:
    """Return what a triggerer hears until as many events have come, and in a while that is long enough for another."""
    trigger = docconv.ConversionTrigger(operation_id=operation_id, conn_id="docs", poke_interval=0.01)
    trigger.asset_state_store = store
    heard: list[Any] = []

    async def hear() -> None:
        nonlocal heard
        async for event in trigger.run():
            heard += [event.payload]

    task = asyncio.ensure_future(hear())
    await asyncio.to_thread(wait_until, lambda: len(heard) >= expected)
    await asyncio.wait([task], timeout=0.5)
    assert not task.done()
    task.cancel()
    return heard


@pytest.mark.parametrize("store", [StateStore(), None], ids=["Airflow keeps what was told", "it can't before 3.3"])
def test_it_fires_once_and_stays(
    store: StateStore | None,
    service: Callable[..., Sandbox],
    deck: str,
) -> None:
    service("--seconds", "0")
    hook = DocConvHook.for_connection("docs")
    operation_id = hook.start(open_source(deck, hook.service), "pdf").operation_id

    [told] = asyncio.run(events(operation_id, store, 1))
    assert (told["operation"]["id"], told["operation"]["state"]) == (operation_id, "succeeded")
    again = 0 if store else 1
    assert len(asyncio.run(events(operation_id, store, again))) == again


def test_a_connection_that_airflow_does_not_find_is_told_once() -> None:
    [told] = asyncio.run(events("op-1", None, 1))
    assert told["error"]["type"] == "ConnectionNotFound"
