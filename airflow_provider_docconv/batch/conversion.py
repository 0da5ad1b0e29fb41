"""One document of a batch, from its start to its delivery."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_docconv.batch.entries import Entry, Wanted
from airflow_provider_docconv.decisions import Progress
from airflow_provider_docconv.delivery import deliver
from airflow_provider_docconv.destination import Destination
from airflow_provider_docconv.services.errors import (
    DestinationUnwritable,
    DocConvError,
    Handling,
    OperationNotFound,
    ResultRejected,
    StartReplyLost,
)
from airflow_provider_docconv.source import open_source
from airflow_provider_docconv.stored_addresses import read_stored
from airflow_provider_docconv.waiting import YOUNG, require_succeeded

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.pipeline import Pipeline

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

    def __init__(self, wanted: Wanted, entry: Entry, pipeline: Pipeline) -> None:
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
        document = open_source(self.wanted.source, pipeline.hook.fields)
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
            operation_id = pipeline.hook.start(document, self.wanted.target_format, item.options)
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
        where = hook.storage_of_results(read_stored(self.wanted.source, hook.fields), options)
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
