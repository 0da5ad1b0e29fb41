"""
What a grid of instants at which polls are due saves, and how long it holds the event loop at a time.

``python -m benchmarks.grids [OLDER_CHECKOUT]``: the grids, one bare session of aiohttp, and the provider of an older
checkout, one after the other, in several rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from airflow_provider_docconv.polling import GRID
from benchmarks import machine
from benchmarks.waiters import OURS
from benchmarks.waits import COUNT, INTERVAL, Cost, wait
from dev.environment import HOME, ROOT
from dev.processes import end_on_signals
from dev.table import table

BARE = "aiohttp, one bare session"
GRIDS = (0.0, 0.025, 0.05, 0.1)
ROUNDS = 3


def measure(home: Path, older: Path | None = None) -> dict[str, list[Cost]]:
    """
    Measure each grid in each round.

    :param home: a folder for everything
    :param older: an older checkout, to be measured beside them
    """
    ways: dict[str, Callable[[Path], Cost]] = {BARE: lambda place: _wait(place, BARE)}
    for grid in GRIDS:
        ways[f"grid of {grid * 1e3:.0f} ms"] = lambda place, grid=grid: _wait(place, OURS, grid=grid)  # type: ignore[misc]  # mypy infers no default
    if older:
        ways[f"before ({older})"] = lambda place: _wait(place, OURS, checkout=older)
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            print(f"Round {number + 1}: {name} …", file=sys.stderr, flush=True)
            found[name].append(way(home / f"{number}-{len(found[name])}-{list(ways).index(name)}"))
    return found


def _wait(home: Path, pattern: str, grid: float | None = None, checkout: Path = ROOT) -> Cost:
    # Long operations, whose ends nobody waits for: only the polls in between are of interest.
    service = ("--seconds", "120")
    return wait(home, pattern, COUNT, service, patience=0.0, grid=grid, checkout=checkout)


def describe(found: dict[str, list[Cost]]) -> str:
    """Return what was measured as a section of Markdown."""
    heads = ["", "CPU of a poll, µs", "polls a second", "turn, p99, ms", "of it CPU", "longest", "CPU in each round"]
    rows = [
        [
            name,
            f"{statistics.median(cost.cpu_per_poll for cost in costs) * 1e6:.0f}",
            f"{statistics.median(cost.found.polls / cost.seconds for cost in costs):.0f}",
            f"{statistics.median(cost.found.p99 for cost in costs) * 1e3:.1f}",
            f"{statistics.median(cost.found.p99_cpu for cost in costs) * 1e3:.1f}" if costs[0].found.p99_cpu else "",
            f"{statistics.median(cost.found.longest for cost in costs) * 1e3:.1f}",
            " ".join(f"{cost.cpu_per_poll * 1e6:.0f}" for cost in costs),
        ]
        for name, costs in found.items()
    ]
    return f"""## Grids

{COUNT:,} waits, each polled every {INTERVAL:.0f} s over TLS. Medians of {ROUNDS} rounds of {2 * INTERVAL:.0f} s,
each in a process of its own. A turn of the loop is what it does between two looks at sockets and timers. The goals: no
more CPU than the bare session, and turns of at most 3 ms at the 99th percentile.
The grid in use is {GRID * 1e3:.0f} ms.

{table(heads, rows, right=heads[1:])}
"""


def main() -> None:
    """Measure, and print what was found."""
    end_on_signals()
    older = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    (HOME / "tmp").mkdir(parents=True, exist_ok=True)
    print(f"Measured on {machine.describe()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="grids-", dir=HOME / "tmp") as home:
        print(describe(measure(Path(home), older)))


if __name__ == "__main__":
    main()
