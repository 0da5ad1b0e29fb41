"""Converts the documents of a batch, a window of them at a time."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from airflow_provider_docconv.batch.batch import Batch, Document
from airflow_provider_docconv.batch.progress import Progress, Schedule
from airflow_provider_docconv.batch.record import DocumentState, Entry
from airflow_provider_docconv.client.asynchronous import AsyncClient, shared_async_client
from airflow_provider_docconv.polling import SECOND_LOOK, Pace, Wait, apoll_until_ended, require_succeeded
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DestinationUnwritable,
    DocConvError,
    DocumentRejected,
    Handling,
    OperationNotFound,
    RefusedByService,
    ResultNotFound,
    ResultRejected,
    ResultTooLarge,
    ServiceNotFound,
    StartReplyLost,
    TruncatedResult,
    UnexpectedError,
    explain,
)
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.transfer.addresses import read_remote, write_remote
from airflow_provider_docconv.transfer.delivery import Bounds, Destination, deliver
from airflow_provider_docconv.transfer.source import open_source
from airflow_provider_docconv.transfer.unpacking import UnpackingDestination

if TYPE_CHECKING:
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import Document as SourceDocument
    from airflow_provider_docconv.services.operations import ResultFile

T = TypeVar("T")

# A document that fails this often while others succeed is given up until the next try or run.
_ATTEMPTS = 6
# For what may cost money each time: a start whose reply never came, an operation that has disappeared.
_FEW_ATTEMPTS = 3
# If this many documents are refused for the same reason and none is accepted, the documents are not the cause.
_ALIKE = 5
# How many results of a document the record names; a deck may have thousands of pages.
_LISTED = 100
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 60.0
_TICK = 0.25
# The record is folded after this many seconds, or earlier at this many objects, to be quick to read after a kill.
_FOLD_SECONDS = 180.0
_FOLD_OBJECTS = 1000
# The remedies of a single conversion don't fit a batch, which continues by itself.
_REMEDIES = {
    "ConversionFailed": "correct the document or the options; it is sent again once it has changed",
    "ConversionCanceled": "the next run sends it again",
    "OperationNotFound": "the next run sends it again; if that fails too, check conn_id",
    "StartReplyLost": "check the vendor's dashboard; the next run sends it again, at the risk of paying twice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How much at once, how often and how long.

    :param in_flight: operations at the service at once
    :param transfers: uploads and downloads at once
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest time between two polls, in seconds
    :param max_result_size: the most bytes that a result may have
    :param unpack: whether ZIPs of single pages are unpacked
    :param cleanup: whether to delete what a conversion has left at the service, once its result is delivered
    :param fault_tolerance: seconds for which the service may be unreachable
    :param deadline: when to stop, in seconds since the epoch
    :param grace: seconds without a change after which the worker is given back; None keeps it
    """

    in_flight: int
    transfers: int
    poke_interval: float
    max_poke_interval: float
    max_result_size: int
    unpack: bool
    cleanup: bool
    fault_tolerance: float
    deadline: float
    grace: float | None


class End(StrEnum):
    """Why the work on a batch ended without an error."""

    DONE = "all documents are done"
    WAITS = "there is nothing to do but wait"
    STOPPED = "the time is up, or the task was stopped"


class _Stopped(Exception):
    """
    Ends the work on all documents.

    :param reason: why no other document will succeed either
    """

    def __init__(self, reason: DocConvError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class _Failures:
    """How a document has failed in this pass."""

    count: int = 0
    since: float = 0.0
    lost_replies: int = 0
    vanished: int = 0
    unknown_since: float | None = None
    started_here: bool = False


class Pipeline:
    """
    The work on a batch, in one worker: the conversions of all its connections, side by side.

    :param batch: the documents; those with operations at the service are resumed, those that wait are started
    :param hooks: the hooks of the batch's connections, by connection id
    :param limits: the limits
    :param tell: called from time to time with how far the batch is, in a thread
    """

    def __init__(
        self,
        batch: Batch,
        hooks: Mapping[str, DocConvHook],
        limits: Limits,
        tell: Callable[[Progress], object] = lambda _: None,
    ) -> None:
        self._batch = batch
        self._limits = limits
        self._tell = tell
        self._transfers = Transfers(limits.transfers)
        self._conversions = {id: Conversions(batch, hook, limits, self._transfers) for id, hook in hooks.items()}
        for document in [*batch.to_do(), *(batch.to_clean_up() if limits.cleanup else ())]:
            if conversions := self._conversions.get(document.request.conn_id):
                conversions.queue.append(document)
        # Connections with the same settings share a client.
        self._counted = {each.client: (conn_id, each.client.calls) for conn_id, each in self._conversions.items()}
        self._stopping = False

    def add_seen(
        self, conn_id: str, succeeded: Mapping[str, float], others: Collection[str], typical: float = 0.0
    ) -> None:
        """
        Take what has been seen of a connection's operations in the meantime, so that it is not asked for again.

        :param conn_id: the connection
        :param succeeded: the operations that have succeeded, each with the time when that was noticed
        :param others: those about which nothing is known; all that are in neither were running a moment ago
        :param typical: seconds that a quick operation is known to take, 0 if unknown
        """
        conversions = self._conversions[conn_id]
        for operation_id, ended in succeeded.items():
            conversions.ended[operation_id] = Operation(operation_id, OperationState.SUCCEEDED, ""), ended
        conversions.unknown = set(others)
        conversions.pace.typical = typical

    def stop_connection(self, conn_id: str, reason: DocConvError) -> None:
        """
        Leave out the documents of a connection.

        :param conn_id: the connection
        :param reason: why none of them will succeed
        """
        self._conversions[conn_id].stopped = reason

    async def run(self) -> End:
        """
        Convert the documents, and return why the work has ended.

        :raises DocConvError: if nothing more will succeed at one of the connections before a person acts; the
            documents of the others are done then
        """
        conversions = list(self._conversions.values())
        try:
            with self._transfers:
                end = await self._run_conversions(conversions)
        finally:
            self._count_calls()
        if stopped := next((each.stopped for each in conversions if each.stopped), None):
            raise stopped
        return end

    def stop(self) -> None:
        """Stop as soon as the transfers in progress are done; may be called from a signal handler."""
        self._stopping = True

    @property
    def in_flight(self) -> list[Document]:
        """The documents whose operations have not ended as far as is known, the oldest first."""
        found = [document for each in self._conversions.values() for document in each.in_flight]
        return sorted(found, key=lambda document: document.entry.started or 0)

    @property
    def has_waiting(self) -> bool:
        """Whether documents are waiting to be started."""
        return any(each.queue for each in self._conversions.values())

    def typical(self, conn_id: str) -> float:
        """Return the seconds that a quick operation of a connection is known to take, 0 if unknown."""
        return self._conversions[conn_id].pace.typical

    def _count_calls(self) -> None:
        """Add the calls since the last time to those of the batch."""
        for client, (conn_id, before) in self._counted.items():
            calls = client.calls
            self._batch.calls[conn_id] += calls - before
            self._counted[client] = conn_id, calls

    async def _run_conversions(self, conversions: list[Conversions]) -> End:
        schedule = Schedule()
        telling: asyncio.Task[object] | None = None
        folding: asyncio.Task[None] | None = None
        folded = time.monotonic()
        runs = [asyncio.create_task(each.run()) for each in conversions if not each.stopped]
        try:
            while going := [run for run in runs if not run.done()]:
                await asyncio.wait(going, timeout=_TICK)
                if schedule.is_due() and (telling is None or telling.done()):
                    self._count_calls()
                    if schedule.is_news(progress := self._batch.progress()):
                        telling = asyncio.create_task(asyncio.to_thread(self._tell, progress))
                if folding and folding.done():
                    if error := folding.exception():
                        # Nothing is lost: the segments hold everything, and the next fold tries again.
                        self._batch.log.warning("%s", error)
                    folding, folded = None, time.monotonic()
                due = time.monotonic() - folded > _FOLD_SECONDS or self._batch.record.objects > _FOLD_OBJECTS
                if due and not folding:
                    folding = asyncio.create_task(asyncio.to_thread(self._batch.fold))
                if self._stopping or time.time() >= self._limits.deadline:
                    return End.STOPPED
                if self._only_waits(conversions):
                    return End.WAITS
            for run in runs:
                run.result()
            return End.DONE
        finally:
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, *filter(None, [folding, telling]), return_exceptions=True)

    def _only_waits(self, conversions: list[Conversions]) -> bool:
        """Tell whether the worker is not needed for a while: nothing changes, and operations are at the services."""
        grace = self._limits.grace
        # With a connection that has stopped, the worker stays: each return would ask again what was refused.
        if grace is None or self._transfers.count or any(each.stopped for each in conversions):
            return False
        idle = time.time() - max(self._transfers.last_change, *(each.last_change for each in conversions))
        return idle >= grace and any(each.in_flight for each in conversions)


class Transfers:
    """
    The threads that send and fetch documents.

    A context, which waits for the transfers in progress when it ends.

    :param places: how many there are
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._pool = ThreadPoolExecutor(places, "docconv-transfer")
        #: How many are in progress.
        self.count = 0
        #: When one has begun or ended last, in seconds since the epoch.
        self.last_change = time.time()

    def __enter__(self) -> None:
        self.last_change = time.time()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place."""
        async with self._places:
            self.count += 1
            try:
                yield
            finally:
                self.count -= 1
                self.last_change = time.time()

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        """Let a thread do something."""
        return self._pool.submit(work, *args)


class Conversions:
    """
    The conversions of one connection.

    :param batch: the batch
    :param hook: the connection's hook
    :param limits: the limits
    :param transfers: the threads that send and fetch documents
    """

    def __init__(self, batch: Batch, hook: DocConvHook, limits: Limits, transfers: Transfers) -> None:
        self.pace = Pace(limits.poke_interval, limits.max_poke_interval)
        self.client = hook.get_conn()
        self.queue: deque[Document] = deque()
        self.active: dict[str, Document] = {}
        #: Operations that have ended before this pass, and when that was noticed.
        self.ended: dict[str, tuple[Operation, float]] = {}
        #: The operations of which it is unknown whether they have ended; None for all that were not started here.
        self.unknown: set[str] | None = None
        #: Why nothing more will succeed here.
        self.stopped: DocConvError | None = None
        self.last_change = 0.0
        self._batch = batch
        self._hook = hook
        self._limits = limits
        self._transfers = transfers
        self._label = hook.service.label
        self._run = {"run": batch.run.id, "max_tries": batch.run.max_tries}
        # Refusals that may be the service's fault, as long as all are alike and nothing was accepted.
        self._doubtful: list[tuple[Document, Entry]] = []
        self._accepted = False
        self._last_success = 0.0
        self._polling: AsyncClient | None = None

    @property
    def in_flight(self) -> list[Document]:
        """The documents whose operations have not ended as far as is known."""
        return [each for each in self.active.values() if each.entry.operation_id and not each.entry.ended]

    async def run(self) -> None:
        """Convert the documents, until all are done or nothing more will succeed."""
        try:
            async with shared_async_client(self.client.settings) as self._polling:
                await self._run_workers()
        except DocConvError as error:
            self.stopped = error
        except _Stopped as stopped:
            self.stopped = stopped.reason
            if not isinstance(stopped.reason, DestinationUnwritable):
                stopped.reason.document = None  # It is not the fault of the document that met it first.
        if self.stopped:
            self.stopped.conn_id = self._hook.conn_id
            self._batch.log.error("No more documents are sent to %s: %s", self._label, self.stopped)

    async def _run_workers(self) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(min(self._limits.in_flight, len(self.queue)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        """Convert documents one by one."""
        while self.queue:
            document = self.queue.popleft()
            self.active[document.request.key] = document
            await self._convert(document)
            del self.active[document.request.key]

    async def _convert(self, document: Document) -> None:
        """Bring a document to its destination, or find out why that can't be."""
        failures = _Failures()
        while True:
            try:
                await self._attempt(document, failures)
            except (_Stopped, asyncio.CancelledError):
                raise
            except Exception as raised:  # Whatever one document raises is its own failure.
                error = raised if isinstance(raised, DocConvError) else UnexpectedError.of(raised)
                error.document = document.request.source
                error.conn_id = self._hook.conn_id
                if not self._tries_again(document, failures, error):
                    await self._record_failure(document, error)
                    if document.entry.leftover:
                        await self._clean_up(document)
                    return
                # No higher powers: a long outage takes so many attempts that they would overflow.
                pause = min(_FIRST_PAUSE * 2.0 ** min(failures.count - 1, 10), _LONGEST_PAUSE)
                await asyncio.sleep(delay(pause * random.uniform(0.75, 1.25)))  # noqa: S311 - no secret
            else:
                return

    async def _attempt(self, document: Document, failures: _Failures) -> None:
        if document.entry.leftover:
            await self._clean_up(document)
            return
        if document.entry.operation_id is None:
            async with self._transfers.place():
                started = await self._start(document)
            self._last_success = time.time()
            document.entry = await asyncio.wrap_future(started)
            failures.started_here = True
            await self._trust_refusals()
        if document.entry.ended is None:
            operation, ended = await self._poll_until_ended(document.entry, fresh=failures.started_here)
            require_succeeded(operation, self._label)
            document.entry = replace(document.entry, ended=ended)
        async with self._transfers.place():
            delivered = await asyncio.wrap_future(self._transfers.submit(self._deliver, document))
        self._last_success = time.time()
        document.entry = await asyncio.wrap_future(delivered)
        if document.entry.leftover:
            await self._clean_up(document)

    async def _clean_up(self, document: Document) -> None:
        """Delete what the conversion has left at the service; it never makes the document fail."""
        try:
            async with self._transfers.place():
                await asyncio.wrap_future(self._transfers.submit(self._delete, document))
        except DocConvError as error:
            self._batch.log.warning("%s: could not be deleted at %s: %s", document.request.source, self._label, error)
        else:
            document.entry = self._batch.record.stamp(replace(document.entry, leftover=False))

    def _delete(self, document: Document) -> None:
        """Delete the results and the upload; runs in a thread."""
        hook, operation_id = self._hook, str(document.entry.operation_id)
        files = []
        upload = read_remote(document.entry.upload, hook.service) if document.entry.upload else None
        if document.entry.state is DocumentState.DELIVERED:
            with suppress(OperationNotFound, ResultNotFound):  # They have expired; the upload has not.
                # Results are in the storage that the upload is in.
                storage = RemoteDocument("", upload.storage) if upload else None
                files = hook.get_results(operation_id, storage, self._limits.deadline)
        if upload:
            files.append(hook.get_remote_file(upload.path, upload.storage))
        hook.clean_up(operation_id, files)

    async def _start(self, document: Document) -> Future[Entry]:
        """Start a conversion, with the intent recorded before; return when the operation id is durable."""
        batch, request, before = self._batch, document.request, document.entry
        source = await asyncio.wrap_future(self._transfers.submit(open_source, request.source, self._hook.service))
        attempt = replace(
            before,
            **self._run,
            fingerprint=request.fingerprint,
            state=DocumentState.SENT,
            attempts=before.attempts + 1,
            lost_replies=before.lost_replies + 1,
            reported=False,
            source_sha256=None,
            waited=round(time.time() - batch.began, 3),
            error=None,
        )
        sending: Future[Future[Entry]] | None = None
        try:
            document.entry = await asyncio.wrap_future(batch.record.write(attempt))
            sending = self._transfers.submit(self._send, document, source, before)
            return await asyncio.wrap_future(sending)
        except BaseException:
            if sending is None or sending.cancel():
                # Nothing was sent, and no later write may say that it was.
                document.entry = batch.record.stamp(before)
            raise

    def _send(self, document: Document, source: SourceDocument | RemoteDocument, before: Entry) -> Future[Entry]:
        """Send the start, and record its outcome; runs in a thread, which nothing ends before that."""
        attempt, record = document.entry, self._batch.record
        try:
            options = self._batch.spec_of(document).options
            started = self._hook.start(source, document.request.target_format, options, self._limits.deadline)
        except StartReplyLost:
            raise
        except DocConvError:
            # It certainly has not begun.
            document.entry = replace(before, state=DocumentState.WAITING, attempts=attempt.attempts)
            record.write(document.entry)
            raise
        except Exception as error:  # It may or may not have been sent.
            raise StartReplyLost(
                f"the start ended with an unexpected {type(error).__name__} ({explain(error)})"
            ) from error
        # Known here before it is durable: if the record can't be written, the document is resumed, and not sent again.
        document.entry = replace(
            attempt,
            state=DocumentState.STARTED,
            lost_replies=before.lost_replies,
            operation_id=started.operation_id,
            source_sha256=getattr(source, "sha256", None),
            started=time.time(),
            upload=write_remote(started.remote_source, self._hook.service) if started.remote_source else None,
        )
        return record.write(document.entry)

    def _deliver(self, document: Document) -> Future[Entry]:
        """Fetch and deliver the results, and record that; runs in a thread."""
        hook, request = self._hook, document.request
        options = self._batch.spec_of(document).options
        storage = hook.result_storage(read_remote(request.source, hook.service), options)
        bounds = Bounds(self._limits.max_result_size, self._limits.deadline)
        files = hook.get_results(str(document.entry.operation_id), storage, bounds.until)
        kind = UnpackingDestination if self._limits.unpack else Destination
        destination = kind(request.destination, self._label, None)
        results = tuple(deliver(hook, files, destination, self._batch.log, bounds))
        # Were this lost, the next try would fetch the result once more, and convert nothing.
        document.entry = replace(
            document.entry,
            **self._run,
            state=DocumentState.DELIVERED,
            results=results[:_LISTED],
            more_results=len(results[_LISTED:]),
            # A document that was in the vendor's storage before stays there, and its result with it.
            leftover=self._limits.cleanup and not read_remote(request.source, hook.service) and self._leaves(files),
            error=None,
        )
        return self._batch.record.write(document.entry)

    def _leaves(self, files: Sequence[ResultFile]) -> bool:
        """Tell whether there is something to delete at the service that it can delete."""
        return self.client.service.can_cancel or any(file.remote for file in files)

    async def _poll_until_ended(self, entry: Entry, *, fresh: bool) -> tuple[Operation, float]:
        """
        Return a document's operation when it has ended, and when that was noticed.

        :param entry: the document
        :param fresh: whether it was started just now; anything else may have ended long ago
        """
        operation_id, started = str(entry.operation_id), entry.started or time.time()
        if known := self.ended.pop(operation_id, None):
            return known
        wait = Wait(
            operation_id,
            self._label,
            deadline=float("inf"),
            pace=self.pace,
            started=started,
            fault_tolerance=self._limits.fault_tolerance,
        )
        known = await self._poll(wait, fresh), time.time()
        self._last_success = self.last_change = known[1]
        if fresh:  # Others may have ended long before that was noticed.
            self.pace.learn(known[1] - wait.ran_since)
        return known

    async def _poll(self, wait: Wait, fresh: bool) -> Operation:
        client, tolerance = self._polling, self._limits.fault_tolerance
        assert client  # noqa: S101 - run() has opened it
        is_running = fresh or (self.unknown is not None and wait.operation_id not in self.unknown)
        first = wait.until_next(time.time()) if is_running else 0.0
        try:
            return await apoll_until_ended(client, wait, first)
        except DocConvError as error:
            now = time.time()
            if error.retryable and self._out_of_reach(now - tolerance, now) and self._others_are_left():
                raise _Stopped(error) from None
            raise

    def _tries_again(self, document: Document, failures: _Failures, error: DocConvError) -> bool:
        """Tell whether another attempt makes sense now, and undo what the error has proved wrong."""
        failures.count += 1
        now = time.time()
        failures.since = now if failures.count == 1 else failures.since
        if isinstance(error, OperationNotFound):
            return self._is_unknown_again(document, failures, now)
        unanswered = isinstance(error, UnexpectedError) and document.entry.state is DocumentState.SENT
        if isinstance(error, StartReplyLost) or unanswered:
            failures.lost_replies += 1
            return self._batch.start_again and failures.lost_replies < _FEW_ATTEMPTS
        if isinstance(error, DestinationUnwritable | ServiceNotFound) and failures.count < _FEW_ATTEMPTS:
            return True
        if error.handling is Handling.STOP:
            raise _Stopped(error)
        if isinstance(error, ResultTooLarge):
            return False
        # What is wrong with one result will not be better after a while, whatever becomes of the others.
        if isinstance(error, ResultRejected | TruncatedResult | UnexpectedError):
            return failures.count < _ATTEMPTS
        if error.handling is Handling.REJECT:
            return False
        if self._out_of_reach(failures.since, now):
            if self._others_are_left():
                raise _Stopped(error)
            return False
        return failures.count < _ATTEMPTS or self._last_success <= failures.since

    def _is_unknown_again(self, document: Document, failures: _Failures, now: float) -> bool:
        """Tell whether to look again, after the service has said that it does not know an operation."""
        if failures.unknown_since is None:
            failures.unknown_since = now
        if now - failures.unknown_since < delay(SECOND_LOOK):
            return True
        # It has expired: nothing is in flight.
        failures.unknown_since = None
        expired = {"operation_id": None, "started": None, "ended": None}
        document.entry = replace(document.entry, state=DocumentState.WAITING, **expired)
        failures.vanished += 1
        return failures.vanished < _FEW_ATTEMPTS

    async def _record_failure(self, document: Document, error: DocConvError) -> None:
        """Record that the document is not converted, and why."""
        if error.remedy == error.default_remedy:
            error.remedy = _REMEDIES.get(type(error).__name__, error.remedy)
        batch = self._batch
        # These leave the record as it is: the operation may still be there, or the start may have arrived.
        keeps = isinstance(error, ResultRejected | DestinationUnwritable | StartReplyLost | OperationNotFound)
        if error.handling is not Handling.REJECT or keeps:
            document.entry = batch.record.stamp(batch.failed(document.entry, error, **self._run))
            return
        # The operation has ended; what was uploaded for it is still there.
        leftover = self._limits.cleanup and document.entry.upload is not None
        entry = batch.failed(document.entry, error, **self._run, state=DocumentState.REJECTED, leftover=leftover)
        document.entry = batch.record.stamp(entry)
        if isinstance(error, RefusedByService) and not self._accepted:
            await self._doubt(document, entry, error)
        elif isinstance(error, ConversionFailed | DocumentRejected):
            await self._make_lasting(document, entry)

    async def _make_lasting(self, document: Document, entry: Entry) -> None:
        lasting = replace(entry, conditions=self._batch.conditions_of(document))
        document.entry = await asyncio.wrap_future(self._batch.record.write(lasting))

    async def _doubt(self, document: Document, entry: Entry, error: DocConvError) -> None:
        """Let a refusal last only when another one differs, or when something is accepted."""
        self._doubtful.append((document, entry))
        reasons = {entry.error and (entry.error.what, entry.error.service_message) for _, entry in self._doubtful}
        if len(reasons) > 1:
            await self._trust_refusals()
        elif len(self._doubtful) >= _ALIKE:
            raise _Stopped(_alike(error, len(self._doubtful)))

    async def _trust_refusals(self) -> None:
        self._accepted = True
        doubtful, self._doubtful = self._doubtful, []
        for document, _ in doubtful:
            await self._make_lasting(document, document.entry)

    def _out_of_reach(self, failing_since: float, now: float) -> bool:
        """Tell whether nothing has succeeded for so long that continuing is pointless."""
        return now - max(failing_since, self._last_success) >= self._limits.fault_tolerance

    def _others_are_left(self) -> bool:
        """Tell whether an error may concern others: of the last document, it is its own."""
        return len(self.active) + len(self.queue) > 1


def _alike(error: DocConvError, count: int) -> DocConvError:
    """Return the error that stops a batch whose documents are all refused for the same reason."""
    stopped = RefusedByService(
        f"the first {count} documents were all refused, and none was accepted: {error.what}",
        service_message=error.service_message,
        remedy="check the connection, target_format and options; no refusal was recorded as lasting",
    )
    stopped.handling = Handling.STOP
    return stopped
