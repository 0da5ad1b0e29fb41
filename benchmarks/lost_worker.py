"""Kills a worker in the middle of a night, and tells what that has cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.documents import Documents
from benchmarks.runs import duration
from benchmarks.servers import SIZE, celery_airflow, echoing
from dev.cluster import LOST_AFTER, CeleryAirflow
from dev.processes import wait_until
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox
from dev.stores import S3
from dev.table import table

DAG = "chunks"
BUCKET = "lost-worker"
COUNT, CHUNK, SECONDS = 1_000, 125, 2
_NOTHING = {"created": 0, "duplicates": 0}


@dataclass(frozen=True)
class Loss:
    """
    What became of a night whose worker was lost.

    :param state: the state of the Dag's run
    :param errors: what each task that failed for good had to say, by try
    :param documents: how many documents there were
    :param chunk: how many of them in a chunk
    :param at_kill: how many were delivered when the worker was killed
    :param delivered: how many are delivered at the end, exact to the byte
    :param started: operations that the service has created
    :param twice: documents with more than one operation
    :param after_reply: operations more than one, although the service had answered the start before
    :param named: documents that the reports name as possibly paid twice
    :param tries: the try in which each chunk ended
    :param seconds: from the start of the run to its end
    """

    state: str
    errors: list[list[str]]
    documents: int
    chunk: int
    at_kill: int
    delivered: int
    started: int
    twice: frozenset[str]
    after_reply: int
    named: frozenset[str]
    tries: dict[int, int]
    seconds: float

    @property
    def duplicates(self) -> int:
        """Operations more than documents."""
        return self.started - self.documents

    @property
    def hidden(self) -> frozenset[str]:
        """Documents with more than one operation that no report names."""
        return self.twice - self.named

    def ended_in(self, number: int) -> int:
        """Count the chunks that ended in a try."""
        return list(self.tries.values()).count(number)


def lose_worker(
    airflow: CeleryAirflow, echo: Sandbox, bucket: Path, *, count: int, chunk: int, result_bytes: int
) -> Loss:
    """
    Convert documents in chunks, kill a worker when a third is delivered, and wait for the end.

    :param airflow: the Airflow with the Dag ``chunks``, two workers and the connections ``aws_default`` and ``echo``
    :param echo: what the connection ``echo`` leads to
    :param bucket: the folder behind a bucket of ``aws_default`` that nobody has looked into yet
    :param count: how many documents
    :param chunk: how many of them in a chunk
    :param result_bytes: the size of each of the sandbox's results
    """
    documents = Documents.write(bucket / "in", count, SIZE)
    results = bucket / "pdf"
    address = f"s3://aws_default@{bucket.name}"
    run = airflow.run(DAG, {"source": f"{address}/in/", "destination": f"{address}/pdf/", "size": chunk})
    at_kill = _kill_after(count // 3, airflow, run, results)
    # A lost worker is noticed by the silence of its tasks, which takes its time.
    state = run.wait(timeout=300 + count)
    account = echo.stats()["sources"]
    told = {name: account.get(digest, _NOTHING) for name, digest in documents.digests.items()}
    return Loss(
        state=state,
        errors=[run.errors(task) for task in run.tasks() if task.state == "failed"],
        documents=count,
        chunk=chunk,
        at_kill=at_kill,
        delivered=documents.delivered(results, result_bytes),
        started=sum(each["created"] for each in told.values()),
        twice=frozenset(name for name, each in told.items() if each["created"] > 1),
        after_reply=sum(each["duplicates"] for each in told.values()),
        named=frozenset(_named(results)),
        tries={task.map_index: task.try_number for task in run.tasks() if task.id == "convert"},
        seconds=duration(run),
    )


def _kill_after(count: int, airflow: CeleryAirflow, run: Run, results: Path) -> int:
    def delivered() -> int:
        return len(list(results.glob("*.pdf")))

    watched = [*run.watch, *airflow.workers]
    wait_until(lambda: delivered() >= count or run.state in FINISHED, "A third of the documents", 300, watched)
    found = delivered()
    airflow.workers[0].kill()
    return found


def _named(results: Path) -> Iterator[str]:
    for report in (results / ".docconv" / "reports").rglob("*.jsonl"):
        for line in report.read_text().splitlines():
            told: dict[str, Any] = json.loads(line)
            if told["lost_replies"]:
                yield Path(told["source"]).stem


def measure(home: Path, count: int = COUNT, chunk: int = CHUNK) -> Loss:
    """
    Lose a worker of an Airflow of its own.

    :param home: a folder for everything, which is made
    :param count: how many documents
    :param chunk: how many of them in a chunk
    """
    with celery_airflow(home) as airflow, S3(home / "s3", BUCKET) as s3, echoing(home, SECONDS) as echo:
        airflow.connect("aws_default", **s3.connection)
        echo.connect(airflow, "echo")
        return lose_worker(airflow, echo, s3.data / BUCKET, count=count, chunk=chunk, result_bytes=SIZE)


def describe(loss: Loss) -> str:
    """Return what was found as a section of Markdown."""
    rows: list[list[object]] = [
        ["state of the Dag's run", loss.state],
        ["delivered when the worker was killed", f"{loss.at_kill:,}"],
        ["results, exact to the byte", f"{loss.delivered:,} of {loss.documents:,}"],
        ["operations started", f"{loss.started:,}"],
        ["operations more than documents", loss.duplicates],
        ["- of these after a reply that the worker took to its grave", loss.after_reply],
        ["documents named in the reports as possibly paid twice", len(loss.named)],
        ["documents with two operations that no report names", len(loss.hidden)],
        ["chunks that ended in their try 1 / 2 / 3", " / ".join(str(loss.ended_in(number)) for number in (1, 2, 3))],
        ["Dag run, seconds", f"{loss.seconds:.1f}"],
    ]
    return f"""## A lost worker

ConvertDocumentsOperator mapped over chunk_documents(size={loss.chunk}), {loss.documents:,} documents of {SECONDS} s in
an S3 bucket, max_in_flight=8, retries=3, record and results in the same bucket. Airflow runs on Celery with two workers
of two places; one of them gets SIGKILL, with all its tasks, when a third of the documents is delivered, and is not
started again. Airflow is set to take a task for lost after {LOST_AFTER} s of silence.

{table(["", "found"], rows, right=["found"])}
"""
