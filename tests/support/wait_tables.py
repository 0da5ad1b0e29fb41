"""The tables of docs/waiting.md: what is to become of a wait, whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dev.environment import ROOT

SERVICES = {"Where the service can cancel": "aspose_ocr", "Where it cannot": "aspose_slides"}
WAYS = ("plain", "deferrable", "from_trigger")
EVENTS = {
    "the worker is killed": "killed",
    "the triggerer is killed": "triggerer",
    "cleared": "cleared",
    "marked success": "success",
    "marked failed": "failed",
    "execution timeout of the last try": "execution_timeout",
    "deadline (`timeout`)": "deadline",
}


class Cell(NamedTuple):
    """A cell of the tables."""

    service: str
    event: str
    way: str
    promise: str

    def __str__(self) -> str:
        return f"{self.service}-{self.event}-{self.way}"


def cells() -> Iterator[Cell]:
    """Read the tables."""
    service = None
    for line in (ROOT / "docs" / "waiting.md").read_text().splitlines():
        if line.startswith("#"):
            service = next((name for head, name in SERVICES.items() if head in line), None)
        if service and line.startswith("|"):
            event, *promises = (part.strip() for part in line.strip("|").split("|"))
            if event in EVENTS:
                yield from (Cell(service, EVENTS[event], *cell) for cell in zip(WAYS, promises, strict=True))
