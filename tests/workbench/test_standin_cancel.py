"""The stand-in ends what is cancelled."""

from __future__ import annotations

import asyncio
import http.client
from contextlib import suppress
from pathlib import Path

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.services.operations import OperationState
from tests.workbench.standin_calls import (
    DJVU,
    SCAN,
    ask,
    counts,
    ocr,
    scan,
    sha256,
    standing_in,
    start_scan,
    task,
    try_start_scan,
)
from workbench.standin import StandIn
from workbench.standin.faults import KINDS, Faults


def test_the_asynchronous_client_cancels_what_runs(tmp_path: Path) -> None:
    async def convert_and_cancel(standin: StandIn) -> list[OperationState]:
        async with shared_async_client(ocr(standin)) as client:
            id = await client.run(client.service.start(scan(), "pdf", {}))
            before = (await client.run(client.service.status(id))).state
            assert await client.run(client.service.cancel(id))
            return [before, (await client.run(client.service.status(id))).state]

    with standing_in(tmp_path, "--seconds", "3600") as standin:
        states = asyncio.run(convert_and_cancel(standin))
        assert states == [OperationState.RUNNING, OperationState.NOT_FOUND]
        stats = standin.stats()
        assert stats["sources"] == {sha256(SCAN): counts(created=1, canceled=1, polls=2)}
        assert (stats["operations"]["canceled"], stats["operations"]["in_flight"]) == (1, 0)
        assert stats["calls"]["cancel"] == 1


def test_a_cancel_frees_a_place(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600", "--capacity", "1") as standin:
        first, second = start_scan(standin), start_scan(standin, SCAN + b"2")
        words = [task(standin, id)["taskStatus"] for id in (first, second)]
        assert words == ["Processing", "Pending"]
        assert ask(standin, "DELETE", f"{DJVU}?id={first}") == (200, b"")
        words = [task(standin, id)["taskStatus"] for id in (first, second)]
        assert words == ["NotExist", "Processing"]


def test_a_cancel_works_unless_a_fault_prevents_it(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600", "--faults", "0.5", "--seed", "2") as standin:
        fates = Faults(0.5, KINDS, 2)
        canceled = failed = 0
        for number in range(20):
            document = SCAN + bytes([number])
            while not (id := try_start_scan(standin, document)):
                pass
            fate = fates.draw("cancel")
            with suppress(ConnectionResetError, http.client.IncompleteRead):
                ask(standin, "DELETE", f"{DJVU}?id={id}")
            canceled += fate is None or fate.done
            failed += fate is not None and not fate.done
            assert standin.stats()["operations"]["canceled"] == canceled
        assert canceled > 5 < failed
