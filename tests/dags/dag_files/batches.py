"""A batch in one task, whose worker is killed at a given step of its first try."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

PARAMS = {
    "source": Param("", type="string"),
    "destination": Param("", type="string"),
    "conn_id": Param("echo", type="string"),
    "kill_at": Param("", type="string"),
}


class KilledBatch(ConvertDocumentsOperator):
    """
    Its worker is killed at a step of the first try.

    :param kill_at: the step, or nothing
    """

    template_fields = (*ConvertDocumentsOperator.template_fields, "kill_at")

    def __init__(self, *, kill_at: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kill_at = kill_at

    def execute(self, context: Any) -> Any:
        if context["ti"].try_number == 1 and self.kill_at in STEPS:
            STEPS[self.kill_at]()
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        if context["ti"].try_number == 1 and self.kill_at in LATE_STEPS:
            LATE_STEPS[self.kill_at]()
        return super().execute_complete(context, event)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def before_a_start() -> None:
    from airflow_provider_docconv.batch.record import Record

    calls = count()

    def make(write: Any) -> Any:
        def dying(self: Any, entry: Any) -> Any:
            if entry.state == "sent" and next(calls) == 3:
                die()
            return write(self, entry)

        return dying

    wrap(Record, "write", make)


def after_it_was_sent() -> None:
    from airflow_provider_docconv.hooks.docconv import DocConvHook

    def arm(start: Any) -> Any:
        calls = count()

        def arming(self: Any, *arguments: Any) -> Any:
            if next(calls) == 3:
                # The whole request has gone out by then, and no reply has come in.
                wrap(HTTPConnection, "getresponse", lambda _: lambda *_: die())
            return start(self, *arguments)

        return arming

    wrap(DocConvHook, "start", arm)


def after_its_id_was_recorded() -> None:
    from airflow_provider_docconv.batch.record import Record

    calls = count()

    def make(write: Any) -> Any:
        def dying(self: Any, entry: Any) -> Any:
            written = write(self, entry)
            if entry.state == "started" and next(calls) == 3:
                die()
            return written

        return dying

    wrap(Record, "write", make)


def during_a_download() -> None:
    from airflow_provider_docconv.client.results import ResultStream

    calls = count()

    def make(feed: Any) -> Any:
        def dying(self: Any, chunk: bytes) -> bytes:
            if next(calls) == 3:
                die()
            return feed(self, chunk)

        return dying

    wrap(ResultStream, "feed", make)


def while_the_report_is_written() -> None:
    from airflow_provider_docconv.batch import batch

    def dying(file: Any, *_: Any) -> None:
        file.write(b"<!DOCTYPE html>")
        die()

    wrap(batch, "write_html", lambda _: dying)


STEPS = {
    "before a start": before_a_start,
    "after it was sent": after_it_was_sent,
    "after its id was recorded": after_its_id_was_recorded,
    "killed with no try left": after_its_id_was_recorded,
}
LATE_STEPS = {
    "when it comes back": die,
    "during a download": during_a_download,
    "while the report is written": while_the_report_is_written,
}

BATCH: dict[str, Any] = {
    "task_id": "convert",
    "source": "{{ params.source }}",
    "target_format": "pdf",
    "conn_id": "{{ params.conn_id }}",
    "max_in_flight": 8,
    "max_transfers": 4,
    "grace": 1,
    "deferrable": True,
}

with DAG(
    "batch",
    schedule=None,
    params=PARAMS,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=1)},
    max_active_tasks=16,
):
    KilledBatch(**BATCH, destination="{{ params.destination }}", kill_at="{{ params.kill_at }}")

with DAG("batch_without_retries", schedule=None, params=PARAMS, default_args={"retries": 0}):
    KilledBatch(**BATCH, destination="{{ params.destination }}", kill_at="{{ params.kill_at }}")

with DAG("batch_into_a_folder_per_date", schedule=None, params=PARAMS):
    ConvertDocumentsOperator(
        **BATCH, destination="{{ params.destination }}{{ ds }}/", record="{{ params.destination }}"
    )
