"""Nights in one task: many documents, none that changed, and slow ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.copying import copy_all
from benchmarks.documents import Documents
from benchmarks.runs import run_dag
from benchmarks.servers import SIZE, echoing, local_airflow
from benchmarks.stints import Stints
from benchmarks.triggerer import TriggererWatch
from dev.cluster import LocalAirflow
from dev.sandbox import Sandbox
from dev.table import table

COUNT, SECONDS = 10_000, 2
SLOW_COUNT, SLOW_SECONDS = 500, 60
#: How many uploads and downloads at once, as in ``benchmarks/dag_files/nights.py``.
TRANSFERS = 8
_FEW = 3
# Seconds after which a task defers that has nothing else to do, so that the triggerer has imported everything.
_LONG_ENOUGH = 15


@dataclass(frozen=True)
class Night:
    """
    A night, and what it cost.

    :param documents: how many documents there were
    :param service: how long the service takes for each, in seconds
    :param in_flight: how many it had at once, at the most
    :param delivered: how many results are there, exact to the byte
    :param run: seconds from the start of the Dag's run to its end
    :param stints: what the task's processes took
    :param copying: seconds that a bare copy loop takes for the same documents
    :param account: the service's account of it
    :param triggerer: what the triggerer held
    """

    documents: int
    service: float
    in_flight: int
    delivered: int
    run: float
    stints: Stints
    copying: float
    account: dict[str, Any]
    triggerer: TriggererWatch

    @property
    def changed(self) -> bool:
        """Whether there was anything to convert."""
        return bool(self.account["calls"]["start"])

    @property
    def waves(self) -> int:
        """How many windows of documents there are, one after the other."""
        return math.ceil(self.documents / self.in_flight)

    @property
    def bound(self) -> float:
        """Seconds that the service and the transfers take, one after the other."""
        return self.waves * self.service + self.copying

    @property
    def head(self) -> str:
        """What it is called."""
        if not self.changed:
            return "the same again"
        return f"{self.documents:,} x {self.service:.0f} s, {self.in_flight:,} at once"


class Nights:
    """
    Measures nights in an Airflow.

    :param home: a folder for everything
    :param airflow: the Airflow
    """

    def __init__(self, home: Path, airflow: LocalAirflow) -> None:
        self._home = home
        self._airflow = airflow
        self._copied: dict[Path, float] = {}

    def warm_up(self) -> None:
        """Let Airflow do everything once, deferring included."""
        documents = Documents.write(self._home / "few", _FEW, SIZE)
        with echoing(self._home, _LONG_ENOUGH) as echo:
            self.measure(documents, echo, _LONG_ENOUGH, 100)

    def measure(self, documents: Documents, echo: Sandbox, service: float, in_flight: int) -> Night:
        """
        Measure a night.

        :param documents: the documents
        :param echo: the service
        :param service: how long that takes for each, in seconds
        :param in_flight: how many it may have at once
        """
        echo.connect(self._airflow, "echo")
        results = documents.folder.with_name(f"{documents.folder.name}-results-{in_flight}")
        stints = self._home / f"stints-{len(list(self._home.glob('stints-*')))}"
        copying = self._copying(documents)
        before = echo.stats(details=False)["calls"]
        with TriggererWatch(self._airflow) as triggerer:
            run = run_dag(self._airflow, "night", documents, results, stints=str(stints), in_flight=in_flight)
        account = echo.stats(details=False)
        account["calls"] = {kind: number - before[kind] for kind, number in account["calls"].items()}
        delivered = documents.delivered(results, SIZE)
        costs = Stints.read(stints)
        return Night(len(documents), service, in_flight, delivered, run, costs, copying, account, triggerer)

    def _copying(self, documents: Documents) -> float:
        if documents.folder not in self._copied:
            with echoing(self._home, 0) as echo:
                results = documents.folder.with_name(f"{documents.folder.name}-copies")
                self._copied[documents.folder] = copy_all(documents, echo, results, TRANSFERS)
        return self._copied[documents.folder]


def measure(home: Path, count: int = COUNT, slow_count: int = SLOW_COUNT) -> list[Night]:
    """
    Measure all nights.

    :param home: a folder for everything, which is made
    :param count: how many documents in the large nights
    :param slow_count: how many in the slow one
    """
    home.mkdir()
    many = Documents.write(home / "many", count, SIZE)
    slow = Documents.write(home / "slow", slow_count, SIZE)
    found = []
    with local_airflow(home) as airflow:
        nights = Nights(home, airflow)
        nights.warm_up()
        for in_flight in (1000, 100):
            with echoing(home, SECONDS) as echo:
                found.append(nights.measure(many, echo, SECONDS, in_flight))
                if in_flight == 1000:
                    found.append(nights.measure(many, echo, SECONDS, in_flight))
        with echoing(home, SLOW_SECONDS) as echo:
            found.append(nights.measure(slow, echo, SLOW_SECONDS, 100))
    return found


def describe(nights: Sequence[Night]) -> str:
    """Return what was measured as a section of Markdown."""
    heads = ["", *(night.head for night in nights)]
    rows = [[what, *(value(night) for night in nights)] for what, value in _LINES.items()]
    return f"""## Nights in one task

ConvertDocumentsOperator (deferrable, max_transfers={TRANSFERS}, grace=5) on documents and results of {SIZE:,} bytes, in
the same kind of Airflow, which has done a few that it deferred before. "The same again" is a second run over what the
first has converted. The task runs from the start of its first process to the end of its last. The reference is the
service's time (documents / at once, rounded up, x seconds each) plus the time of a bare loop that uploads and downloads
the same documents with the provider's blocking client in {TRANSFERS} threads, without waiting, records and checks,
measured just before; a run can be below it, because transfers and the service's work overlap. The task's memory is the
resident set of its process, what it shares with its parent included: "idle" just before execute(), with nothing of the
provider but the operator imported; the drivers of the stores of all installed providers (here Amazon's, Google's and
Microsoft's), which Airflow loads at the first use of any store, in any task; and the growth from there to the kernel's
high-water mark, of the worst of its processes. The triggerer's is the sum over its processes. A trigger's row is the
column "kwargs" in the database, looked at twice a second.

{table(heads, rows, right=heads[1:])}
"""


def _working(value: Callable[[Night], str]) -> Callable[[Night], str]:
    """Leave out what says nothing of a night in which nothing was converted."""
    return lambda night: value(night) if night.changed else ""


def _more(night: Night) -> str:
    totals = night.account["totals"]
    return f"{totals['created'] - totals['sources']}"


def _polls(night: Night) -> str:
    polls = night.account["polls"]
    return f"{polls['median']:g} / {polls['p90']} / {polls['max']}"


def _memory(count: float) -> str:
    return f"{count / (1 << 20):.0f} MiB"


_LINES: dict[str, Callable[[Night], str]] = {
    "results, exact to the byte": lambda night: f"{night.delivered:,} of {night.documents:,}",
    "Dag run, seconds": lambda night: f"{night.run:.1f}",
    "task, seconds": lambda night: f"{night.stints.wall:.1f}",
    "service, windows x seconds": _working(lambda night: f"{night.waves} x {night.service:.0f}"),
    "bare copy loop, seconds": _working(lambda night: f"{night.copying:.1f}"),
    "reference, seconds": _working(lambda night: f"{night.bound:.1f}"),
    "task / reference": _working(lambda night: f"{night.stints.wall / night.bound:.2f}"),
    "worker slot, seconds": lambda night: f"{night.stints.slots:.1f}",
    "worker slot / task": lambda night: f"{night.stints.slots / night.stints.wall:.0%}",
    "deferrals": lambda night: f"{night.stints.count - 1}",
    "task's processor time, seconds": lambda night: f"{night.stints.cpu:.1f}",
    "task's memory, idle": lambda night: _memory(night.stints.idle),
    "task's memory, drivers of all stores": lambda night: _memory(night.stints.drivers),
    "task's memory, growth": lambda night: _memory(night.stints.growth),
    "triggerer's memory, before": lambda night: _memory(night.triggerer.before),
    "triggerer's memory, growth": lambda night: _memory(night.triggerer.peak - night.triggerer.before),
    "largest trigger row, bytes": lambda night: f"{night.triggerer.row:,}" if night.triggerer.row else "none",
    "most operations at once": _working(lambda night: f"{night.account['totals']['peak_in_flight']:,}"),
    "calls to the service": lambda night: f"{sum(night.account['calls'].values()):,}",
    "- logins": lambda night: f"{night.account['calls']['login']:,}",
    "- starts": lambda night: f"{night.account['calls']['start']:,}",
    "- results": lambda night: f"{night.account['calls']['result']:,}",
    "- status": lambda night: f"{night.account['calls']['status']:,}",
    "status per document, median / p90 / max": _working(_polls),
    "operations more than documents": _working(_more),
}
