"""What it costs to wait for many operations: this provider's triggers beside the patterns of others."""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.documents import Document
from benchmarks.lag import percentile
from benchmarks.peers import PEERS
from benchmarks.waiters import CONNECTION, OURS, Found, Order
from dev.environment import ROOT, program_environment
from dev.sandbox import CLIENT_ID, CLIENT_SECRET, LOGIN, Sandbox
from dev.table import table

INTERVAL = 5.0
COUNT, MANY, FEW = 1_000, 10_000, 200


@dataclass(frozen=True)
class Cost:
    """
    What one way of waiting has cost.

    :param name: what it is
    :param count: how many operations there were
    :param seconds: for how long it was measured
    :param found: what was measured meanwhile
    :param logins: calls to the token endpoint
    :param sockets: connections that were opened
    :param polls: polls of an operation from its start to its end, at the median
    :param delays: seconds from the end of each operation to the poll that told of it, by the service's account
    """

    name: str
    count: int
    seconds: float
    found: Found
    logins: int
    sockets: int
    polls: float
    delays: list[float]

    @property
    def cpu_per_poll(self) -> float:
        """Processor time of a poll, in seconds."""
        return self.found.cpu / self.found.polls

    @property
    def share(self) -> float:
        """The share of a core."""
        return self.found.cpu / self.seconds


@dataclass(frozen=True)
class Costs:
    """All that were measured."""

    ours: Cost
    peers: list[Cost]
    many: Cost
    adaptive: list[Cost]


def measure(home: Path) -> Costs:
    """
    Measure all patterns, one after the other.

    :param home: a folder for everything, which is made
    """
    home.mkdir()
    service = ("--seconds", "30", "--spread", "0.15")
    ours, *others = (wait(home / f"{number}", name, COUNT, service) for number, name in enumerate([OURS, *PEERS]))
    many = wait(home / "many", OURS, MANY, ("--seconds", "60", "--spread", "0.1"), begin=20.0)
    mixed = ("--seconds", "20", "--spread", "0.9")
    with ThreadPoolExecutor(2) as threads:  # Only their polls are counted, so they may run beside each other.
        adaptive = [
            threads.submit(
                wait, home / f"steps-{steps}", OURS, FEW, (*mixed, "--steps", steps), interval=2.0, longest=300
            )
            for steps in ("0", "20")
        ]
        return Costs(ours, others, many, [each.result() for each in adaptive])


def wait(
    home: Path,
    pattern: str,
    count: int,
    service: Sequence[str],
    *,
    interval: float = INTERVAL,
    longest: float = INTERVAL,
    begin: float = 6.0,
    seconds: float = 2 * INTERVAL,  # Those that began together are polled together: only whole intervals tell.
    patience: float = 40.0,
    grid: float | None = None,
    checkout: Path = ROOT,
) -> Cost:
    """
    Wait for operations of a service of their own, in a process of its own.

    :param home: a folder for everything, which is made
    :param pattern: how to wait
    :param count: how many operations
    :param service: the options of the service
    :param interval: the shortest time between two polls, in seconds
    :param longest: the longest one
    :param begin: when to begin to measure, in seconds after the start of the last wait
    :param seconds: how long to measure
    :param patience: how long to wait after that for the end of all operations, in seconds
    :param grid: instead of the grid that this provider has, in seconds
    :param checkout: the checkout of this repository whose provider waits
    """
    home.mkdir()
    with Sandbox(home / "sandbox.log", "--engine", "echo", *service, tls=home / "tls") as echo:
        echo.wait_until_healthy()
        authority = str(echo.authority)
        settings = Settings("aspose_slides", CLIENT_ID, CLIENT_SECRET, echo.url, verify=authority)
        operations = asyncio.run(_start(settings, count))
        token = _token(settings)
        before = echo.stats(details=False)
        times = (interval, longest, begin, seconds, patience, grid)
        order = Order(pattern, echo.url, authority, token, operations, *times)
        found = _run(home, order, settings, checkout)
        after = echo.stats()
    of_each = after["sources"].values()
    return Cost(
        name=pattern,
        count=count,
        seconds=seconds,
        found=found,
        logins=after["calls"]["login"] - before["calls"]["login"],
        sockets=after["connections"]["opened"] - before["connections"]["opened"],
        polls=statistics.median(each["polls"] for each in of_each),
        delays=[delay for each in of_each for delay in each["noticed_after"]],
    )


async def _start(settings: Settings, count: int) -> list[str]:
    async with shared_async_client(settings) as client:
        flows = (client.service.start(_document(number), "pdf", {}) for number in range(count))
        started = await asyncio.gather(*(client.run(flow) for flow in flows))
    return [each.operation_id for each in started]


def _document(number: int) -> Document:
    # Each is another one: the service's account tells them apart by their bytes.
    content = b"PK\x03\x04%d" % number
    return Document(f"{number}.pptx", lambda: io.BytesIO(content), len(content))


def _token(settings: Settings) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.login,
        "client_secret": settings.password,
    }
    answer = requests.post(settings.token_url, data=form, verify=settings.verify, timeout=60)
    return str(answer.json()["access_token"])


def _run(home: Path, order: Order, settings: Settings, checkout: Path) -> Found:
    written, found = home / "order.json", home / "found.json"
    # An older checkout knows of no grids.
    written.write_text(json.dumps({key: value for key, value in asdict(order).items() if value is not None}))
    connection = {"conn_type": settings.service_name, "host": order.url, **LOGIN}
    environment = {
        "PYTHONPATH": str(checkout),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(connection | {"extra": {"verify": order.authority}}),
    }
    with (home / "waiters.log").open("w+") as log:
        command = [sys.executable, "-m", "benchmarks.waiters", str(written), str(found)]
        ended = subprocess.run(  # noqa: S603 - our own program
            command, cwd=checkout, env=program_environment(**environment), stdout=log, stderr=log, check=False
        )
        if ended.returncode:
            log.seek(0)
            raise RuntimeError(f"{order.pattern} did not come to its end: {log.read()[-500:]}")
    return Found(**json.loads(found.read_text()))


def describe(costs: Costs) -> str:
    """Return what was measured as a section of Markdown."""
    heads = ["", *(cost.name for cost in (costs.ours, *costs.peers))]
    facts: list[tuple[str, Callable[[Cost], str]]] = [
        ("CPU of a poll, µs", lambda cost: f"{cost.cpu_per_poll * 1e6:.0f}"),
        ("- times as much", lambda cost: f"{cost.cpu_per_poll / costs.ours.cpu_per_poll:.1f}"),
        ("polls a second", lambda cost: f"{cost.found.polls / cost.seconds:.0f}"),
        ("share of a core", lambda cost: f"{cost.share:.1%}"),
        ("waits for a whole core, computed", lambda cost: f"{_most(cost):,.0f}"),
        ("turn of the loop, p99, ms", lambda cost: f"{cost.found.p99 * 1e3:.1f}"),
        ("turn of the loop, longest, ms", lambda cost: f"{cost.found.longest * 1e3:.0f}"),
        ("ends noticed", lambda cost: f"{len(cost.delays):,}"),
        ("end noticed after, median, s", lambda cost: f"{statistics.median(cost.delays):.1f}"),
        ("end noticed after, p99, s", lambda cost: f"{percentile(cost.delays, 0.99):.1f}"),
        ("polls of an operation, median", lambda cost: f"{cost.polls:.0f}"),
        ("logins", lambda cost: str(cost.logins)),
        ("sockets opened", lambda cost: f"{cost.sockets:,}"),
    ]
    beside = [[fact, *(show(cost) for cost in (costs.ours, *costs.peers))] for fact, show in facts]
    many = [[fact, show(costs.many)] for fact, show in facts if fact != "- times as much"]
    adaptive = [
        [name, f"{cost.polls:.0f}", f"{statistics.median(cost.delays):.1f}", f"{statistics.fmean(cost.delays):.1f}"]
        for name, cost in zip(("without progress", "with progress"), costs.adaptive, strict=True)
    ]
    few = ["", "polls of an operation, median", "end noticed after, median, s", "mean, s"]
    return f"""## Waits

{COUNT:,} operations of 25 to 35 s, polled every {INTERVAL:.0f} s over TLS at the sandbox. Their waits
begin spread over one such interval, for each pattern in a process of its own that has loaded what a triggerer has, at
log level ERROR. The processor time (of all threads), the polls and the turns of the loop are those of
{costs.ours.seconds:.0f} s in which all of them wait. A turn of the loop is what it does between two looks at sockets
and timers: for as long nobody else gets on. All else is from the service's account. The peers get a token to start
with. How many waits a whole core could have is computed: {INTERVAL:.0f} s divided by the processor time of a poll.

{table(heads, beside, right=heads[1:])}

{MANY:,} waits of this provider at once, operations of 54 to 66 s, measured for {costs.many.seconds:.0f} s.
Polls that are never late would be {MANY / INTERVAL:,.0f} a second.

{table(["", f"{MANY:,} waits"], many, right=[f"{MANY:,} waits"])}

{FEW} operations of 2 to 38 s, polled as this provider does by itself (poke_interval=2, max_poke_interval=300).

{table(few, adaptive, right=few[1:])}
"""


def _most(cost: Cost) -> float:
    return INTERVAL / cost.cpu_per_poll
