"""
How many polls a wait takes and how much time it loses, computed: the same durations for every way of polling.

Nothing runs here but the arithmetic of :class:`~airflow_provider_docconv.polling.Pace`, so the numbers are the same on
every machine.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_docconv.polling import Pace
from dev.table import table

COUNT = 2000
SHORTEST, LONGEST = 2.0, 3600.0
#: Losing less than this, in seconds, or a tenth of the duration is what an operation may cost.
FREE, SHARE = 2.0, 0.1
STEPS = 20

#: Gives the seconds until the next poll from the age, the number of polls so far and the share of the work done.
Way = Callable[[float, int, float], float]


@dataclass(frozen=True)
class Polling:
    """
    What a way of polling came to.

    :param way: its name.
    :param polls: polls of an operation, at the median.
    :param most: and of the worst one.
    :param lost: seconds between the end and its notice, on average.
    :param excess: the same as a share of what may be lost (2 s or a tenth of the duration, whichever is more).
    """

    way: str
    polls: float
    most: int
    lost: float
    excess: float


def compare(seed: int = 1) -> list[Polling]:
    """Wait for operations of 2 s to 1 h, spread evenly on a logarithmic scale, in each way."""
    pace = Pace(2.0, 300.0)
    ways: dict[str, tuple[Way, bool]] = {
        "every 2 s, as in the vendors' tutorials": (lambda age, polls, done: 2.0, False),
        "doubling from 2 s": (lambda age, polls, done: 2.0 * 2**polls, False),
        "this provider, without progress": (lambda age, polls, done: pace.after(age), False),
        "this provider, with progress": (lambda age, polls, done: pace.after(age, done), True),
    }
    random.seed(seed)
    same = [random.Random(seed) for _ in ways]  # noqa: S311 - no secret
    return [measure(name, way, chance, on) for (name, (way, on)), chance in zip(ways.items(), same, strict=True)]


def measure(name: str, way: Way, chance: random.Random, progress: bool) -> Polling:
    """Wait for all operations in one way."""
    waits = [wait(way, duration, ends) for duration, ends in operations(chance, progress)]
    polls, lost, shares = zip(*waits, strict=True)
    return Polling(name, statistics.median(polls), max(polls), statistics.fmean(lost), statistics.fmean(shares))


def operations(chance: random.Random, progress: bool) -> Iterator[tuple[float, list[float]]]:
    """Draw durations, each with the times at which its steps end; the steps differ by a factor of up to six."""
    for _ in range(COUNT):
        duration = SHORTEST * math.exp(chance.random() * math.log(LONGEST / SHORTEST))
        weights = [chance.uniform(0.3, 1.7) for _ in range(STEPS)]
        ends = [duration * sum(weights[: step + 1]) / sum(weights) for step in range(STEPS)]
        yield duration, ends if progress else []


def wait(way: Way, duration: float, ends: list[float]) -> tuple[int, float, float]:
    """Return the polls, the seconds lost, and these as a share of what may be lost."""
    now, polls, done = 0.0, 0, 0.0
    while now < duration:
        now += way(now, polls, done)
        polls += 1
        done = sum(end <= now for end in ends) / len(ends) if ends else 0.0
    lost = now - duration
    return polls, lost, lost / max(FREE, SHARE * duration)


def describe() -> str:
    """Return the comparison as a section of the report."""
    heads = ["waiting for 2 s to 1 h", "polls, median", "polls, most", "lost, mean", "of what may be lost"]
    rows = [
        [each.way, f"{each.polls:.0f}", each.most, f"{each.lost:.1f} s", f"{each.excess:.0%}"] for each in compare()
    ]
    return f"""## Polling

Computed, not measured: {COUNT:,} operations of 2 s to 1 h, spread evenly on a logarithmic scale, the same for each way.
What may be lost between the end and its notice is 2 s or a tenth of the duration, whichever is more; the goal is 20
polls at the median, and 12 where the service reports progress.

{table(heads, rows, right=heads[1:])}
"""


if __name__ == "__main__":
    print(describe())
