"""Converts the documents of a batch, a window of them at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.batch.conversion import Conversion, Stopped
from airflow_provider_docconv.batch.entries import Entry, Run
from airflow_provider_docconv.batch.items import Item
from airflow_provider_docconv.batch.journal import Journal
from airflow_provider_docconv.batch.progress import ProgressLog
from airflow_provider_docconv.batch.table import UNDER_WAY, WAITING, Table
from airflow_provider_docconv.client.asynchronous import AsyncClient, shared_async_client
from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.operations import Operation
from airflow_provider_docconv.waiting import Pace, Wait
from airflow_provider_docconv.watching import watch

if TYPE_CHECKING:
    from airflow_provider_docconv.hooks.docconv import DocConvHook

_TICK = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How much at once, how often and how long.

    :param in_flight: operations at the service at once
    :param transfers: uploads and downloads at once
    :param poll_interval: the shortest time between two polls of an operation, in seconds
    :param max_poll_interval: the longest one
    :param fault_tolerance: seconds for which the service may be out of reach
    :param deadline: when to stop, in seconds since the epoch
    :param grace: seconds without news after which the worker is given back; None keeps it
    """

    in_flight: int
    transfers: int
    poll_interval: float
    max_poll_interval: float
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
        items: Sequence[Item],
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
        self.label = hook.fields.label
        self.signature: dict[str, Any] = {"run": run.id, "max_tries": run.max_tries}
        self.pace = Pace(limits.poll_interval, limits.max_poll_interval)
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
