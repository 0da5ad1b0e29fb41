"""Waiting in the reschedule mode: each poll is a pass of its own through a worker."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException

from airflow_provider_docconv.compat import AirflowSkipException
from airflow_provider_docconv.exceptions import ConversionFailed, DeadlineExceeded
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from tests.support.hostile import Answer, Hostile
from tests.support.tasks import Store, connect, context

pytest.importorskip("airflow.sdk", reason="Airflow before 3 asks its database for the first reschedule")

RUNNING = Answer({"status": "Started", "taskStatus": "Processing"})
DONE = Answer({"status": "Finished", "taskStatus": "Completed"})
BEGAN = timedelta(seconds=100)


def poll(store: Store | None = None, **values: Any) -> str:
    """Let a worker poll once, of a wait that began a while ago."""

    def first(_: object) -> datetime:
        return datetime.now(UTC) - BEGAN

    given = {"task_id": "t", "conn_id": "docs", "operation_id": "op-1", "mode": "reschedule", **values}
    result: str = ConversionSensor(**given).execute(context(store, get_first_reschedule_date=first))
    return result


@pytest.fixture
def store() -> Store:
    """Keep since when the task has waited, as Airflow 3.3 does."""
    found = Store()
    began = time.time() - BEGAN.total_seconds()
    found.set("docconv_wait", {"operation_id": "op-1", "max_tries": 2, "began": began})
    return found


def test_polls_go_on_through_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(RUNNING, Answer(b"", 502), DONE) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowRescheduleException):
            poll()
        assert poll() == "op-1"


def test_the_interval_follows_the_age(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowRescheduleException) as raised:
            poll(store)
    pause = (raised.value.reschedule_date - datetime.now(UTC)).total_seconds()
    assert pause == pytest.approx(20, abs=3)


@pytest.mark.parametrize("kept", [True, False], ids=["Airflow keeps the begin", "it can't before 3.3"])
@pytest.mark.parametrize("values", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
def test_the_deadline_gives_the_operation_up(
    values: dict[str, Any], kept: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(RUNNING) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        with pytest.raises(AirflowSkipException if values else DeadlineExceeded, match="operation was cancelled"):
            poll(store if kept else None, timeout=60, **values)
    assert "DELETE" in [call.method for call in server.calls]


@pytest.mark.parametrize("soft_fail", [True, False])
def test_a_failure_has_the_services_words(soft_fail: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer({"status": "Failed", "error": {"message": "Slide 7 is broken."}})) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowSkipException if soft_fail else ConversionFailed, match="Slide 7 is broken"):
            poll(soft_fail=soft_fail)
