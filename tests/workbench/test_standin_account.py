"""The stand-in keeps an exact account of what was asked of it, and of what became of each source."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.workbench.standin_calls import (
    ASYNC,
    CONVERT,
    DECK,
    ask,
    counts,
    sha256,
    standing_in,
    start,
    status_of,
    try_start,
)
from workbench.standin import StandIn
from workbench.standin.account import by_source
from workbench.standin.faults import KINDS, Faults
from workbench.standin.losses import KINDS as LOSING
from workbench.standin.operations import Operations


def test_the_account_of_starts_is_right_under_faults(tmp_path: Path) -> None:
    documents = [f"deck {number}".encode() for number in range(40)]
    with standing_in(tmp_path, "--faults", "0.5", "--seed", "11") as standin:
        # The same draws in the same order say what must come of each start.
        fates = Faults(0.5, KINDS, 11)
        faults: Counter[str] = Counter()
        expected: dict[str, Counter[str]] = {}
        for document in documents:
            source = expected.setdefault(sha256(document), Counter(created=0, lost=0))
            heard = False
            while not heard:
                fate = fates.draw("start")
                heard = try_start(standin, document)
                assert heard is (fate is None)
                source["created"] += fate is None or fate.done
                source["lost"] += fate is not None and fate.done
                faults.update([fate.kind] if fate else [])
        stats = standin.stats()
    sources = stats["sources"]
    assert {digest: {key: sources[digest][key] for key in source} for digest, source in expected.items()} == expected
    assert stats["faults"]["start"] == faults
    assert stats["calls"]["start"] == len(documents) + faults.total()
    lost = sum(source["lost"] for source in expected.values())
    operations = stats["operations"]
    assert lost > 5
    assert (operations["created"], operations["duplicates"], operations["lost"]) == (40 + lost, lost, lost)
    assert (operations["sources"], operations["unexplained"], operations["lost_by_client"]) == (40, 0, 0)


@pytest.mark.parametrize("kind", LOSING)
def test_the_next_start_is_lost_on_demand(kind: str, standin: StandIn) -> None:
    standin.lose_next_start(kind, sha256(DECK))
    start(standin, b"another deck")
    assert not try_start(standin, DECK)
    start(standin)
    stats = standin.stats()
    assert stats["faults"]["start"] == {kind: 1}
    assert stats["sources"][sha256(DECK)] == counts(created=2, lost=1)
    start(standin)
    assert standin.stats()["operations"]["unexplained"] == 1


def test_a_start_that_did_nothing_is_not_lost_on_demand(standin: StandIn) -> None:
    standin.lose_next_start()
    standin.set_quota(0)
    assert ask(standin, "POST", CONVERT, DECK)[0] == 403
    standin.set_quota(None)
    assert not try_start(standin, DECK)
    start(standin)
    assert standin.stats()["operations"]["lost"] == 1


def test_only_a_loss_before_it_explains_a_duplicate() -> None:
    operations = Operations(0)
    for lost in ("fault", None, "client"):
        operations.create(b"\0")[1].lost = lost
    assert by_source(operations.all())["00"] == counts(created=3, lost=2, unexplained=1)


def test_polls_and_results_of_all_operations_of_a_source_are_counted(standin: StandIn) -> None:
    ids = [start(standin), start(standin), start(standin, b"DAMAGED deck")]
    for id, polls, results in zip(ids, (3, 0, 2), (2, 1, 0), strict=True):
        for _ in range(polls):
            status_of(standin, id)
        for _ in range(results):
            ask(standin, "GET", f"{ASYNC}/{id}/result")
    stats = standin.stats()
    deck, damaged = stats["sources"].values()
    assert [deck[key] for key in ("created", "polls", "results")] == [2, 3, 3]
    assert [damaged[key] for key in ("created", "polls", "results")] == [1, 2, 0]
    assert [len(deck["noticed_after"]), len(damaged["noticed_after"])] == [1, 1]
    assert stats["polls"] == {"total": 5, "median": 2, "p90": 3, "max": 3}


def test_an_end_is_noticed_by_the_first_status_that_tells_of_it(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "0.5") as standin:
        id = start(standin)
        polls = 0
        while status_of(standin, id)["status"] != "Finished":
            polls += 1
            assert standin.stats()["sources"][sha256(DECK)]["noticed_after"] == []
        (noticed,) = standin.stats()["sources"][sha256(DECK)]["noticed_after"]
        assert noticed >= 0
        status_of(standin, id)
        source = counts(created=1, polls=polls + 2, noticed_after=[noticed])
        assert standin.stats()["sources"] == {sha256(DECK): source}


@pytest.mark.parametrize("kind", ["503", "garbage"])
def test_a_status_that_nobody_read_tells_of_no_end(kind: str, tmp_path: Path) -> None:
    with standing_in(tmp_path, "--faults", "0.7", "--fault-kinds", kind, "--seed", "2") as standin:
        while (answer := ask(standin, "POST", CONVERT, DECK))[0] != 201:
            pass
        fates = Faults(0.7, (kind,), 2)
        told, polls = False, 0
        while not told:
            told = fates.draw("status") is None
            ask(standin, "GET", f"{ASYNC}/{answer[1].decode()}")
            polls += 1
            sources = standin.stats()["sources"]
            assert sum(len(source["noticed_after"]) for source in sources.values()) == told
        assert polls > 1


def test_how_long_an_end_went_unnoticed_is_exact() -> None:
    operations = Operations(10, clock=lambda: 100.0)
    early, late, never = (operations.create(digest)[1] for digest in (b"\0", b"\0", b"\1"))
    late.notice(112.5)
    early.notice(110.0004)
    early.notice(120)
    sources = by_source([early, late, never])
    assert sources["00"]["noticed_after"] == [0.0, 2.5]
    assert sources["01"]["noticed_after"] == []


def test_the_account_of_ten_thousand_sources_is_small() -> None:
    operations = Operations(0)
    for number in range(10_000):
        _, operation = operations.create(number.to_bytes(32))
        operation.notice(operation.ended + 123.456)
    assert len(json.dumps(by_source(operations.all()), separators=(",", ":"))) < 2_000_000
