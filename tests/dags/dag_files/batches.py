"""Batches in one task each, with what goes wrong in their workers."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_docconv.compat import TaskDeferred
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

PARAMS = {
    "source": Param("", type="string"),
    "destination": Param("", type="string"),
    "conn_id": Param("echo", type="string"),
    "fault": Param("", type="string"),
    "seed": Param(0, type="integer"),
}


class FaultyBatch(ConvertDocumentsOperator):
    """
    Something goes wrong in its first try.

    :param fault: what it is, or nothing
    """

    template_fields = (*ConvertDocumentsOperator.template_fields, "fault")

    def __init__(self, *, fault: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault

    def execute(self, context: Any) -> Any:
        if context["ti"].try_number == 1 and self.fault in FAULTS:
            FAULTS[self.fault]()
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        if context["ti"].try_number == 1 and self.fault in LATE_FAULTS:
            LATE_FAULTS[self.fault]()
        return super().execute_complete(context, event)


class RandomlyKilledBatch(ConvertDocumentsOperator):
    """
    Its worker is killed at a random moment, each time, until that has happened ten times to each mapped task.

    :param kills: the folder of a file for each mapped task, which has a line for each kill
    :param seed: decides about the moments
    """

    template_fields = (*ConvertDocumentsOperator.template_fields, "kills", "seed")

    def __init__(self, *, kills: str, seed: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kills = kills
        self.seed = seed

    def execute(self, context: Any) -> Any:
        return self._until_killed(context, super().execute)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        return self._until_killed(context, super().execute_complete, event)

    def _until_killed(self, context: Any, convert: Callable[..., Any], *given: Any) -> Any:
        kills = Path(self.kills, str(context["ti"].map_index))
        kills.parent.mkdir(parents=True, exist_ok=True)
        before = len(kills.read_text().splitlines()) if kills.exists() else 0
        if before >= 10:
            return convert(context, *given)
        moment = random.Random(f"{self.seed} {kills.name} {before}").uniform(0, 2)

        def kill() -> None:
            with kills.open("a") as file:
                file.write(f"{moment}\n")
            die()

        timer = threading.Timer(moment, kill)
        self._when_work_begins(timer.start)
        try:
            return convert(context, *given)
        except TaskDeferred:
            timer.cancel()
            raise
        finally:
            timer.join()  # Until it is killed, when there was nothing left to do.

    @staticmethod
    def _when_work_begins(act: Callable[[], object]) -> None:
        # On a busy machine, most kills would hit the imports.
        from airflow_provider_docconv.batch.record import Record

        def make(read: Any) -> Any:
            def acting(self: Any) -> Any:
                act()
                return read(self)

            return acting

        wrap(Record, "read", make)


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
                written.result()
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


def the_record_is_taken_away() -> None:
    """Put a file in the place of the record, as when a share is gone, when all documents are done."""
    from airflow_provider_docconv.batch.batch import Batch

    def make(summary: Any) -> Any:
        def taking_away(self: Any) -> Any:
            folder = Path(self.record.folder.path)
            folder.rename(folder.with_name("away"))
            folder.touch()
            return summary(self)

        return taking_away

    wrap(Batch, "summary", make)


FAULTS = {
    "before a start": before_a_start,
    "after it was sent": after_it_was_sent,
    "after its id was recorded": after_its_id_was_recorded,
    "killed with no try left": after_its_id_was_recorded,
}
LATE_FAULTS = {
    "when it comes back": die,
    "during a download": during_a_download,
    "while the report is written": while_the_report_is_written,
    "the record can't be written at the end": the_record_is_taken_away,
}

BATCH: dict[str, Any] = {
    "task_id": "convert",
    "source": "{{ params.source }}",
    "destination": "{{ params.destination }}",
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
    FaultyBatch(**BATCH, fault="{{ params.fault }}")

with DAG("batch_at_a_faulty_service", schedule=None, params=PARAMS, default_args={"retries": 3}):
    ConvertDocumentsOperator(**BATCH | {"max_in_flight": 120})

with DAG("batch_without_retries", schedule=None, params=PARAMS):
    FaultyBatch(**BATCH, fault="{{ params.fault }}")

with DAG("batch_into_a_folder_per_date", schedule=None, params=PARAMS):
    dated = {"destination": "{{ params.destination }}{{ ds }}/", "record": "{{ params.destination }}"}
    ConvertDocumentsOperator(**BATCH | dated)

# Each chunk has four tries a run: two runs end with all of them killed, and the third one is killed twice.
with DAG(
    "batch_killed_at_random", schedule=None, params=PARAMS, default_args={"retries": 3, "retry_delay": timedelta(0)}
):
    kills = "{{ params.destination.removeprefix('file://') }}.docconv/kills"
    chunks = [f"{BATCH['source']}*{numbers}.pptx" for numbers in ("[0369]", "[147]", "[258]")]
    batch = {key: value for key, value in BATCH.items() if key != "source"}
    RandomlyKilledBatch.partial(**batch, kills=kills, seed="{{ params.seed }}").expand(source=chunks)

with DAG("batch_at_a_wrong_host", schedule=None, params=PARAMS):
    hosts = {f"*-{call}.pptx": f"wrong_{call}" for call in ("login", "start")}
    ConvertDocumentsOperator(**BATCH | {"conn_id": hosts, "fault_tolerance": 3})

with DAG("batch_through_a_proxy", schedule=None, params=PARAMS):
    proxied = {
        f"*-{call}-{status}.pptx": f"proxied_{call}_{status}"
        for call in ("login", "start", "status", "result")
        for status in (404, 407, 502)
    }
    # With so long an interval, it is the triggerer that polls first.
    ConvertDocumentsOperator(**BATCH | {"conn_id": proxied, "poke_interval": 4})
