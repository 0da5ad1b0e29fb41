"""Three ways to convert a hundred documents, against the same service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.documents import Documents
from benchmarks.loop import PAUSE, convert_in_turn
from benchmarks.runs import run_dag
from benchmarks.servers import SIZE, echoing, local_airflow
from dev.sandbox import Sandbox
from dev.table import table

COUNT, SECONDS = 100, 2
_FEW = 3
#: How many times as fast the last way shall be as each of the others.
GOALS = (20, 10)


@dataclass(frozen=True)
class Way:
    """
    One way, and what it took.

    :param name: what it is
    :param documents: how many documents there were
    :param delivered: how many results are there, exact to the byte
    :param seconds: how long it took
    :param calls: calls to the service, logins included
    """

    name: str
    documents: int
    delivered: int
    seconds: float
    calls: int


def measure(home: Path, count: int = COUNT) -> list[Way]:
    """
    Measure all three ways.

    :param home: a folder for everything, which is made
    :param count: how many documents
    """
    home.mkdir()
    documents, few = Documents.write(home / "documents", count, SIZE), Documents.write(home / "few", _FEW, SIZE)
    ways: list[Way] = []
    with echoing(home, SECONDS) as echo:

        def add(name: str, convert: Callable[[Path], float]) -> None:
            ways.append(_way(name, convert, documents, home / f"results-{len(ways)}", echo))

        add("(a) a loop over the vendor's SDK", partial(convert_in_turn, documents, echo))
        with local_airflow(home) as airflow:
            echo.connect(airflow, "echo")
            run_dag(airflow, "mapped", few, home / "warm-mapped")
            run_dag(airflow, "night", few, home / "warm-night", stints=str(home / "warm-stints"))
            add("(b) start, wait and download, mapped", partial(run_dag, airflow, "mapped", documents))
            add(
                "(c) ConvertDocumentsOperator",
                partial(run_dag, airflow, "night", documents, stints=str(home / "stints")),
            )
    return ways


def _way(name: str, convert: Callable[[Path], float], documents: Documents, results: Path, echo: Sandbox) -> Way:
    def calls() -> int:
        return sum(echo.stats(details=False)["calls"].values())

    before = calls()
    seconds = convert(results)
    return Way(name, len(documents), documents.delivered(results, SIZE), seconds, calls() - before)


def describe(ways: Sequence[Way]) -> str:
    """Return what was measured as a section of Markdown."""
    *others, last = ways
    goals = [f"{way.seconds / last.seconds:.1f} x, goal {goal} x" for way, goal in zip(others, GOALS, strict=True)]
    heads = ["", "documents", "exact results", "seconds", "documents/minute", "calls", "(c) is faster by"]
    rows = [
        [
            way.name,
            way.documents,
            way.delivered,
            f"{way.seconds:.1f}",
            f"{60 * way.documents / way.seconds:.0f}",
            way.calls,
            goal,
        ]
        for way, goal in zip(ways, [*goals, ""], strict=True)
    ]
    return f"""## Throughput

{last.documents} documents that take the service {SECONDS} s each, however many there are; documents and results have
{SIZE:,} bytes each. From the first source file to the last result file: (a) by the clock, polling every {PAUSE} s as
the vendor's tutorials do, all {last.documents} documents, without Airflow; (b) and (c) from the start of the Dag's run
to its end, in one Airflow (PostgreSQL, LocalExecutor with 16 places) that has run each Dag once before. (b) polls every
2 s from the triggerer; (c) has max_in_flight=100, max_transfers=8, grace=5. Calls are all that the service got, logins
included.

{table(heads, rows, right=heads[1:])}
"""
