"""The documents of one task, from their listing to the report."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.batch.record import (
    ConversionRequest,
    Decision,
    Entry,
    Header,
    Journal,
    Ledger,
    Progress,
    Run,
    decide_on,
)
from airflow_provider_docconv.batch.report import STATES, ReportLine, write_html, write_jsonl
from airflow_provider_docconv.batch.sources import OWN_FOLDER, Naming, SourceFile, SourceSpec, find
from airflow_provider_docconv.batch.table import UNDER_WAY, WAITING, Table
from airflow_provider_docconv.exceptions import deserialize
from airflow_provider_docconv.services.errors import (
    DeadlineExceeded,
    DocConvError,
    DocumentRejected,
    DocumentsFailed,
    Handling,
    NamesCollide,
    StartReplyLost,
)
from airflow_provider_docconv.services.options import fingerprint, without_passwords
from airflow_provider_docconv.task_state import max_tries, path_name, task_key, task_state
from airflow_provider_docconv.transfer.object_storage import store_errors, to_path, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_docconv.services.catalog import ServiceInfo

    pass

_LONGEST_NAME = 200


class Batch:
    """
    The documents of one task, and what is known of them.

    :param items: the items of the operator's source
    :param naming: names the results
    :param service: the type of the connection
    :param context: the task's context
    :param full_refresh: whether everything that earlier runs have done shall be done again
    :param start_again: whether a start whose reply was lost is sent again
    """

    def __init__(
        self,
        items: Sequence[SourceSpec],
        naming: Naming,
        service: ServiceInfo,
        context: Context,
        *,
        full_refresh: bool,
        start_again: bool,
    ) -> None:
        self.table = Table()
        self.items = items
        self.run = Run(task_key(context["ti"])[1], max_tries(context))
        self.began = time.time()
        self.calls: Counter[str] = Counter()
        self._naming = naming
        self._service = service
        self._full_refresh = full_refresh
        self._start_again = start_again
        dag_id, run_id, task_id, map_index = task_key(context["ti"])
        own, task = naming.folder + OWN_FOLDER, f"{path_name(dag_id)}.{path_name(task_id)}"
        task += "" if map_index < 0 else f".{map_index}"
        self.title = f"{dag_id}, {task_id}" + ("" if map_index < 0 else f" [{map_index}]")
        # Readable, and without a percent sign, which browsers would take for an escape.
        self.report = f"{own}/reports/{_plain(task)}/{_plain(run_id)}"
        self.journal = Journal(task_state(context, f"{own}/journal"))
        self._ledger = Ledger(to_path(f"{own}/ledger"), f"{task}.jsonl")

    def list(self) -> None:
        """
        List the documents, and decide on each from what is known of it.

        :raises SourceNotFound: if they can't be listed
        :raises NamesCollide: if two would be stored under one name
        :raises RecordDamaged: if what earlier runs did can't be read
        """
        self._go_on_with_header()
        for entry, own in self._ledger.entries():
            self.journal.see(entry.seq)
            self.table.know(entry, own=own)
        for entry in self.journal.read():
            self.table.know(entry, own=True)
        for number, item in enumerate(self.items):
            for found in find(item, self._naming.folder, self._service.name.replace("_", "-")):
                self._add(number, item, found)

    def load(self) -> bool:
        """
        Load the documents as this run wrote them down before it deferred; False if it did not.

        :raises RecordDamaged: if that can't be read
        """
        if not self._go_on_with_header():
            return False
        for entry in self.journal.read():
            self.table.know(entry, own=True)
        _, lines = self._ledger.own() or (None, ())
        for wanted, entry in lines:
            self.journal.see(entry.seq)
            self.table.know(entry, own=True)
            if wanted:
                self.table.add(wanted)
                latest = self.table.known(entry.key) or entry
                self.table.save(latest, self._state(latest))
        return True

    def checkpoint(self) -> None:
        """
        Write down everything that is known, beside the results.

        :raises DestinationUnwritable: if that can't be done
        """
        header = Header(self.run.id, self.began, dict(self.calls))
        rows = ((wanted, entry) for wanted, entry, _ in self.table.rows())
        self._ledger.write(header, rows, self.table.others())
        self.journal.clear()

    def counts(self) -> dict[str, int]:
        """Count the documents by what has become of them."""
        found = self.table.counts()
        counts = {state: found[state] for state in STATES}
        counts["unfinished"] = len(self.table) - sum(counts.values())
        return counts

    def to_do(self) -> int:
        """Count the documents that are to be converted, or whose operations are under way."""
        counts = self.table.counts()
        return counts[WAITING] + counts[UNDER_WAY]

    def report_lines(self) -> Iterator[ReportLine]:
        """Return what has become of each document."""
        return (ReportLine.of(wanted, entry, state, self.run) for wanted, entry, state in self.table.rows())

    def summary(self) -> dict[str, Any]:
        """Return what the task returns: small, whatever the batch is."""
        lost = bytes_in = bytes_out = 0
        for line in self.report_lines():
            lost += line.lost_replies > 0
            if line.state == "delivered":
                bytes_in += line.size or 0
                bytes_out += sum(result["size"] for result in line.results)
        return {
            "documents": len(self.table),
            **self.counts(),
            "lost_replies": lost,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "calls": dict(self.calls),
            "began": datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.began, 1),
            "report": f"{self.report}.jsonl",
            "page": f"{self.report}.html",
        }

    def write_report(self, summary: dict[str, Any]) -> None:
        """
        Write the report, as JSON Lines and as a page.

        :raises DestinationUnwritable: if that can't be done
        """
        with store_errors(f"the report {summary['page']} can't be written"):
            with writing(to_path(summary["report"])) as file:
                write_jsonl(file, self.report_lines())
            with writing(to_path(summary["page"])) as file:
                write_html(file, self.title, summary, self.report_lines)

    def _go_on_with_header(self) -> bool:
        """Take over when this run began and what it cost so far, if it has written that down."""
        header, _ = self._ledger.own() or (None, ())
        if header is None or header.run != self.run.id:
            return False
        self.began, self.calls = header.began, Counter(header.calls)
        return True

    def _add(self, number: int, item: SourceSpec, found: SourceFile) -> None:
        rejection = None
        try:
            destination = self._naming.uri(found.relative, item.target_format)
        except DocumentRejected as error:
            destination, rejection = "", error
        what = fingerprint(
            source=found.uri,
            size=found.size,
            version=found.version,
            target_format=item.target_format,
            service=self._service.name,
            options=without_passwords(item.options),
        )
        wanted = ConversionRequest(
            found.uri, destination, item.target_format, number, what, bool(found.version), found.size
        )
        other = self.table.add(wanted)
        if other is None:
            entry = self._decided(wanted)
            if rejection:
                entry = entry.failed(rejection, progress=Progress.REJECTED)
            self.table.save(entry, self._state(entry))
        elif replace(other, item=number) != wanted:
            raise NamesCollide(
                f"{other.source} and {wanted.source} would both be stored as {wanted.destination or 'nothing'}"
            )

    def _decided(self, wanted: ConversionRequest) -> Entry:
        """Return what to go on with."""
        known = self.table.known(wanted.key)
        decision = decide_on(wanted, known, self.run, full_refresh=self._full_refresh)
        fresh = Entry(wanted.key, wanted.fingerprint, run=self.run.id, max_tries=self.run.max_tries)
        if known is None:
            return fresh
        if known.run == self.run.id:
            fresh = replace(fresh, attempts=known.attempts, lost_replies=known.lost_replies)
        if decision is Decision.START:
            return fresh
        if decision is Decision.REPLY_LOST:
            fresh = replace(fresh, lost_replies=known.lost_replies)
            again = self._start_again or known.run != self.run.id or known.max_tries != self.run.max_tries
            lost = StartReplyLost("an earlier try sent the start and ended before the reply came")
            return fresh if again else replace(known, error=None).failed(lost)
        return known if decision is not Decision.REATTACH else replace(known, error=None, ended=None)

    def _state(self, entry: Entry) -> str:
        if entry.progress is Progress.DELIVERED:
            return "delivered" if entry.run == self.run.id else "skipped"
        if entry.progress is Progress.REJECTED or entry.error:
            return entry.state
        return UNDER_WAY if entry.progress is Progress.STARTED else WAITING


def _plain(text: str) -> str:
    name = re.sub(r"[^\w.-]+|^\.+", "-", text, flags=re.ASCII)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{fingerprint(text=text)[:12]}"


_WORDS = {WAITING: "convert", UNDER_WAY: "go on with"}
_COUNTS = {**_WORDS, "skipped": "skip", "rejected": "leave out"}


def say_plan(batch: Batch, log: logging.Logger | Any) -> dict[str, Any]:
    """
    Log what would become of each document, and return how many of each there are.

    :param batch: the batch, with its documents listed
    :param log: gets the lines
    """
    for wanted, _, state in batch.table.rows():
        log.info("%s %s -> %s", _WORDS.get(state, state), wanted.source, wanted.destination)
    counts = batch.table.counts()
    plan = {word: counts[state] for state, word in _COUNTS.items()}
    log.info("Nothing was sent: %s", ", ".join(f"{word} {count:,}" for word, count in plan.items()))
    return {"documents": len(batch.table), "plan": plan}


# Left alone on purpose, by on_lost_reply="fail".
_FOR_A_PERSON = StartReplyLost.__name__


def judge(batch: Batch, summary: Mapping[str, Any], tolerated: str | float, stopped: DocConvError | None) -> None:
    """
    End the task as it deserves.

    :param batch: the batch, after its end
    :param summary: its summary
    :param tolerated: the operator's ``on_document_error``
    :param stopped: what stopped the batch, if it did not come to its end
    :raises DocConvError: what stopped it
    :raises DeadlineExceeded: if it had to stop before all were done
    :raises DocumentsFailed: if more documents could not be converted than is tolerated
    """
    total, page = summary["documents"], summary["page"]
    if stopped:
        stopped.what = f"{_done(summary)}, then the batch stopped: {stopped.what}"
        raise stopped
    if summary["unfinished"]:
        raise DeadlineExceeded(
            f"{summary['unfinished']:,} of {total:,} documents were not finished when the task stopped",
            remedy=f"what is under way is not lost: raise timeout and clear the task to go on; {page} names them",
        )
    bad = summary["rejected"] + summary["failed"]
    share = float({"fail": 0, "ignore": 1}.get(str(tolerated), tolerated))
    # Divided, because as a binary fraction 0.57 times 100 is less than 57.
    if not bad or bad / total <= share:
        return
    error = DocumentsFailed(
        f"{bad:,} of {total:,} documents were not converted ({summary['rejected']:,} rejected, {summary['failed']:,} "
        f"failed), all others were; the first is {_first(batch)}",
        remedy=f"{page} names each with what to do",
    )
    rows = ((entry.error or {}).get("type") for _, entry, state in batch.table.rows() if state == "failed")
    if summary["failed"] > sum(kind == _FOR_A_PERSON for kind in rows):
        error.handling = Handling.RETRY
    raise error


def say_cost(summary: Mapping[str, Any], service: str, log: logging.Logger | Any) -> None:
    """Say in the log what was done and what it has cost in calls to the service."""
    calls = summary["calls"]
    parts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(calls.items(), key=lambda each: -each[1]))
    log.info("%s; the report is %s", _done(summary), summary["page"])
    log.info("Calls to %s: %s", service, f"{sum(calls.values()):,} ({parts})" if calls else "none")
    if summary["lost_replies"]:
        log.warning("%d documents may have been paid twice; the report names them", summary["lost_replies"])


def _done(summary: Mapping[str, Any]) -> str:
    words = [f"{summary[state]:,} {state}" for state in ("delivered", "skipped", "rejected", "failed", "unfinished")]
    return f"Of {summary['documents']:,} documents {', '.join(word for word in words if word[:2] != '0 ') or 'none'}"


def _first(batch: Batch) -> str:
    for wanted, entry, state in batch.table.rows():
        if state in ("rejected", "failed") and entry.error:
            return f"{wanted.source} ({deserialize(entry.error).summary})"
    return "unknown"
