"""``make demo``: the example Dag in a real Airflow, on a folder of documents, with a table at the end."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pypdfium2  # type: ignore[import-untyped]  # it has no types

from dev import documents
from dev.airflow import Airflow, empty_database
from dev.documents import Document
from dev.environment import AIRFLOW_HOME, DAGS, INBOX, LOGS, OUTBOX, ROOT, program_environment
from dev.lock import alone
from dev.processes import end_on_signals
from dev.run import FINISHED, Run, Task
from dev.sandbox import Sandbox
from dev.table import size, table
from docconv_sandbox import engines
from docconv_sandbox.settings import Settings

DAG = "nightly_conversion"
PACE = "0.3"  # seconds per page: slow enough to be watched
SERVICES = {
    "Aspose.Slides": ("pptx", "ppsx", "ppt", "odp"),
    "GroupDocs.Conversion": ("docx", "xlsx", "odt", "ods"),
    "Aspose.OCR": ("djvu",),
}
SERVICE_OF = {kind: service for service, kinds in SERVICES.items() for kind in kinds}
#: What lies about in real folders, and why the Dag leaves it out.
CLUTTER = {
    "~$annual-report.pptx": "somebody has the document open",
    "upload.pptx.part": "an unfinished upload",
    "Thumbs.db": "a system's file",
    ".DS_Store": "a system's file",
    "__MACOSX/._welcome.ppsx": "a system's file",
    "notes.txt": "no service in the Dag is for txt",
    "old-decks.zip": "no service in the Dag is for zip",
}
STARTED = time.monotonic()


@dataclass(frozen=True)
class Outcome:
    """
    What became of a document.

    :param document: the document.
    :param result: what the download task returned, if it came to that.
    :param error: why not, in the task's words.
    :param seconds: from the start of the first task to the end of the last one.
    """

    document: Document
    result: dict[str, Any] | None
    error: str
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether it was converted, or could not be."""
        return (self.result is None) == bool(self.document.hopeless)

    @property
    def path(self) -> Path | None:
        """Where the result lies."""
        return Path(unquote(urlsplit(self.result["uri"]).path)) if self.result else None

    def row(self) -> list[object]:
        """Return its line of the table."""
        service = SERVICE_OF[self.document.kind]
        if not self.result or not self.path:
            return [self.document.name, service, f"failed: {self.reason}", "", "", f"{self.seconds:.0f}", ""]
        where = self.path.relative_to(ROOT)
        numbers = [pages(self.path), size(self.result["size"]), f"{self.seconds:.0f}"]
        return [self.document.name, service, "converted", *numbers, where]

    @property
    def reason(self) -> str:
        """One word, if the error is the expected one."""
        word = self.document.hopeless
        return word if word and word.rstrip("ed") in self.error.lower() else "see below"


def main() -> int:
    """Run the demo and return its exit code: 0 when exactly the hopeless documents failed."""
    end_on_signals()
    try:
        with alone():
            return demo()
    except (RuntimeError, TimeoutError, ImportError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1


def demo() -> int:
    """Prepare, run, watch and report."""
    say("Preparing the documents and an empty Airflow database …")
    chosen = prepare()
    say("Starting the sandbox and Airflow: API server, scheduler, Dag processor, triggerer …")
    with Sandbox(LOGS / "sandbox.log", "--seconds-per-page", PACE) as sandbox, Airflow(AIRFLOW_HOME, DAGS) as airflow:
        sandbox.wait_until_healthy()
        sandbox.connect_all(airflow)
        say(f"Airflow is up at {airflow.url} for as long as this runs")
        run = airflow.run(DAG, {"inbox": INBOX.as_uri(), "outbox": OUTBOX.as_uri()})
        say(f"Dag {DAG} is converting {len(chosen)} documents from {INBOX.relative_to(ROOT)}")
        watch(run, len(chosen))
        tasks = run.tasks()
        outcomes = [outcome(run, tasks, document) for document in chosen]
    sent = {task.name for task in tasks}
    return report(outcomes, [name for name in CLUTTER if name.rpartition("/")[2] in sent])


def prepare() -> list[Document]:
    """Lay out a fresh inbox, an empty output folder and an Airflow without history; return what is in the inbox."""
    for folder in (AIRFLOW_HOME, INBOX, OUTBOX, LOGS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        database = pool.submit(empty_database)
        made = documents.prepare()
        database.result()
    kinds = convertible()
    for document in made:
        if document.kind in kinds:
            os.link(document.path, INBOX / document.name)
    for name in CLUTTER:
        (INBOX / name).parent.mkdir(exist_ok=True)
        (INBOX / name).write_bytes(b"Not a document.")
    if left_out := [document.name for document in made if document.kind not in kinds]:
        say(f"Left out, for want of LibreOffice: {', '.join(left_out)} (`make libreoffice` adds it)")
    return [document for document in made if document.kind in kinds]


def convertible() -> set[str]:
    """Return the kinds of documents that the sandbox can turn into PDF on this machine."""
    os.environ["PATH"] = program_environment()["PATH"]
    tier = Settings().engine
    return {kind for kind in SERVICE_OF if "pdf" in engines.targets_of(tier, kind)}


def watch(run: Run, count: int) -> None:
    """Tell of each document as it ends, and every ten seconds how far the rest is."""
    told: set[int] = set()
    spoken = time.monotonic()
    running = True
    while running:
        for process in run.watch:
            process.check()
        running = run.state not in FINISHED
        tasks = run.tasks()
        for task in tasks:
            if task.map_index not in told and (word := ended(task)):
                told.add(task.map_index)
                spoken = time.monotonic()
                say(f"{word:9}  {task.name}  ({len(told)} of {count})")
        if time.monotonic() - spoken > 10:
            spoken = time.monotonic()
            say(f"{len(told)} of {count} done, {under_way(tasks)}")
        time.sleep(1)


def ended(task: Task) -> str:
    """Return how a document ended, if this task was its last."""
    if task.map_index >= 0 and task.state == "failed":
        return "failed"
    return "converted" if task.id == "convert.download" and task.state == "success" else ""


def under_way(tasks: Sequence[Task]) -> str:
    """Return what the documents are at that have not ended."""
    words = {"convert.start": "being sent", "convert.wait": "converting", "convert.download": "being fetched"}
    active = {"queued", "running", "deferred", "up_for_retry", "scheduled"}
    counts = Counter(words[task.id] for task in tasks if task.id in words and task.state in active)
    return ", ".join(f"{counts[word]} {word}" for word in words.values() if counts[word]) or "the others wait"


def outcome(run: Run, every: Sequence[Task], document: Document) -> Outcome:
    """Find out from every task of a run what became of a document."""
    tasks = [task for task in every if task.name == document.name]
    began = min((task.start for task in tasks if task.start), default=None)
    finished = max((task.end for task in tasks if task.end), default=None)
    seconds = (finished - began).total_seconds() if began and finished else 0.0
    for task in tasks:
        if task.id == "convert.download" and task.state == "success":
            return Outcome(document, run.xcom(task.id, map_index=task.map_index)[0], "", seconds)
    failed = [task for task in tasks if task.state == "failed"]
    return Outcome(document, None, run.error(failed[0]) if failed else "It never ran.", seconds)


def report(outcomes: Sequence[Outcome], sent: Sequence[str]) -> int:
    """
    Print the table and return the exit code.

    :param outcomes: what became of the documents.
    :param sent: files that are no documents and were sent all the same.
    """
    heads = ["source", "service", "status", "pages", "size", "seconds", "result"]
    clutter = [[name, "", f"left out: {why}", "", "", "", ""] for name, why in CLUTTER.items() if name not in sent]
    text = table(heads, [*(each.row() for each in outcomes), *clutter], right=["pages", "size", "seconds"])
    print(f"\n{text}\n")
    for each in outcomes:
        if each.error:
            print(f"{each.document.name}: {each.error}")
    surprises = [*(each.document.name for each in outcomes if not each.as_expected), *sent]
    failed = sum(1 for each in outcomes if each.result is None)
    print(f"\n{len(outcomes) - failed} converted, {failed} failed, {len(clutter)} left out", end="")
    print(f"; not as expected: {', '.join(surprises)}" if surprises else ", exactly as they must.")
    print("`make ui` shows this run in Airflow.")
    return 1 if surprises else 0


def pages(path: Path) -> int:
    """Count the pages of a PDF."""
    with pypdfium2.PdfDocument(path) as document:
        return len(document)


def say(text: str) -> None:
    """Print a line with the seconds since the start; nobody reading it is no reason to stop."""
    with suppress(BrokenPipeError):
        print(f"{time.monotonic() - STARTED:4.0f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
