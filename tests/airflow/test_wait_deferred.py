"""Waits in the triggerer: what they are given, and what may have changed when they go on."""

from __future__ import annotations

import importlib
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from tests.support.hostile import Answer, Hostile, Seen, token
from tests.support.tasks import SECRET, connect, context, fire, wait

RUNNING = Answer({"status": "Started"})


def deferred(monkeypatch: pytest.MonkeyPatch, **values: Any) -> TaskDeferred:
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url)
        sensor = ConversionSensor(
            task_id="t", conn_id="docs", operation_id="op-1", grace=0.0, deferrable=True, **values
        )
        with pytest.raises(TaskDeferred) as raised:
            sensor.execute(context())
    return raised.value


def test_a_quick_conversion_is_not_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(RUNNING, Answer({"status": "Finished"})) as server:
        connect(monkeypatch, server.url)
        sensor = ConversionSensor(
            task_id="t", conn_id="docs", operation_id="op-1", grace=30.0, poke_interval=0.01, deferrable=True
        )
        assert sensor.execute(context()) == "op-1"


def test_the_triggers_row(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.time()
    found = deferred(monkeypatch, timeout=timedelta(hours=1), poke_interval=7, fault_tolerance=60.0)
    path, kwargs = found.trigger.serialize()
    module, _, name = path.rpartition(".")
    assert getattr(importlib.import_module(module), name) is ConversionTrigger
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert before + 3600 <= kwargs.pop("deadline") <= time.time() + 3600
    assert before <= kwargs.pop("started") <= time.time()
    assert kwargs == {
        "operation_id": "op-1",
        "conn_id": "docs",
        "poke_interval": 7,
        "max_poke_interval": 300,
        "fault_tolerance": 60.0,
        "polls": 1,
        "cancel_on_kill": True,
        "end_from_trigger": False,
    }
    # Airflow's own check comes later than the trigger's, which says more.
    assert found.timeout > timedelta(hours=1)
    assert SECRET not in repr((path, kwargs, found.kwargs))


def test_a_triggerer_that_comes_back_late_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url)
        trigger = ConversionTrigger(operation_id="op-1", conn_id="docs", deadline=time.time() - 9, poke_interval=3600)
        assert fire(trigger)["error"]["type"] == "DeadlineExceeded"
        assert len(server.calls) == 1


def test_a_connection_that_changed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "http://h", login="")
    event = fire(ConversionTrigger(operation_id="op-1", conn_id="docs", deadline=0, poke_interval=0))
    assert event["error"]["type"] == "InvalidOptions"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_connection_that_airflow_does_not_find(deferrable: bool) -> None:
    with pytest.raises(exceptions.ConnectionNotFound, match=r"^s3://b/a.pptx: Airflow found no .* 'nope'") as raised:
        wait({"operation_id": "op-1", "conn_id": "nope", "source": "s3://b/a.pptx"}, deferrable=deferrable)
    assert not isinstance(raised.value, AirflowFailException)


def test_a_connection_that_was_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor = ConversionSensor(task_id="t", conn_id="docs", operation_id="op-1", source="s3://b/a.pptx")
    event = fire(ConversionTrigger(operation_id="op-1", conn_id="docs"))
    with pytest.raises(exceptions.ConnectionNotFound, match=r"^s3://b/a.pptx: Airflow found no connection 'docs'"):
        sensor.execute_complete(context(), event)


SECRETS = {"renewed": ("another-secret", None), "only revoked": (SECRET, exceptions.AuthenticationFailed)}


@pytest.mark.parametrize(("secret", "error"), SECRETS.values(), ids=list(SECRETS))
def test_a_secret_that_is_refused_meanwhile(
    secret: str, error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(seen: Seen) -> Answer:
        if len(server.calls) == 1:
            return RUNNING
        if seen.headers["authorization"] == "Bearer token-1":
            connect(monkeypatch, server.url, password=secret)
            return Answer(b"", 401)
        return Answer({"status": "Finished"})

    logins = [token(1), Answer({"error": "invalid_client"}, 400), token(2)]
    with Hostile(answer=answer, logins=logins) as server:
        connect(monkeypatch, server.url)
        event = fire(ConversionTrigger(operation_id="op-1", conn_id="docs", poke_interval=0.01))
    assert len(server.logins) == (2 if error else 3)
    assert event["error"]["type"] == error.__name__ if error else event["report"]["polls"] >= 2


@pytest.mark.parametrize("event", [None, {}, {"status": "success"}])
def test_an_unexpected_event(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "http://h")
    sensor = ConversionSensor(task_id="t", conn_id="docs", operation_id="op-1")
    with pytest.raises(AirflowException, match="Unexpected trigger event"):
        sensor.execute_complete(context(), event)
