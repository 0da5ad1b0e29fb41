"""``make bench``: measures everything in one run, prints it, and writes it to ``.docconv/bench.md``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import lost_worker, machine, memory, nights, polling, report, streams, throughput, waits
from dev.debian import NotInstalled
from dev.environment import HOME, ROOT
from dev.processes import ProgramDied, end_on_signals

OUTPUT = HOME / "bench.md"
# The slow night is the last part of the nights: it would only be in the way of others.
PARTS: dict[str, Callable[[Path], str]] = {
    "polling": lambda home: polling.describe(),
    "report": lambda home: report.describe(),
    "memory": lambda home: memory.describe(memory.measure(home)),
    "waits": lambda home: waits.describe(waits.measure(home)),
    "streams": lambda home: streams.describe(streams.measure(home)),
    "throughput": lambda home: throughput.describe(throughput.measure(home)),
    "lost-worker": lambda home: lost_worker.describe(lost_worker.measure(home)),
    "nights": lambda home: nights.describe(nights.measure(home)),
}


def main() -> int:
    """Measure what the command line names, or everything, and return 0 if that was possible."""
    end_on_signals()
    names = sys.argv[1:] or list(PARTS)
    (HOME / "tmp").mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=HOME / "tmp") as home:
            text = "\n".join(_measure(names, Path(home)))
    except (NotInstalled, ProgramDied, RuntimeError, TimeoutError) as error:
        print(f"The benchmarks stopped: {error}", file=sys.stderr)
        return 1
    OUTPUT.write_text(text)
    print(f"This is in {OUTPUT.relative_to(ROOT)}, too.")
    return 0


def _measure(names: list[str], home: Path) -> list[str]:
    sections = [f"Measured on {machine.describe()}\n"]
    print(sections[0], flush=True)
    for name in names:
        print(f"Measuring: {name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        sections.append(PARTS[name](home / name))
        print(f"{sections[-1]}\nThat took {time.monotonic() - began:.0f} s.\n", flush=True)
    return sections


if __name__ == "__main__":
    sys.exit(main())
