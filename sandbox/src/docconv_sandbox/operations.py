"""Operations, and the queue: they wait in it, run out of it, are cancelled and forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from docconv_sandbox import process
from docconv_sandbox.account import Account, Entry
from docconv_sandbox.bodies import Source
from docconv_sandbox.echo import Echo
from docconv_sandbox.errors import ApiError, Cause, ConversionError
from docconv_sandbox.job import Job, Outcome
from docconv_sandbox.settings import LIBREOFFICE_JOBS, Settings, cores

logger = logging.getLogger("docconv.sandbox")

_SWEEP_SECONDS = 5.0


class State(StrEnum):
    """Where an operation is. Each service has its own words for these."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELED}


def now() -> datetime:
    """Give the time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stored:
    """
    A result that went to a storage.

    :param path: its path there.
    :param size: its size in bytes.
    """

    path: str
    size: int


@dataclass(kw_only=True)
class Operation:
    """
    One conversion asked of a service.

    :param service: the service it was asked of.
    :param method: the vendor's word for how.
    :param source_name: what the caller calls the source.
    :param target: the target format, as the caller spelled it.
    :param folder: where its files are.
    :param seconds_per_page: the pace.
    :param time_limit: seconds after which it is canceled, where the caller set a limit.
    :param digest: the SHA-256 of its source; empty as long as it is not known.
    :param size: the length of its source in bytes.
    :param damaged: whether the engine ``echo`` can't convert it.
    """

    service: str
    method: str
    source_name: str
    target: str
    folder: Path
    seconds_per_page: float
    time_limit: float | None
    digest: bytes = b""
    size: int = 0
    damaged: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = State.CREATED
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    outcome: Outcome | None = None
    echo: Echo | None = None
    failure: ConversionError | None = None
    stored: list[Stored] = field(default_factory=list)
    description: str = ""
    forgotten: bool = False
    #: Set when it is to end at once.
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _steps: tuple[int, int] = (0, 0)
    _clock: float = 0.0
    _least: float = 0.0

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, and of how many."""
        done, count = self._steps
        if self.seconds_per_page and self.state is State.RUNNING:
            done = min(done, int((time.monotonic() - self._clock) / self.seconds_per_page))
        return done, count

    @property
    def result(self) -> Path | Echo | None:
        """What is there to download: a file, or what is computed while it is sent."""
        if self.state is State.SUCCEEDED and self.outcome and not self.stored:
            return self.echo or Path(self.outcome.files[0])
        return None

    def set_source(self, source: Source) -> None:
        """Note what is known of its source."""
        self.digest, self.size, self.damaged = source.digest, source.size, source.damaged

    @property
    def entry(self) -> Entry:
        """What the account is to know of it."""
        return Entry(self.service, self.digest, self.target)

    @contextmanager
    def until_submitted(self) -> Iterator[None]:
        """Leave nothing behind where the block raises: the request is refused, and nothing knows the operation."""
        try:
            yield
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Delete its files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def report(self, index: int, count: int, description: str) -> None:
        """Note how far the job is."""
        self._steps = (index, count)
        self.description = description

    def tidy(self) -> None:
        """Keep the results only: profiles, decrypted copies and the source have done their work."""
        if not self.folder.exists():
            return
        kept = set(map(Path, self.outcome.files)) if self.outcome and not self.stored else set()
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if not any(file.is_relative_to(entry) for file in kept):
                    shutil.rmtree(entry, ignore_errors=True)
            elif entry not in kept:
                entry.unlink(missing_ok=True)

    def spread(self, steps: int, description: str) -> None:
        """Report steps that are spread evenly over the least that it takes."""
        self.report(steps, steps, description)
        self.seconds_per_page = self._least / steps

    def begin(self, least: float = 0.0) -> None:
        """
        Note that a worker took it.

        :param least: the seconds that it takes at least.
        """
        self._least = least
        self.state = State.RUNNING
        self.started = now()
        self._clock = time.monotonic()

    def end(self, state: State, failure: ConversionError | None = None) -> None:
        """
        Note how it ended.

        :param state: the terminal state.
        :param failure: why, unless it succeeded.
        """
        self.failure = failure
        self.ended = now()
        self.state = state
        logger.info("%s %s %s: %s", self.service, self.source_name, state.value, failure or self.target)

    def pace(self) -> float:
        """Give the seconds that are left until a service of the chosen pace would be done."""
        pages = max(1, self.outcome.pages if self.outcome else 0)
        return max(0.0, self._clock + max(pages * self.seconds_per_page, self._least) - time.monotonic())

    def to_stats(self) -> dict[str, Any]:
        """Give what ``/sandbox/stats`` tells of it."""
        end = self.ended or now()
        return {
            "id": self.id,
            "service": self.service,
            "source": self.source_name,
            "format": self.target,
            "state": self.state.value,
            "pages": self.outcome.pages if self.outcome else None,
            "seconds": round((end - self.started).total_seconds(), 3) if self.started else None,
            "engine": self.outcome.engine if self.outcome else None,
            "error": self.failure.message if self.failure else None,
        }


class Operations:
    """
    The queue, its workers and what became of everything that went through it.

    :param settings: the sandbox's settings.
    :param folder: where operations keep their files.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._operations: dict[str, Operation] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._workers: AbstractAsyncContextManager[Any] = contextlib.nullcontext()
        if settings.workers or not settings.echoes:
            self._workers = asyncio.Semaphore(settings.workers or cores())
        # More workers than cores make sense with a pace to keep, more processes do not.
        self._processes = asyncio.Semaphore(min(settings.workers or cores(), cores()))
        self._turns = {"LibreOffice": asyncio.Semaphore(LIBREOFFICE_JOBS)}
        self._chance = random.Random(settings.seed)  # noqa: S311  # no secret
        self._hurry = asyncio.Event()
        self.account = Account()

    def create(
        self, service: str, method: str, source_name: str, target: str, time_limit: float | None = None
    ) -> Operation:
        """
        Make an operation with a folder of its own. Nothing knows it until it is submitted.

        :param service: the service it was asked of.
        :param method: the vendor's word for how.
        :param source_name: what the caller calls the source.
        :param target: the target format.
        :param time_limit: seconds after which it is canceled, where the caller has a say.
        """
        folder = self._folder / uuid.uuid4().hex
        # Without a converter there is seldom anything to put there.
        if not self._settings.echoes:
            folder.mkdir(parents=True)
        return Operation(
            service=service,
            method=method,
            source_name=source_name,
            target=target,
            folder=folder,
            seconds_per_page=self._settings.seconds_per_page,
            time_limit=time_limit,
            hurry=self._hurry,
        )

    def submit(
        self,
        operation: Operation,
        prepare: Callable[[Operation], Job],
        deliver: Callable[[Operation, Outcome], list[Stored]] | None = None,
    ) -> Entry:
        """
        Put an operation into the queue.

        :param operation: the operation.
        :param prepare: makes the job once a worker is free; may raise ``ConversionError``.
        :param deliver: puts the results where they belong and tells where they are; without it they are downloaded.
        :return: what the account keeps of it.
        """
        entry = operation.entry
        self.account.created(operation.id, entry)
        self._operations[operation.id] = operation
        running = asyncio.create_task(self._work(operation, prepare, deliver))
        self._running[operation.id] = running
        running.add_done_callback(lambda _: self._running.pop(operation.id, None))
        return entry

    def find(self, id: str) -> Operation | None:
        """Find an operation that is not forgotten yet."""
        operation = self._operations.get(id.lower())
        if operation is None or operation.forgotten or self._is_expired(operation):
            return None
        return operation

    async def cancel(self, operation: Operation) -> None:
        """
        Cancel an operation, in the queue or on the run, and forget it.

        :param operation: the operation.
        """
        running = self._running.get(operation.id)
        if running:
            self.account.entries[operation.id].canceled = True
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        self._forget(operation)

    def finish(self) -> None:
        """End all operations that wait, in the queue or for their time."""
        self._hurry.set()
        self._hurry = asyncio.Event()

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
        if operation.ended is None:
            return False
        return operation.forgotten or now() - operation.ended > timedelta(seconds=self._settings.retention)

    def _forget(self, operation: Operation) -> None:
        self._operations.pop(operation.id, None)
        shutil.rmtree(operation.folder, ignore_errors=True)

    async def _work(
        self,
        operation: Operation,
        prepare: Callable[[Operation], Job],
        deliver: Callable[[Operation, Outcome], list[Stored]] | None,
    ) -> None:
        operation.state = State.QUEUED
        try:
            async with self._workers:
                operation.begin(self._settings.seconds * (1 + self._settings.spread * self._chance.uniform(-1, 1)))
                async with asyncio.timeout(operation.time_limit):
                    job = prepare(operation)
                    if self._settings.echoes:
                        operation.outcome = await self._echo(operation, job)
                    else:
                        async with self._processes, asyncio.timeout(self._settings.job_timeout):
                            operation.outcome = await process.run(job, operation.report, self._turns)
                    await _pause(operation)
                if deliver:
                    operation.stored = deliver(operation, self._written(operation))
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
            self.account.ended(operation.id)
            operation.tidy()

    async def _echo(self, operation: Operation, job: Job) -> Outcome:
        settings = self._settings
        if settings.steps:
            operation.spread(settings.steps, "Slide converted")
        await _pause(operation)
        if operation.damaged:
            raise ConversionError(Cause.DAMAGED, "The document is damaged.")
        size = settings.result_bytes
        operation.echo = Echo(operation.digest, operation.size if size is None else size, f".{job.target}")
        return Outcome(files=[], pages=settings.steps, engine="echo", source="")

    def _written(self, operation: Operation) -> Outcome:
        """Give the outcome with files in it."""
        outcome = operation.outcome or Outcome(files=[], pages=0, engine="", source="")
        if operation.echo:
            operation.folder.mkdir(parents=True, exist_ok=True)
            file = operation.folder / f"slide_1{operation.echo.suffix}"
            with file.open("wb") as written:
                written.writelines(operation.echo.pieces())
            outcome = replace(outcome, files=[str(file)])
        return outcome


async def _pause(operation: Operation) -> None:
    """Wait until a service of the chosen pace would be done, or until all are to end."""
    if (seconds := operation.pace()) and not operation.hurry.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await operation.hurry.wait()
