"""The documents of one task: lists them, decides on each, and ends the task."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
import pendulum
from msgspec.structs import replace

from airflow_provider_docconv.batch.progress import Progress
from airflow_provider_docconv.batch.record import (
    KEPT_UNLISTED,
    ConversionRequest,
    Decision,
    DocumentState,
    Entry,
    Header,
    Known,
    Record,
    Run,
    decide,
)
from airflow_provider_docconv.batch.report import ReportLine, write_html, write_jsonl
from airflow_provider_docconv.batch.sources import OWN_FOLDER, Naming, Patterns, SourceFile, SourceSpec, find
from airflow_provider_docconv.services.errors import (
    DeadlineExceeded,
    DocConvError,
    DocumentRejected,
    DocumentsFailed,
    Handling,
    InvalidOptions,
    NamesCollide,
    SourceNotFound,
    StartReplyLost,
    scrub,
)
from airflow_provider_docconv.services.options import fingerprint, secrets_in, without_passwords
from airflow_provider_docconv.services.service import require_format
from airflow_provider_docconv.task_state import max_tries, task_key
from airflow_provider_docconv.transfer.addresses import MAX_NAME, folded, path_name
from airflow_provider_docconv.transfer.object_storage import (
    delete,
    distinguishes_names,
    open_for_reading,
    read_whole,
    store_errors,
    to_path,
    write_whole,
    writing,
)

if TYPE_CHECKING:
    from airflow_provider_docconv.client.settings import Settings
    from airflow_provider_docconv.compat import Context

_LONGEST_NAME = 200
# How many documents that were not converted the log names.
_FAILURES = 10
# How many extensions of what was left out are named.
_KINDS = 10
# What the others are counted as; no extension has a space in it that people would miss.
_OTHERS = "other extensions"
_LONGEST_KIND = 20
# What the summary counts, in the order of the log: the states that end a document in a run, and all others as one.
_COUNTED = (DocumentState.DELIVERED, DocumentState.SKIPPED, DocumentState.REJECTED, DocumentState.FAILED)
UNFINISHED = "unfinished"


class Document(msgspec.Struct):
    """
    A document of the batch.

    :param request: the conversion that is asked for
    :param entry: what is known of it; kept up to date
    """

    request: ConversionRequest
    entry: Entry


class Connections:
    """
    The connections of a batch, and which of them converts a document.

    :param patterns: a connection's id for each pattern of documents; the first pattern that fits a document counts
    :param settings: the connections by id
    :param list_formats: asks the service of a connection for the target formats of each source format
    """

    def __init__(
        self,
        patterns: Mapping[str, str],
        settings: Mapping[str, Settings],
        list_formats: Callable[[str], Mapping[str, Collection[str]]],
    ) -> None:
        self.settings = settings
        #: The connections whose service did not list its formats.
        self.errors: dict[str, DocConvError] = {}
        self._list_formats = list_formats
        self._formats: dict[str, Mapping[str, Collection[str]]] = {}
        self.services = {conn_id: each.service() for conn_id, each in settings.items()}
        self._patterns = [(Patterns(pattern), conn_id) for pattern, conn_id in patterns.items()]

    def __contains__(self, conn_id: str) -> bool:
        return conn_id in self.settings

    @property
    def labels(self) -> set[str]:
        """The names of the services."""
        return {service.label for service in self.services.values()}

    @property
    def schemes(self) -> set[str]:
        """The schemes of addresses in the vendors' own storage."""
        return {service.info.scheme for service in self.services.values()}

    def choose(self, found: SourceFile) -> str | None:
        """
        Return the connection that converts a document, None if no pattern fits.

        :param found: the document; one in a vendor's storage can be converted by that vendor only
        """
        scheme = found.uri.partition("://")[0]
        for patterns, conn_id in self._patterns:
            elsewhere = scheme in self.schemes and scheme != self.services[conn_id].info.scheme
            if patterns.fit(found.relative) and not elsewhere:
                return conn_id
        return None

    def formats(self, conn_id: str) -> Mapping[str, Collection[str]]:
        """
        Return the target formats of each source format that a connection's service converts.

        :param conn_id: the connection
        :return: the formats; empty if the service did not list them, which is among the errors then
        """
        if conn_id not in self._formats:
            service = self.services[conn_id]
            self._formats[conn_id] = dict.fromkeys(service.source_formats, service.target_formats)
            if not service.source_formats:
                try:
                    self._formats[conn_id] = self._list_formats(conn_id)
                except DocConvError as error:
                    self.errors[conn_id] = error
        return self._formats[conn_id]


class Batch:
    """
    The documents of one task, and what is known of them.

    :param specs: the items of the operator's source
    :param naming: names the results
    :param record_folder: the folder of the record, the same in every run
    :param destination_as_written: the destination before its templates were rendered, the same in every run
    :param connections: the connections
    :param context: the task's context
    :param log: the task's log
    :param full_refresh: whether to repeat everything that earlier runs have done
    :param start_again: whether a start whose reply was lost is sent again
    :param quarantine: the folder for copies of rejected documents, which is not searched either
    :param include: patterns of the documents; None for all that the services convert
    :param exclude: patterns of what is left out
    """

    def __init__(
        self,
        specs: Sequence[SourceSpec],
        naming: Naming,
        *,
        record_folder: str,
        destination_as_written: str,
        connections: Connections,
        context: Context,
        log: logging.Logger | Any,
        full_refresh: bool,
        start_again: bool,
        quarantine: str | None = None,
        include: Patterns | None = None,
        exclude: Patterns | None = None,
    ) -> None:
        self.log = log
        self.start_again = start_again
        self.run = Run(task_key(context["ti"])[1], max_tries(context))
        self.began = time.time()
        #: What an earlier pass of this run has left, None if this is the first one.
        self.earlier: Header | None = None
        #: Calls to the services in this run, by connection and kind.
        self.calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        #: What the last run that is recorded has cost, by connection and kind.
        self.last_calls: Mapping[str, Mapping[str, int]] = {}
        #: The files that are no documents of this batch, by extension; the rarer ones together.
        self.left_out: Counter[str] = Counter()
        self._checked: set[tuple[str, str]] = set()
        #: The documents by key, in the order of their listing.
        self.documents: dict[str, Document] = {}
        #: What was delivered of documents that are no longer in their folders.
        self.gone: dict[str, Document] = {}
        #: Whether the report was written.
        self.is_reported = False
        #: What is not among the documents, but has left something at the service.
        self.past: dict[str, Document] = {}
        #: The documents whose results were deleted for that.
        self.deleted = 0
        self._last_delivered: dict[str, Entry] = {}
        self._specs = {_digest(spec): spec for spec in specs}
        self._conditions = {
            (digest, conn_id): _conditions(settings, spec)
            for digest, spec in self._specs.items()
            for conn_id, settings in connections.settings.items()
        }
        self._secrets = [secret for spec in specs for secret in secrets_in(spec.options)]
        self._naming = naming
        self._quarantine = quarantine
        self._include, self._exclude = include, exclude
        self._destination_as_written = destination_as_written
        self._connections = connections
        self._full_refresh = full_refresh
        dag_id, run_id, task_id, map_index = task_key(context["ti"])
        own = f"{record_folder.rstrip('/')}/{OWN_FOLDER}"
        task = f"{path_name(dag_id)}.{path_name(task_id)}"
        task += "" if map_index < 0 else f".{map_index}"
        self.title = f"{dag_id}, {task_id}" + ("" if map_index < 0 else f" [{map_index}]")
        # Readable, and without a percent sign, which browsers would take for an escape.
        self.report = f"{own}/reports/{_plain(task)}/{_plain(run_id)}"
        #: The folder of the results.
        self.folder = naming.folder
        self.record = Record(to_path(f"{own}/record"), task)
        # Never searched: the results of this run and of earlier ones are not documents.
        self._left_out = tuple(f"{each.rstrip('/')}/" for each in (naming.folder, record_folder, quarantine) if each)

    def load(self, *, resumed: bool) -> None:
        """
        List the documents, and decide on each from what is known of it.

        :param resumed: whether this run has listed them before it deferred, so that its own list is at hand
        :raises SourceNotFound: if they can't be listed
        :raises RecordDamaged: if what earlier runs did can't be read
        """
        known = self.record.read()
        self.last_calls = known.header.calls if known.header else {}
        same_run = known.header is not None and known.header.run == self.run.id
        if known.header and same_run:
            self.earlier, self.began = known.header, known.header.began
            self.calls.update((conn_id, Counter(calls)) for conn_id, calls in known.header.calls.items())
        # The list of sources may have changed while the task was deferred.
        if resumed and same_run and all(self._is_current(request) for request in known.requests):
            self._resume(known)
            return
        listed: dict[str, set[str]] = {}
        self._last_delivered = _last_delivered(known)
        for digest, spec in self._specs.items():
            before = len(self.documents) + self.left_out.total()
            for found in find(spec, self._left_out, self._connections.schemes):
                if found.uri in self._last_delivered and not found.named:
                    continue  # A result of this task, in the folder of its sources.
                if spec.documents is None and not found.named:
                    listed.setdefault(digest, set()).add(found.uri)
                conn_id = self._connections.choose(found)
                several = not found.named or (self._naming.is_fixed and len(self._specs) > 1)
                if self._naming.is_single and several:
                    raise InvalidOptions(
                        f"destination gives all documents of {spec.source} the same name, so nothing was sent",
                        remedy="give a folder (with / at its end), or a name with a field such as {stem}.{format}",
                    )
                if conn_id and (found.named or self._is_wanted(found, conn_id)):
                    self._add(digest, spec, found, conn_id, known)
                else:
                    # Whatever the files are called, the summary is small.
                    self.left_out[found.extension[:_LONGEST_KIND]] += 1
            if before == len(self.documents) + self.left_out.total():
                self.log.warning("No document was found in %s", spec.source)
        self._reject_collisions()
        self._note_gone(known, listed)
        self._note_past(known)
        if rarer := self.left_out.most_common()[_KINDS:]:
            self.left_out -= Counter(dict(rarer))
            self.left_out[_OTHERS] += sum(count for _, count in rarer)
        if self.left_out:
            self.log.info("Left out: %s", self.left_out_in_words())

    def _note_gone(self, known: Known, listed: Mapping[str, Set[str]]) -> None:
        """
        Keep what was delivered of documents that are no longer in their folders.

        :param known: the record
        :param listed: what is in the folder of each item now. One in which nothing was found says nothing
        """
        oldest = time.time_ns() // 1000 - KEPT_UNLISTED
        for request in known.requests:
            entry, sources = known.entries.get(request.key), listed.get(request.spec, ())
            if not sources or request.source in sources or request.key in self.documents:
                continue
            if entry and entry.state is DocumentState.DELIVERED and entry.seq > oldest:
                request = replace(request, gone_since=request.gone_since or self.run.id)
                self.gone[request.key] = Document(request, entry)

    def _note_past(self, known: Known) -> None:
        """Keep what is left to delete at the service of documents that are not among these."""
        for request in known.requests:
            if request.key in self.documents or request.key in self.gone or request.conn_id not in self._connections:
                continue
            if (entry := known.entries.get(request.key)) and entry.leftover:
                self.past[request.key] = Document(replace(request, is_past=True), entry)

    def delete_results_of_gone(self) -> None:
        """
        Delete the results of documents that an earlier run has missed already; a failure is only logged.

        Only those that the record names, below the folder of this batch's results, and not those that another document
        has replaced.
        """
        current = {each.request.destination for each in self.documents.values()}
        current |= {result["uri"] for each in self.documents.values() for result in each.entry.results}
        current = set(map(folded, current))
        for key, each in list(self.gone.items()):
            if each.request.gone_since == self.run.id or each.entry.more_results:
                continue  # Not at one glance: a folder may be away for a while.
            uris = [uri for result in each.entry.results if folded(uri := result["uri"]) not in current]
            if not all(uri.startswith(self._left_out) for uri in uris):
                continue
            try:
                with store_errors(f"could not delete the results of {each.request.source}"):
                    for uri in uris:
                        delete(to_path(uri))
            except DocConvError as error:
                self.log.warning("%s", error)
            else:
                if uris:
                    self.log.info("Deleted %s: the source %s is gone", ", ".join(uris), each.request.source)
                del self.gone[key]
                self.deleted += bool(uris)

    def fold(self) -> None:
        """
        Fold the record, beside the results.

        :raises DestinationUnwritable: if that can't be done
        """
        header = Header(self.run.id, self.began, self._calls_by_connection(), dict(self.left_out))
        documents = [*self.documents.values(), *self.gone.values(), *self.past.values()]
        self.record.fold(header, ((each.request, each.entry) for each in documents))

    @property
    def sources(self) -> list[str]:
        """The sources as they are given."""
        return [spec.source for spec in self._specs.values()]

    @property
    def errors(self) -> Mapping[str, DocConvError]:
        """Why nothing will succeed at a connection, as far as the listing has shown."""
        return self._connections.errors

    def spec_of(self, document: Document) -> SourceSpec:
        """Return the item of the operator's source that a document comes from."""
        return self._specs[document.request.spec]

    def failed(self, entry: Entry, error: DocConvError, **changes: Any) -> Entry:
        """
        Return an entry with an error, from which the documents' passwords are removed, and with other changes.

        :param entry: the entry
        :param error: the error, whose words may come from the service
        """
        scrub(error, *self._secrets)
        if changes.get("state") is DocumentState.REJECTED:
            changes["refused_in"] = entry.refused_in or self.run.id
        return entry.failed(error, **changes)

    def conditions_of(self, document: Document) -> str:
        """Return what a refusal of a document depends on beside the document, as in :class:`Entry`."""
        return self._conditions[document.request.spec, document.request.conn_id]

    def states(self) -> Counter[DocumentState]:
        """Count the documents by state."""
        return Counter(each.entry.state_in(self.run) for each in self.documents.values())

    def to_do(self) -> list[Document]:
        """Return the documents that are to be converted, those whose operations have been started first."""
        left = [each for each in self.documents.values() if not each.entry.state_in(self.run).is_final]
        return sorted(left, key=lambda each: each.entry.state is not DocumentState.STARTED)

    def at_service(self) -> list[Document]:
        """Return the documents whose operations were started and whose results are not delivered."""
        return [each for each in self.documents.values() if each.entry.state_in(self.run) is DocumentState.STARTED]

    def to_clean_up(self) -> list[Document]:
        """Return the documents of which an earlier try or run has left something at the service."""
        every = chain(self.documents.values(), self.gone.values(), self.past.values())
        return [each for each in every if each.entry.leftover]

    def summary(self) -> dict[str, Any]:
        """Return what the task returns, which is small, however many documents there are."""
        lost = bytes_in = bytes_out = refused_before = 0
        for line in self.report_lines():
            lost += line.lost_replies > 0
            refused_before += line.refused_before
            if line.state == DocumentState.DELIVERED:
                bytes_in += line.size or 0
                bytes_out += sum(result["size"] for result in line.results)
        states = self.states()
        counts = {state.value: states.pop(state, 0) for state in _COUNTED}
        return {
            "documents": len(self.documents),
            **counts,
            UNFINISHED: states.total(),
            "refused_before": refused_before,
            "left_out": dict(self.left_out),
            "left_at_service": len(self.to_clean_up()),
            "sources_gone": len(self.gone),
            "results_deleted": self.deleted,
            "lost_replies": lost,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "calls": dict(sum(self.calls.values(), Counter())),
            "calls_by_connection": self._calls_by_connection(),
            "began": pendulum.from_timestamp(int(self.began)).isoformat(),
            "seconds": round(time.time() - self.began, 1),
            "report": f"{self.report}.jsonl",
            "page": f"{self.report}.html",
            "record": str(self.record.folder),
            "record_task": self.record.task,
            "run": self.run.id,
        }

    def progress(self) -> Progress:
        """Return how far the batch is."""
        counts: Counter[str] = Counter()
        times = []
        for entry in [each.entry for each in self.documents.values()]:
            state = entry.state_in(self.run)
            if state is DocumentState.STARTED:
                counts["ended" if entry.ended else "in_flight"] += 1
            else:
                counts[state.value if state.is_final else "waiting"] += 1
            if entry.run == self.run.id and entry.started and state is not DocumentState.REJECTED:
                times.append((entry.started, entry.ended))
        took = [ended - started for started, ended in times if ended]
        return Progress(
            documents=len(self.documents),
            calls=sum(calls.total() for calls in self.calls.values()),
            converted=len(took),
            since=min((started for started, _ in times), default=None),
            shortest=min(took, default=None),
            **counts,
        )

    def _calls_by_connection(self) -> dict[str, dict[str, int]]:
        return {conn_id: dict(calls) for conn_id, calls in self.calls.items() if calls}

    def report_lines(self) -> Iterator[ReportLine]:
        """Return what has become of each document."""
        return (ReportLine.of(each.request, each.entry, self.run) for each in self.documents.values())

    def _lines_of_gone(self) -> Iterator[ReportLine]:
        return (ReportLine.of(each.request, each.entry, self.run) for each in self.gone.values())

    def write_report(self, summary: dict[str, Any]) -> None:
        """
        Write the report, as JSON Lines and as a page, and note that it names the lost replies.

        :param summary: the summary
        :raises DestinationUnwritable: if that can't be done
        """
        with store_errors(f"could not write the report {summary['page']}"):
            with writing(to_path(summary["report"])) as file:
                write_jsonl(file, chain(self.report_lines(), self._lines_of_gone()))
            with writing(to_path(summary["page"])) as file:
                write_html(file, self.title, summary, self.report_lines, self._lines_of_gone())
        self.is_reported = True
        for each in self.documents.values():
            if each.entry.lost_replies and not each.entry.reported:
                each.entry = self.record.stamp(replace(each.entry, reported=True))

    def put_aside(self) -> None:
        """Copy the rejected documents to the quarantine, each with a file that says why; those that are there stay."""
        for each in self.documents.values():
            unread = each.entry.error is None or each.entry.error.type == SourceNotFound.__name__
            remote = each.request.source.partition("://")[0] in self._connections.schemes
            if each.entry.state is not DocumentState.REJECTED or unread or remote:
                continue
            copy = f"{self._quarantine}{_copy_name(each.request)}"
            try:
                with store_errors(f"could not copy the rejected document to {copy}"):
                    self._put_aside(each, copy)
            except DocConvError as error:
                self.log.warning("%s: %s", each.request.source, error)

    def _put_aside(self, document: Document, copy: str) -> None:
        line = ReportLine.of(document.request, document.entry, self.run)
        reason = {
            "source": line.source,
            "error": line.error,
            "remedy": line.remedy,
            "refused_in": document.entry.refused_in,
            "fingerprint": document.request.fingerprint,
        }
        path = to_path(f"{copy}.json")
        if path.exists() and json.loads(read_whole(path)).get("fingerprint") == reason["fingerprint"]:
            return
        with open_for_reading(to_path(line.source)) as source, writing(to_path(copy)) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        # Last, because it says that the copy is there.
        write_whole(path, json.dumps(reason, indent=1).encode())

    def log_plan(self) -> dict[str, Any]:
        """Log what would become of each document and where the record is, and return how many of each there are."""
        plan = dict.fromkeys(_PLAN.values(), 0)
        for each in self.documents.values():
            word = _PLAN[each.entry.state_in(self.run)]
            plan[word] += 1
            self.log.info("%s %s -> %s", word, each.request.source, each.request.destination)
        self.log.info("The record of this batch is %s", self.record.folder)
        self.log.info("Nothing was sent: %s", ", ".join(f"{word} {count:,}" for word, count in plan.items()))
        return {"documents": len(self.documents), "plan": plan}

    def log_failures(self) -> None:
        """Log the documents that were not converted, one to a line: its name, why, and what to do."""
        failures = list(islice(self._in_state(DocumentState.REJECTED, DocumentState.FAILED), _FAILURES + 1))
        for line in failures[:_FAILURES]:
            name = line.source.rstrip("/").rpartition("/")[2]
            remedy = f". To do: {line.remedy}" if line.remedy else ""
            self.log.error("%s: %s%s [%s, connection %r]", name, line.error, remedy, line.source, line.conn_id)
        if len(failures) > _FAILURES:
            self.log.error("More documents were not converted; the report lists all of them")

    def log_cost(self, summary: Mapping[str, Any]) -> None:
        """
        Log what was done and how many calls it has cost.

        :param summary: the summary
        """
        calls = summary["calls"]
        parts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(calls.items(), key=lambda each: -each[1]))
        total = f"{sum(calls.values()):,} ({parts})" if calls else "none"
        self.log.info("%s; the report is %s", _done(summary), summary["page"])
        self.log.info("Calls to %s: %s", ", ".join(sorted(self._connections.labels)), total)
        if summary["left_at_service"]:
            self.log.warning(
                "Something of %d documents could not be deleted at the service; the next run tries again",
                summary["left_at_service"],
            )
        if summary["lost_replies"]:
            self.log.warning(
                "%d documents may have been paid for twice; the report names them", summary["lost_replies"]
            )

    def raise_for_outcome(
        self, summary: Mapping[str, Any], tolerated: str | float, stopped: DocConvError | None
    ) -> None:
        """
        Raise the task's final error, if any.

        :param summary: the summary
        :param tolerated: the operator's ``on_document_error``
        :param stopped: what stopped the batch, if something did
        :raises DocConvError: what stopped it
        :raises DeadlineExceeded: if it had to stop before all documents were done
        :raises DocumentsFailed: if more documents could not be converted than are tolerated
        """
        total, page = summary["documents"], summary["page"]
        if stopped:
            stopped.what = f"{_done(summary)}, then the batch stopped: {stopped.what}"
            raise stopped
        if summary[UNFINISHED]:
            raise DeadlineExceeded(
                f"{summary[UNFINISHED]:,} of {total:,} documents were not finished when the task stopped",
                remedy=f"operations at the service are not lost: raise timeout and clear the task to resume; {page} "
                "names the documents",
            )
        rejected, failed = summary[DocumentState.REJECTED], summary[DocumentState.FAILED]
        if tolerated == "new":
            rejected -= summary["refused_before"]
        bad = rejected + failed
        share = float({"fail": 0, "new": 0, "ignore": 1}.get(str(tolerated), tolerated))
        # Divided, because as a binary fraction 0.57 times 100 is less than 57.
        if not bad or bad / total <= share:
            return
        error = DocumentsFailed(
            f"{bad:,} of {total:,} documents were not converted ({rejected:,} rejected, {failed:,} failed)",
            remedy=f"{page} lists each with its remedy",
        )
        # A reply that was lost is left to a person, by on_lost_reply="fail".
        left_alone = sum(each.error_type == StartReplyLost.__name__ for each in self._in_state(DocumentState.FAILED))
        if failed > left_alone:
            error.handling = Handling.RETRY
        raise error

    def _resume(self, known: Known) -> None:
        self.left_out.update(known.header.left_out if known.header else {})
        for request in known.requests:
            if request.gone_since or request.is_past:
                kept = self.past if request.is_past else self.gone
                kept[request.key] = Document(request, known.entries[request.key])
                continue
            entry = known.own.get(request.key) or Entry(request.key, request.fingerprint)
            self.documents[request.key] = Document(request, entry)

    def _is_wanted(self, found: SourceFile, conn_id: str) -> bool:
        if self._exclude and self._exclude.fit(found.relative):
            return False
        if self._include:
            return self._include.fit(found.relative)
        formats = self._connections.formats(conn_id)
        return not formats or found.extension in formats

    def left_out_in_words(self) -> str:
        """Return how many files were left out, in all and by extension."""
        kinds = (f"{kind or 'no extension'} {count:,}" for kind, count in self.left_out.most_common())
        return f"{self.left_out.total():,} ({', '.join(kinds)})"

    def _is_current(self, request: ConversionRequest) -> bool:
        return request.is_past or (request.spec in self._specs and request.conn_id in self._connections)

    def _add(self, digest: str, spec: SourceSpec, found: SourceFile, conn_id: str, known: Known) -> None:
        service = self._connections.services[conn_id]
        if (digest, conn_id) not in self._checked:
            self._check(spec, conn_id)
            self._checked.add((digest, conn_id))
        rejection = None
        try:
            destination = self._naming.uri(found.relative, spec.target_format)
        except DocumentRejected as error:
            destination, rejection = "", error
        request = ConversionRequest(
            key=fingerprint(found.uri, spec.target_format, self._destination_as_written)[:20],
            source=found.uri,
            destination=destination,
            target_format=spec.target_format,
            spec=digest,
            fingerprint=fingerprint(
                source=found.uri,
                size=found.size,
                version=found.version,
                target_format=spec.target_format,
                service=service.info.name,
                options=without_passwords(spec.options),
            ),
            versioned=bool(found.version),
            size=found.size,
            conn_id=conn_id,
        )
        targets = self._connections.formats(conn_id).get(found.extension, ())
        if not rejection and targets and spec.target_format.lower() not in targets:
            rejection = DocumentRejected(
                f"{service.label} can't convert .{found.extension} to {spec.target_format!r}, only to "
                f"{', '.join(sorted(targets))}, so it was not sent",
                remedy="correct target_format, or leave the document out with exclude",
            )
        # The same document may be named more than once.
        if request.key not in self.documents:
            document = Document(request, self._decided(request, known.entries.get(request.key)))
            self.documents[request.key] = document
            if rejection:
                self._reject(document, rejection)

    def _check(self, spec: SourceSpec, conn_id: str) -> None:
        """Refuse what no document of an item can be converted with, before anything is paid."""
        service = self._connections.services[conn_id]
        service.check(spec.target_format, spec.options)
        self._naming.check(spec.target_format)
        known = {target for targets in self._connections.formats(conn_id).values() for target in targets}
        require_format(service.label, spec.target_format, known)

    def _reject_collisions(self) -> None:
        """Refuse documents whose results would replace each other, and no others."""
        for documents in self._by_name():
            for each in documents if len(documents) > 1 else ():
                if each.entry.state_in(self.run) is not DocumentState.SKIPPED:
                    others = ", ".join(other.request.source for other in documents[:4] if other is not each)
                    what = f"its result would have the same name as that of {others}: {each.request.destination}"
                    self._reject(each, NamesCollide(what))

    def _by_name(self) -> Iterable[list[Document]]:
        """Return the documents by the names of their results."""
        named = [each for each in self.documents.values() if each.request.destination]
        names = {each.request.destination for each in named}
        # Some file systems don't tell names apart by letter case or the form of an accent.
        fold = len(set(map(folded, names))) < len(names) and not distinguishes_names(self.folder)
        by_name: dict[str, list[Document]] = {}
        for each in named:
            name = each.request.destination
            by_name.setdefault(folded(name) if fold else name, []).append(each)
        return by_name.values()

    def _reject(self, document: Document, error: DocConvError) -> None:
        error.document = document.request.source
        document.entry = self.record.stamp(self.failed(document.entry, error, state=DocumentState.REJECTED))

    def _decided(self, request: ConversionRequest, known: Entry | None) -> Entry:
        """Return the entry to continue with."""
        conditions = self._conditions[request.spec, request.conn_id]
        decision = decide(request, known, self.run, conditions=conditions, full_refresh=self._full_refresh)
        if known and decision is Decision.SKIP and self._was_replaced(known):
            decision = Decision.START
        if known and decision in (Decision.SKIP, Decision.REJECT):
            # As new as this listing: another task may list the document in the next run, and needs it until then.
            return self.record.stamp(known)
        if known and known.leftover:
            # The new conversion has an entry of the same key.
            key = fingerprint(known.key, known.operation_id)[:20]
            past = self.record.stamp(replace(known, key=key))
            self.past[key] = Document(replace(request, key=key, is_past=True), past)
        return self.record.stamp(self._continued(request, known, decision))

    def _was_replaced(self, known: Entry) -> bool:
        """Tell whether another document of this task has been delivered under the same name since."""
        return any(self._last_delivered.get(result["uri"], known).key != known.key for result in known.results)

    def _continued(self, request: ConversionRequest, known: Entry | None, decision: Decision) -> Entry:
        fresh = Entry(request.key, request.fingerprint, run=self.run.id, max_tries=self.run.max_tries)
        if known is None:
            return fresh
        if known.fingerprint == request.fingerprint:
            fresh = replace(fresh, refused_in=known.refused_in)
        lost_replies = known.lost_replies_in(self.run)
        fresh = replace(fresh, attempts=known.attempts if known.run == self.run.id else 0, lost_replies=lost_replies)
        if decision is Decision.RESUME:
            return replace(known, error=None, ended=None, lost_replies=lost_replies)
        if decision is Decision.REPLY_LOST:
            again = self.start_again or known.run != self.run.id or known.max_tries != self.run.max_tries
            if again:
                return replace(fresh, lost_replies=known.lost_replies)
            lost = StartReplyLost("an earlier try sent a start and ended before its reply came")
            return self.failed(replace(known, error=None), lost)
        return fresh

    def _in_state(self, *states: DocumentState) -> Iterator[ReportLine]:
        return (line for line in self.report_lines() if line.state in states)


_PLAN = {
    DocumentState.WAITING: "convert",
    DocumentState.SENT: "convert",
    DocumentState.STARTED: "resume",
    DocumentState.SKIPPED: "skip",
    DocumentState.DELIVERED: "skip",
    DocumentState.REJECTED: "leave out",
    DocumentState.FAILED: "leave out",
}


def _copy_name(request: ConversionRequest) -> str:
    """Name a document's copy: differently for documents of one name, and short enough for .json after it."""
    path = PurePosixPath(request.source.rpartition("/")[2])
    end = f"-{request.key[:8]}{path.suffix}"
    room = MAX_NAME - len(".json") - len(end.encode(errors="replace"))
    return path.stem.encode(errors="surrogateescape")[:room].decode(errors="ignore") + end


def _done(summary: Mapping[str, Any]) -> str:
    parts = [f"{summary[state]:,} {state}" for state in (*_COUNTED, UNFINISHED) if summary[state]]
    return f"Of {summary['documents']:,} documents {', '.join(parts) or 'none'}"


def _digest(spec: SourceSpec) -> str:
    """Tell an item of the operator's source from others, without its passwords."""
    options = without_passwords(spec.options)
    return fingerprint(spec.source, spec.documents, spec.target_format, options)[:20]


def _last_delivered(known: Known) -> dict[str, Entry]:
    """Return which of this task's documents was delivered last under each name."""
    delivered = (each for each in known.own.values() if each.state is DocumentState.DELIVERED)
    return {result["uri"]: each for each in sorted(delivered, key=lambda each: each.seq) for result in each.results}


def _conditions(settings: Settings, spec: SourceSpec) -> str:
    # Keyed, so that readers of the record can't try passwords.
    text = json.dumps([settings.base_url, settings.storage_name, spec.options], sort_keys=True, default=str)
    return hmac.new(settings.password.encode(), text.encode(), hashlib.sha256).hexdigest()


def _plain(text: str) -> str:
    name = re.sub(r"[^\w.-]+|^\.+", "-", text, flags=re.ASCII)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{fingerprint(text)[:12]}"
