"""One operation: its state, its progress and its end."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from docconv_sandbox.errors import ConversionError
from docconv_sandbox.task import Outcome

logger = logging.getLogger("docconv.sandbox")


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
    """A result that went to a storage.

    :param path: its path there
    :param size: its size in bytes
    """

    path: str
    size: int


@dataclass(kw_only=True)
class Operation:
    """One conversion asked of a service.

    :param service: the service it was asked of
    :param method: the vendor's word for how
    :param source_name: what the caller calls the source
    :param target: the target format, as the caller spelled it
    :param folder: where its files are
    :param seconds_per_page: the pace
    :param time_limit: seconds after which it is canceled, where the caller set a limit
    """

    service: str
    method: str
    source_name: str
    target: str
    folder: Path
    seconds_per_page: float
    time_limit: float | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = State.CREATED
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    outcome: Outcome | None = None
    failure: ConversionError | None = None
    stored: list[Stored] = field(default_factory=list)
    description: str = ""
    _steps: tuple[int, int] = (0, 0)
    _clock: float = 0.0

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, and of how many."""
        done, count = self._steps
        if self.seconds_per_page and self.state is State.RUNNING:
            done = min(done, int((time.monotonic() - self._clock) / self.seconds_per_page))
        return done, count

    @property
    def result(self) -> Path | None:
        """The file to download, if there is one."""
        if self.state is State.SUCCEEDED and self.outcome and not self.stored:
            return Path(self.outcome.files[0])
        return None

    @contextmanager
    def until_submitted(self) -> Iterator[None]:
        """Leave nothing behind where the block raises: the request is refused, and nothing knows the operation."""
        try:
            yield
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def report(self, index: int, count: int, description: str) -> None:
        """Note how far the job is."""
        self._steps = (index, count)
        self.description = description

    def tidy(self) -> None:
        """Keep the results only: profiles, decrypted copies and the source have done their work."""
        kept = set(map(Path, self.outcome.files)) if self.outcome and not self.stored else set()
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if not any(file.is_relative_to(entry) for file in kept):
                    shutil.rmtree(entry, ignore_errors=True)
            elif entry not in kept:
                entry.unlink(missing_ok=True)

    def begin(self) -> None:
        """Note that a worker took it."""
        self.state = State.RUNNING
        self.started = now()
        self._clock = time.monotonic()

    def end(self, state: State, failure: ConversionError | None = None) -> None:
        """Note how it ended.

        :param state: the terminal state
        :param failure: why, unless it succeeded
        """
        self.failure = failure
        self.ended = now()
        self.state = state
        logger.info("%s %s %s: %s", self.service, self.source_name, state.value, failure or self.target)

    def pace(self) -> float:
        """Give the seconds that are left until a service of the chosen pace would be done."""
        pages = max(1, self.outcome.pages if self.outcome else 0)
        return max(0.0, self._clock + pages * self.seconds_per_page - time.monotonic())

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
