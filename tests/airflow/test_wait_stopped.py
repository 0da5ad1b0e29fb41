"""Waits that somebody stops: a person, or Airflow itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from airflow_provider_docconv import task_state
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.triggers import docconv as triggers
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.tasks import connect, context

RUNNING = Answer({"status": "Started", "taskStatus": "Processing"})


@pytest.mark.parametrize(
    ("state", "conn_type", "sent"),
    [
        ("failed", "aspose_ocr", {"DELETE", "GET"}),
        ("success", "aspose_ocr", {"DELETE", "GET"}),
        ("failed", "aspose_slides", set()),
        ("deferred", "aspose_ocr", set()),
        ("None", "aspose_ocr", set()),
        ("running", "aspose_ocr", set()),
    ],
)
def test_a_stopped_trigger_gives_up_what_a_person_has_ended(
    state: str,
    conn_type: str,
    sent: set[str],
    trigger: Callable[..., ConversionTrigger],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_state, "state_in_airflow", lambda *_: state)
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url, conn_type)
        asyncio.run(trigger().on_kill())
    assert {call.method for call in server.calls} == sent


def test_airflow_may_stop_the_stopping(
    trigger: Callable[..., ConversionTrigger], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, stopped = threading.Event(), threading.Event()

    def answer_late(*_: object) -> str:
        asked.set()
        assert stopped.wait(60)
        return "failed"

    async def killed_again_and_again() -> None:
        killing = asyncio.create_task(trigger().on_kill())
        assert await asyncio.to_thread(asked.wait, 60)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        stopped.set()
        await asyncio.gather(*triggers._cancelling)

    monkeypatch.setattr(task_state, "state_in_airflow", answer_late)
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        asyncio.run(killed_again_and_again())
    assert {call.method for call in server.calls} == {"DELETE", "GET"}


def test_before_airflow_3_3_a_cancelled_trigger_asks_itself(
    trigger: Callable[..., ConversionTrigger], monkeypatch: pytest.MonkeyPatch
) -> None:
    polled = threading.Event()

    def answer(_: Seen) -> Answer:
        polled.set()
        return RUNNING

    async def cancelled() -> None:
        run = asyncio.create_task(anext(trigger().run()))
        assert await asyncio.to_thread(polled.wait, 60)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    monkeypatch.setattr(task_state, "state_in_airflow", lambda *_: "failed")
    monkeypatch.delattr("airflow.triggers.base.BaseTrigger.on_kill", raising=False)
    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        asyncio.run(cancelled())
    assert "DELETE" in {call.method for call in server.calls}


def test_nothing_is_cancelled_if_that_is_not_wanted(
    trigger: Callable[..., ConversionTrigger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_state, "state_in_airflow", lambda *_: "failed")
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        asyncio.run(trigger(cancel_on_kill=False).on_kill())
    assert server.seen == []


def test_a_worker_says_what_it_could_not_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> str:
        raise OSError("Airflow is away")

    lines: list[str] = []
    monkeypatch.setattr(task_state, "state_in_airflow", away)
    monkeypatch.setattr(ConversionSensor, "log", SimpleNamespace(warning=lambda text, *a: lines.append(text % a)))
    sensor = ConversionSensor(task_id="t", conn_id="docs", operation_id="op-1")
    sensor._in_worker(context())
    sensor.on_kill()
    assert lines == ["Could not cancel operation op-1, which may still be running: Airflow is away"]
