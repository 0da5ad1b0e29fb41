"""Waits that end too late, or without a worker."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_docconv.compat import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_docconv.exceptions import DeadlineExceeded
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.triggers import docconv as triggers
from airflow_provider_docconv.triggers import progress as xcoms
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.tasks import Store, connect, context, fire

RUNNING = {"status": "Started", "taskStatus": "Processing"}
DONE = {"status": "Finished", "taskStatus": "Completed"}
VALUES: dict[str, Any] = {
    "task_id": "t",
    "conn_id": "docs",
    "operation_id": "op-1",
    "poke_interval": 0.01,
    "grace": 0.0,
}


def methods(server: Hostile) -> list[str]:
    return sorted({call.method for call in server.calls})


def wait_to_the_end(given: Any, *, deferrable: bool, **values: Any) -> Any:
    """Run a sensor in one of its modes with the context of one try."""
    sensor = ConversionSensor(**{**VALUES, **values}, deferrable=deferrable)
    try:
        return sensor.execute(given)
    except TaskDeferred as deferred:
        again = ConversionSensor(**{**VALUES, **values}, deferrable=deferrable)
        return again.resume_execution(deferred.method_name, {"event": fire(deferred.trigger)}, given)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("conn_type", "sent", "remedy"),
    [
        (
            "aspose_ocr",
            ["DELETE", "GET"],
            "the operation was cancelled: raise the timeout and clear the task that started it",
        ),
        ("aspose_slides", ["GET"], "it may still end at the service"),
    ],
)
def test_the_deadline_cancels_where_the_service_can(
    conn_type: str, sent: list[str], remedy: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url, conn_type)
        with pytest.raises(DeadlineExceeded, match=remedy) as raised:
            wait_to_the_end(context(Store()), deferrable=deferrable, timeout=0.1)
    assert isinstance(raised.value, AirflowSensorTimeout)
    assert methods(server) == sent


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_retry_does_not_stretch_the_deadline(deferrable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url)
        # The first try was lost when the time was almost up.
        store.set("docconv_wait", {"operation_id": "op-1", "max_tries": 2, "began": time.time() - 3600})
        with pytest.raises(DeadlineExceeded):
            wait_to_the_end(context(store, try_number=2), deferrable=deferrable, timeout=timedelta(hours=1))


@pytest.mark.parametrize("changed", [{"max_tries": 5}, {"operation_id": "op-0"}])
def test_a_clear_and_another_operation_have_their_own_time(
    changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, before = Store(), time.time()
    with Hostile(Answer(RUNNING), Answer(DONE)) as server:
        connect(monkeypatch, server.url)
        store.set("docconv_wait", {"operation_id": "op-1", "max_tries": 2, "began": 0.0, **changed})
        assert wait_to_the_end(context(store), deferrable=False, timeout=timedelta(hours=1)) == "op-1"
    assert before <= store.get("docconv_wait")["began"] <= time.time()


@pytest.mark.parametrize("row", [None, "x", 7, [], {}, {"operation_id": "op-1", "max_tries": 2, "began": "soon"}])
def test_a_record_that_is_none_begins_anew(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.set("docconv_wait", row)
    with Hostile(Answer(DONE)) as server:
        connect(monkeypatch, server.url)
        assert wait_to_the_end(context(store), deferrable=False) == "op-1"


@pytest.mark.parametrize(("try_number", "cancels"), [(1, False), (2, False), (3, True)])
def test_only_the_last_execution_timeout_gives_the_operation_up(
    try_number: int, cancels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout") as raised:
            wait_to_the_end(
                context(Store(), try_number=try_number), deferrable=True, execution_timeout=timedelta(seconds=0.1)
            )
    assert ("DELETE" in methods(server)) is cancels
    assert ("operation was cancelled" in str(raised.value)) is cancels
    assert ("a retry waits" in str(raised.value)) is not cancels


@contextmanager
def execution_timeout(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer, as Airflow interrupts a worker."""

    def interrupt(*_: object) -> None:
        raise AirflowTaskTimeout("Timeout")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_execution_timeout_that_is_skipped_is_the_last_one(
    deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        values: dict[str, Any] = {"soft_fail": True, "execution_timeout": timedelta(seconds=0.2)}
        with (
            pytest.raises(AirflowSkipException, match=r"within execution_timeout .*operation was cancelled"),
            nullcontext() if deferrable else execution_timeout(0.2),
        ):
            wait_to_the_end(context(Store()), deferrable=deferrable, **values)
    assert "DELETE" in methods(server)


@pytest.mark.parametrize("store", [Store(), None])
@pytest.mark.parametrize(("timeout", "kind"), [(3600, AirflowTaskTimeout), (0.05, DeadlineExceeded)])
def test_what_is_shorter_ends_the_wait(
    store: Store | None, timeout: float, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(kind):
            wait_to_the_end(context(store), deferrable=True, timeout=timeout, execution_timeout=timedelta(seconds=0.1))


def test_a_trigger_that_nobody_ran_is_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(RUNNING)) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        sensor = ConversionSensor(**VALUES, deferrable=True)
        with pytest.raises(DeadlineExceeded, match="op-1"):
            sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, context())
    assert methods(server) == ["DELETE", "GET"]


def test_a_result_that_came_too_late_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(RUNNING), Answer(DONE)) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        with pytest.raises(DeadlineExceeded, match="clear this task"):
            wait_to_the_end(context(), deferrable=False, timeout=0)
    assert methods(server) == ["GET"]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("end", [DONE, {"status": "Failed", "taskStatus": "Error"}])
def test_the_progress_ends_with_the_report(
    end: dict[str, str], deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = context(Store())
    with Hostile(Answer(RUNNING), Answer(RUNNING), Answer(end)) as server:
        connect(monkeypatch, server.url)
        try:
            wait_to_the_end(given, deferrable=deferrable)
        except AirflowException:
            assert end is not DONE
    progress = given["ti"].xcoms["progress"]
    assert progress["state"] == ("succeeded" if end is DONE else "failed")
    assert progress["polls"] == len(server.calls) == 3
    assert 0 <= progress["detection_delay"] <= progress["seconds"]


def test_a_wait_outlives_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise OSError("the bucket of the XComs is away")

    given = context(Store(), xcom_push=away)
    with Hostile(Answer(RUNNING), Answer(DONE)) as server:
        connect(monkeypatch, server.url)
        assert wait_to_the_end(given, deferrable=False) == "op-1"


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Take what a trigger pushes; a triggerer would hand it to its supervisor."""
    found: dict[str, Any] = {}

    async def push(task: Any, key: str, value: Any) -> None:
        found[key] = json.loads(json.dumps(value))

    monkeypatch.setattr(xcoms, "push", push)
    monkeypatch.setattr(triggers, "push", push)
    monkeypatch.setattr(xcoms.Progress, "common_next", 0.0)
    return found


def first_event(found: ConversionTrigger) -> Any:
    return asyncio.run(anext(found.run()))


def test_a_trigger_can_end_its_task(
    trigger: Callable[..., ConversionTrigger], pushed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(RUNNING), Answer(DONE)) as server:
        connect(monkeypatch, server.url)
        event = first_event(trigger(end_from_trigger=True))
    assert event.payload == "success"
    assert pushed["return_value"] == "op-1"
    assert pushed["progress"]["polls"] == 2


def test_but_leaves_failures_to_a_worker(
    trigger: Callable[..., ConversionTrigger], pushed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer({"status": "Failed"})) as server:
        connect(monkeypatch, server.url)
        event = first_event(trigger(end_from_trigger=True))
    assert event.payload["operation"]["state"] == "failed"
    assert "return_value" not in pushed


def test_progress_is_shown_while_deferred_but_not_for_every_poll(
    trigger: Callable[..., ConversionTrigger], pushed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: Seen) -> Answer:
        step = len(server.calls)
        progress = {"description": "Slide converted", "stepIndex": step, "stepCount": 5}
        return Answer({"status": "Started", "progress": progress} if step < 5 else DONE)

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        assert first_event(trigger()).payload["report"]["polls"] == 5
    assert pushed["progress"] == {"state": "running", "step": 1, "steps": 5, "percent": 20, "polls": 1}
