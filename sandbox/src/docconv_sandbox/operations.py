"""The queue: operations wait in it, run out of it, are cancelled and forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from docconv_sandbox import process
from docconv_sandbox.errors import ApiError, Cause, ConversionError
from docconv_sandbox.operation import Operation, State, Stored, now
from docconv_sandbox.settings import LIBREOFFICE_JOBS, Settings, cores
from docconv_sandbox.task import Outcome, Task

logger = logging.getLogger("docconv.sandbox")

_SWEEP_SECONDS = 5.0


class Operations:
    """The queue, its workers and what became of everything that went through it.

    :param settings: the sandbox's settings
    :param folder: where operations keep their files
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._operations: dict[str, Operation] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._workers = asyncio.Semaphore(settings.workers)
        # More workers than cores make sense with a pace to keep, more processes do not.
        self._processes = asyncio.Semaphore(min(settings.workers, cores()))
        self._turns = {"LibreOffice": asyncio.Semaphore(LIBREOFFICE_JOBS)}

    def create(
        self, service: str, method: str, source_name: str, target: str, time_limit: float | None = None
    ) -> Operation:
        """Make an operation with a folder of its own. Nothing knows it until it is submitted.

        :param service: the service it was asked of
        :param method: the vendor's word for how
        :param source_name: what the caller calls the source
        :param target: the target format
        :param time_limit: seconds after which it is canceled, where the caller has a say
        """
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return Operation(
            service=service,
            method=method,
            source_name=source_name,
            target=target,
            folder=folder,
            seconds_per_page=self._settings.seconds_per_page,
            time_limit=time_limit,
        )

    def submit(
        self,
        operation: Operation,
        prepare: Callable[[Operation], Task],
        deliver: Callable[[Operation, Outcome], list[Stored]] | None = None,
    ) -> None:
        """Put an operation into the queue.

        :param operation: the operation
        :param prepare: makes the task once a worker is free; may raise ``ConversionError``
        :param deliver: puts the results where they belong and tells where they are; without it they are downloaded
        """
        self._operations[operation.id] = operation
        running = asyncio.create_task(self._work(operation, prepare, deliver))
        self._running[operation.id] = running
        running.add_done_callback(lambda _: self._running.pop(operation.id, None))

    def find(self, id: str) -> Operation | None:
        """Find an operation that is not forgotten yet."""
        operation = self._operations.get(id.lower())
        return None if operation is None or self._is_expired(operation) else operation

    async def cancel(self, operation: Operation) -> None:
        """Cancel an operation, in the queue or on the run, and forget it.

        :param operation: the operation
        """
        running = self._running.get(operation.id)
        if running:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        self._forget(operation)

    async def close(self) -> None:
        """End everything that runs."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def sweep(self) -> None:
        """Forget expired operations, for as long as the sandbox runs."""
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, max(0.1, self._settings.retention)))
            for operation in [known for known in self._operations.values() if self._is_expired(known)]:
                self._forget(operation)

    def to_stats(self) -> list[dict[str, Any]]:
        """Give what ``/sandbox/stats`` tells of the operations, the oldest first."""
        return [operation.to_stats() for operation in self._operations.values()]

    def _is_expired(self, operation: Operation) -> bool:
        age = now() - operation.created
        return operation.state.is_terminal and age > timedelta(seconds=self._settings.retention)

    def _forget(self, operation: Operation) -> None:
        self._operations.pop(operation.id, None)
        shutil.rmtree(operation.folder, ignore_errors=True)

    async def _work(
        self,
        operation: Operation,
        prepare: Callable[[Operation], Task],
        deliver: Callable[[Operation, Outcome], list[Stored]] | None,
    ) -> None:
        operation.state = State.QUEUED
        try:
            async with self._workers:
                operation.begin()
                async with asyncio.timeout(operation.time_limit):
                    task = prepare(operation)
                    async with self._processes, asyncio.timeout(self._settings.job_timeout):
                        operation.outcome = await process.run(task, operation.report, self._turns)
                    await asyncio.sleep(operation.pace())
                if deliver:
                    operation.stored = deliver(operation, operation.outcome)
                operation.end(State.SUCCEEDED)
        except ConversionError as error:
            operation.end(State.FAILED, error)
        except ApiError as error:
            # A storage refused: the source is not there, or the destination cannot be.
            cause = Cause.MISSING_SOURCE if error.status == 404 else Cause.DESTINATION
            operation.end(State.FAILED, ConversionError(cause, error.message))
        except TimeoutError:
            message = "The operation was canceled: it took longer than its time limit."
            operation.end(State.CANCELED, ConversionError(Cause.TIME_LIMIT, message))
        except asyncio.CancelledError:
            operation.end(State.CANCELED)
            raise
        except Exception as error:  # Whatever this is, a caller who waits for the operation must see it end.
            logger.exception("operation %s", operation.id)
            operation.end(State.FAILED, ConversionError(Cause.ENGINE, f"The sandbox failed: {error!r}"))
        finally:
            operation.tidy()
