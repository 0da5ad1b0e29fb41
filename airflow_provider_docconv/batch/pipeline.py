"""One document of a batch, from its start to its delivery."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.batch.record import ConversionRequest, Entry, Journal, Progress, Run
from airflow_provider_docconv.batch.sources import SourceSpec
from airflow_provider_docconv.batch.table import UNDER_WAY, WAITING, Table
from airflow_provider_docconv.client.asynchronous import AsyncClient, shared_async_client
from airflow_provider_docconv.polling import YOUNG, Pace, Wait, require_succeeded, watch
from airflow_provider_docconv.services.errors import (
    DestinationUnwritable,
    DocConvError,
    Handling,
    OperationNotFound,
    ResultRejected,
    StartReplyLost,
)
from airflow_provider_docconv.services.operations import Operation
from airflow_provider_docconv.transfer.addresses import read_remote
from airflow_provider_docconv.transfer.delivery import Destination, deliver
from airflow_provider_docconv.transfer.source import open_source

if TYPE_CHECKING:
    pass
    from airflow_provider_docconv.hooks.docconv import DocConvHook

# A document that fails this often while others succeed is given up until the next try or night.
_ATTEMPTS = 6
# For what may cost money each time: a start whose reply never came, an operation that has vanished.
_FEW_ATTEMPTS = 3
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 60.0
# What the errors of a single conversion advise does not fit a batch, which goes on by itself.
_REMEDIES = {
    "ConversionFailed": "correct the document or the options; it is sent again when it has changed",
    "ConversionCanceled": "the next run sends it again",
    "OperationNotFound": "the next run sends it again; if that ends alike, check conn_id",
    "StartReplyLost": "look in the vendor's dashboard; the next run sends it again, which may pay twice",
}


class Stopped(Exception):
    """
    Ends the work on all documents.

    :param reason: why nothing else will succeed either
    """

    def __init__(self, reason: DocConvError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Conversion:
    """
    The work on one document.

    :param wanted: what is wanted
    :param entry: what is known; kept up to date
    :param pipeline: the means, which all documents share
    """

    def __init__(self, wanted: ConversionRequest, entry: Entry, pipeline: Pipeline) -> None:
        self.wanted = wanted
        self.entry = entry
        self._pipeline = pipeline
        self._failures = self._lost = self._vanished = 0
        self._failing_since = 0.0
        self._started_here = False

    async def run(self) -> None:
        """
        Bring the document to its destination, or find out why that can't be.

        :raises Stopped: if nothing else will succeed either
        """
        while True:
            try:
                await self._attempt()
            except DocConvError as error:
                error.document = self.wanted.source
                if not self._tries_again(error):
                    await self._settle(error)
                    return
                await asyncio.sleep(self._pause())
            else:
                return

    async def _attempt(self) -> None:
        if self.entry.operation_id is None:
            await self._pipeline.transfer(self._start)
            self._started_here = True
        if self.entry.ended is None:
            operation, ended = await self._pipeline.watch(self.entry, fresh=self._started_here)
            require_succeeded(operation, self._pipeline.label)
            self.entry = replace(self.entry, ended=ended)
        await self._pipeline.transfer(self._deliver)
        self._failures = 0

    def _start(self) -> None:
        """Start it, with the intent written down before and the operation id after; runs in a thread."""
        pipeline, item, before = self._pipeline, self._pipeline.items[self.wanted.item], self.entry
        document = open_source(self.wanted.source, pipeline.hook.service)
        attempt = replace(
            self.entry,
            **pipeline.signature,
            fingerprint=self.wanted.fingerprint,
            progress=Progress.SENT,
            attempts=self.entry.attempts + 1,
            lost_replies=self.entry.lost_replies + 1,
            source_sha256=None,
            waited=round(time.time() - pipeline.began, 3),
            error=None,
        )
        self.entry = pipeline.journal.write(attempt)
        try:
            operation_id = pipeline.hook.start(document, self.wanted.target_format, item.options).operation_id
        except StartReplyLost:
            raise
        except DocConvError:
            self.entry = pipeline.journal.write(replace(before, progress=Progress.WAITING, attempts=attempt.attempts))
            raise
        self.entry = pipeline.journal.write(
            replace(
                attempt,
                progress=Progress.STARTED,
                lost_replies=before.lost_replies,
                operation_id=operation_id,
                source_sha256=getattr(document, "sha256", None),
                started=time.time(),
            )
        )

    def _deliver(self) -> None:
        """Fetch and store the results, and write that down; runs in a thread."""
        pipeline, hook = self._pipeline, self._pipeline.hook
        destination = Destination(self.wanted.destination, pipeline.label, None)
        options = pipeline.items[self.wanted.item].options
        where = hook.result_storage(read_remote(self.wanted.source, hook.service), options)
        files = hook.get_results(str(self.entry.operation_id), where)
        results = deliver(hook, files, destination, pipeline.log)
        done = replace(
            self.entry, **pipeline.signature, progress=Progress.DELIVERED, results=[dict(each) for each in results]
        )
        # Were this lost, the next try would fetch the result once more, and convert nothing.
        self.entry = pipeline.journal.note(replace(done, error=None))

    def _tries_again(self, error: DocConvError) -> bool:
        """Tell whether another attempt is of use now, and take back what the error has proved wrong."""
        self._failures += 1
        now = time.time()
        self._failing_since = now if self._failures == 1 else self._failing_since
        if isinstance(error, OperationNotFound):
            if now - (self.entry.started or 0) < YOUNG:
                return True  # Another server of the service may know it.
            # It expired: the entry says that nothing is under way.
            self.entry = replace(self.entry, progress=Progress.WAITING, operation_id=None, started=None, ended=None)
            self._vanished += 1
            return self._vanished < _FEW_ATTEMPTS
        if isinstance(error, StartReplyLost):
            self._lost += 1
            return self._pipeline.start_again and self._lost < _FEW_ATTEMPTS
        if isinstance(error, ResultRejected | DestinationUnwritable) and self._failures < _FEW_ATTEMPTS:
            return True
        if error.handling is Handling.STOP or self._pipeline.out_of_reach(self._failing_since, now):
            raise Stopped(error)
        if error.handling is Handling.REJECT:
            return False
        return self._failures < _ATTEMPTS or not self._pipeline.others_succeed(self._failing_since)

    async def _settle(self, error: DocConvError) -> None:
        """Write down that the document is not converted, and why."""
        if error.remedy == error.default_remedy:
            error.remedy = _REMEDIES.get(type(error).__name__, error.remedy)
        lasting = error.handling is Handling.REJECT and not isinstance(error, StartReplyLost | OperationNotFound)
        changes = {"progress": Progress.REJECTED} if lasting else {}
        self.entry = self.entry.failed(error, **self._pipeline.signature, **changes)
        if lasting:
            self.entry = await asyncio.to_thread(self._pipeline.journal.write, self.entry)

    def _pause(self) -> float:
        pause = min(_FIRST_PAUSE * 2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        return pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


# Soon at first, because somebody may be looking; then as often as a night's log bears.
_INTERVALS = (5.0, 10.0, 15.0, 30.0, 60.0)
_DONE = ("delivered", "rejected", "failed", "skipped")


class ProgressLog:
    """
    Writes a line now and then.

    :param table: the documents
    :param log: the task's log
    """

    def __init__(self, table: Table, log: logging.Logger | Any) -> None:
        self._table = table
        self._log = log
        self._began = self._told = time.monotonic()
        self._lines = 0
        self._done_before = self._done()

    def tell(self, in_flight: int) -> None:
        """
        Write a line if it is time for one.

        :param in_flight: documents that are being converted
        """
        now = time.monotonic()
        if now - self._told < _INTERVALS[min(self._lines, len(_INTERVALS) - 1)]:
            return
        self._told = now
        self._lines += 1
        counts, total, done = self._table.counts(), len(self._table), self._done()
        rate = (done - self._done_before) / (now - self._began)
        text = f"{done:,} of {total:,} documents done ({100 * done // max(total, 1)} %), {in_flight} in flight"
        if bad := counts["rejected"] + counts["failed"]:
            text += f", {bad:,} of them not converted"
        if rate:
            text += f", {_rate(rate)}, about {duration((total - done) / rate)} left"
        self._log.info("%s", text)

    def _done(self) -> int:
        counts = self._table.counts()
        return sum(counts[state] for state in _DONE)


def _rate(a_second: float) -> str:
    if a_second < 0.01:
        return f"{a_second * 3600:.2g} an hour"
    return f"{a_second:,.0f} a second" if a_second >= 10 else f"{a_second:.2g} a second"


def duration(seconds: float) -> str:
    """Say how long something takes, in the words of a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


_TICK = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How much at once, how often and how long.

    :param in_flight: operations at the service at once
    :param transfers: uploads and downloads at once
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest one
    :param fault_tolerance: seconds for which the service may be out of reach
    :param deadline: when to stop, in seconds since the epoch
    :param grace: seconds without news after which the worker is given back; None keeps it
    """

    in_flight: int
    transfers: int
    poke_interval: float
    max_poke_interval: float
    fault_tolerance: float
    deadline: float
    grace: float | None


class End(StrEnum):
    """Why the work on a batch ended without an error."""

    DONE = "all documents are done"
    WAITS = "there is nothing to do but to wait"
    STOPPED = "the time is up, or somebody has stopped it"


class Pipeline:
    """
    The means that all documents of a batch share, and the order of their work.

    :param table: the documents; those that wait are started, those that are under way are gone on with
    :param journal: gets everything before the next thing happens
    :param hook: the connection's hook
    :param items: the items of the operator's source
    :param run: the run
    :param began: when the task began, in seconds since the epoch
    :param start_again: whether a start whose reply was lost is sent again
    :param limits: the limits
    :param log: the task's log
    """

    def __init__(
        self,
        table: Table,
        journal: Journal,
        hook: DocConvHook,
        items: Sequence[SourceSpec],
        run: Run,
        began: float,
        start_again: bool,
        limits: Limits,
        log: logging.Logger | Any,
    ) -> None:
        self.journal = journal
        self.hook = hook
        self.items = items
        self.began = began
        self.start_again = start_again
        self.log = log
        self.label = hook.service.label
        self.signature: dict[str, Any] = {"run": run.id, "max_tries": run.max_tries}
        self.pace = Pace(limits.poke_interval, limits.max_poke_interval)
        self._table = table
        self._limits = limits
        self._ended: dict[str, tuple[Operation, float]] = {}
        self._active: dict[str, Conversion] = {}
        self._busy = 0
        self._last_success = self._last_change = 0.0
        self._stopping = False
        self._client: AsyncClient | None = None
        #: What the pass has cost in calls to the service, by kind, when it is over.
        self.calls: Counter[str] = Counter()

    def know(self, operation: Operation, ended: float) -> None:
        """Take note of an operation that has ended meanwhile, and when, so that it is not asked for again."""
        self._ended[operation.id] = operation, ended

    async def run(self) -> End:
        """
        Convert, and say why that has ended.

        Whatever ends it, the table holds afterwards what is known.

        :raises DocConvError: if nothing will succeed before a person has acted
        """
        client = self.hook.get_conn()
        before = client.calls
        self._last_change = time.time()
        try:
            async with shared_async_client(client.settings) as polling:
                self._client = polling
                with ThreadPoolExecutor(self._limits.transfers, "docconv-transfer") as self._pool:
                    return await self._run_lanes()
        except Stopped as stopped:
            raise stopped.reason from stopped
        finally:
            self.calls = client.calls - before
            # Only now no thread is at work any more.
            for conversion in self._active.values():
                self._table.save(conversion.entry, UNDER_WAY)

    def stop(self) -> None:
        """Stop as soon as the transfers under way are done; may be called from a signal handler."""
        self._stopping = True

    @property
    def watched(self) -> list[Entry]:
        """The operations that are at the service, the oldest first."""
        started = [each.entry for each in self._active.values() if each.entry.operation_id and not each.entry.ended]
        return sorted(started, key=lambda entry: entry.started or 0)

    async def transfer(self, work: Callable[[], None]) -> None:
        """Let one of the threads do a piece of work."""
        self._busy += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._busy -= 1
            self._last_change = time.time()
        self._last_success = time.time()

    async def watch(self, entry: Entry, *, fresh: bool) -> tuple[Operation, float]:
        """
        Return a document's operation when it has ended, and when that was noticed.

        :param entry: the document
        :param fresh: whether it was started just now; anything else may have ended long ago
        """
        operation_id, started = str(entry.operation_id), entry.started or time.time()
        known = self._ended.pop(operation_id, None)
        watched = fresh or known is not None
        if known is None:
            known = await self._watch(operation_id, started, fresh), time.time()
            self._last_success = self._last_change = known[1]
        if watched:  # Of others, nobody knows for how long they had ended already.
            self.pace.learn(known[1] - started)
        return known

    async def _watch(self, operation_id: str, started: float, fresh: bool) -> Operation:
        client, tolerance = self._client, self._limits.fault_tolerance
        if client is None:
            raise RuntimeError("The pipeline does not run.")
        wait = Wait(
            operation_id,
            self.label,
            deadline=float("inf"),
            pace=self.pace,
            started=started,
            fault_tolerance=tolerance,
        )
        first = wait.until_next(time.time()) if fresh else 0.0
        try:
            return await watch(client, operation_id, wait, first)
        except DocConvError as error:
            now = time.time()
            if error.retryable and self.out_of_reach(now - tolerance, now):
                raise Stopped(error) from error
            raise

    def out_of_reach(self, failing_since: float, now: float) -> bool:
        """Tell whether nothing has succeeded for so long that it is no use to go on."""
        return now - max(failing_since, self._last_success) >= self._limits.fault_tolerance

    def others_succeed(self, failing_since: float) -> bool:
        """Tell whether anything has succeeded since one document began to fail."""
        return self._last_success > failing_since

    async def _run_lanes(self) -> End:
        progress = ProgressLog(self._table, self.log)
        lanes = [asyncio.create_task(self._lane()) for _ in range(min(self._limits.in_flight, len(self._table)))]
        try:
            while going := [lane for lane in lanes if not lane.done()]:
                await asyncio.wait(going, timeout=_TICK, return_when=asyncio.FIRST_EXCEPTION)
                for lane in lanes:
                    if lane.done():
                        lane.result()
                progress.tell(len(self._active))
                if self._stopping or time.time() >= self._limits.deadline:
                    return End.STOPPED
                if self._only_waits():
                    return End.WAITS
            return End.DONE
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self) -> None:
        """Convert one document after the other."""
        while row := self._table.next(UNDER_WAY, _TAKEN) or self._table.next(WAITING, _TAKEN):
            conversion = Conversion(*row, self)
            self._active[conversion.entry.key] = conversion
            await conversion.run()
            self._table.save(conversion.entry, conversion.entry.state)
            del self._active[conversion.entry.key]

    def _only_waits(self) -> bool:
        """Tell whether the worker is of no use for a while: nothing moves, and operations are at the service."""
        grace = self._limits.grace
        if grace is None or self._busy or time.time() - self._last_change < grace:
            return False
        return bool(self.watched)


#: The state of documents that a lane has taken.
_TAKEN = "taken"
