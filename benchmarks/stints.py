"""The stints of one task in workers, as its operator has written them down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Stints:
    """
    What the stints of a task have cost.

    :param count: how many there were; between two of them the task was deferred
    :param wall: seconds from the beginning of the first one to the end of the last one
    :param slots: seconds that a worker's slot was taken
    :param cpu: seconds of processor time
    :param idle: the memory of the first one's process before it did anything, in bytes
    :param drivers: the drivers of all stores, which Airflow loads at the first use of any, in bytes
    :param growth: how far the peak of a process was above both, at the most, in bytes
    """

    count: int
    wall: float
    slots: float
    cpu: float
    idle: int
    drivers: int
    growth: int

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read them from the file that ``benchmarks/dag_files/nights.py`` writes."""
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return cls(
            count=len(lines),
            wall=max(line["ended"] for line in lines) - min(line["began"] for line in lines),
            slots=sum(line["ended"] - line["began"] for line in lines),
            cpu=sum(line["cpu"] for line in lines),
            idle=lines[0]["idle"],
            drivers=lines[0]["drivers"],
            growth=max(line["peak"] - line["idle"] - line["drivers"] for line in lines),
        )
