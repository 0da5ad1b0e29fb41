"""What the tests of Airflow's side share: connections, a task's context, and a trigger's way to its task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_docconv.compat import TaskDeferred
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from dev.sandbox import Sandbox

CLIENT_ID = "my-client"
SECRET = "the-client-secret-of-these-tests"


def connect(
    monkeypatch: pytest.MonkeyPatch, url: str, conn_type: str = "aspose_slides", conn_id: str = "docs", **fields: Any
) -> str:
    """Make a connection, as the environment gives it, and return its id."""
    extra = fields.pop("extra", {})
    value = {"conn_type": conn_type, "login": CLIENT_ID, "password": SECRET, "host": url, "extra": extra, **fields}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
    return conn_id


@contextmanager
def starting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with the options given, and point the connection ``docs`` to the newest."""
    numbers = count()
    with ExitStack() as started:

        def start(*options: str) -> Sandbox:
            log = folder / f"sandbox-{next(numbers)}.log"
            login = ("--client-id", CLIENT_ID, "--client-secret", SECRET)
            echo = started.enter_context(Sandbox(log, "--engine", "echo", *login, *options))
            echo.wait_until_healthy()
            connect(monkeypatch, echo.url)
            return echo

        yield start


class Store:
    """A task state store that takes what the real one does: JSON."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self.rows[key]) if key in self.rows else None

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


class StateStore:
    """What Airflow 3.3 gives a watcher's trigger; it lives longer than the triggerer."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


class TaskInstance(SimpleNamespace):
    """What a task sees of itself, with its XComs."""

    def __init__(self, **values: Any) -> None:
        names = {"dag_id": "d", "run_id": "manual__2026-01-01T00:00:00+00:00", "task_id": "t", "map_index": -1}
        super().__init__(**{**names, "try_number": 1, "max_tries": 2, "xcoms": {}, **values})

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    @property
    def own_xcoms(self) -> dict[str, Any]:
        """The XComs without those that Airflow before 3 keeps links in."""
        return {key: value for key, value in self.xcoms.items() if key != "docconv_links"}


def context(store: Store | None = None, **ti: Any) -> Any:
    """Make what a task is given; without a store it is that of an Airflow before 3.3."""
    found: dict[str, Any] = {"ti": TaskInstance(**ti)}
    return found | ({"task_state_store": store} if store is not None else {})


def fire(trigger: BaseTrigger) -> dict[str, Any]:
    """Run a trigger as the triggerer does: made from its row, its event on its way through the database."""

    async def first_event() -> Any:
        async for event in again.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    _, kwargs = trigger.serialize()
    again = type(trigger)(**json.loads(json.dumps(kwargs)))
    return json.loads(json.dumps(asyncio.run(first_event())))


def wait(sensor_values: Mapping[str, Any], *, deferrable: bool) -> str:
    """Run a sensor to its end in one of its modes."""
    values = {"task_id": "wait", "poke_interval": 0.01, "grace": 0.0, "conn_id": "docs", **sensor_values}
    sensor = ConversionSensor(**values, deferrable=deferrable)
    try:
        return sensor.execute(context())
    except TaskDeferred as deferred:
        assert deferrable
        resumed = ConversionSensor(**values, deferrable=True)
        kwargs = {**(deferred.kwargs or {}), "event": fire(deferred.trigger)}
        return resumed.resume_execution(deferred.method_name, kwargs, context())
