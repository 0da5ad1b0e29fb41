"""Listing a folder for ever, here and in an object store, while it changes and while its store fails."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_docconv.testing import no_delays
from airflow_provider_docconv.triggers import documents as module
from airflow_provider_docconv.triggers.documents import Listing, listings
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.places import Bucket, Place

INTERVAL = 0.02


def listed(folder: str, destination: str = "file:///nowhere/") -> AsyncIterator[Listing]:
    return listings(folder, destination, INTERVAL)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, module.__name__)
    return lambda: [record.getMessage() for record in caplog.records if record.name == module.__name__]


@pytest.fixture(autouse=True)
def pauses() -> Iterator[list[float]]:
    """Take note of the pauses between listings, and make them short."""
    with no_delays() as noted:
        yield noted


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  # What changes is outside of this loop.
        await asyncio.sleep(INTERVAL)


async def next_of(seen: AsyncIterator[Listing], after: Callable[[], Awaitable[object]]) -> Listing:
    """Return the first listing that comes, provided that none comes before something else has."""
    listing = asyncio.ensure_future(anext(seen))
    await after()
    return await listing


def test_each_listing_shows_the_folder_as_it_is(place: Place) -> None:
    async def look() -> None:
        place.put("a.pptx", "sub/b.pptx", ".hidden", "pdf/a.pdf")
        seen = listed(f"{place.uri}/", f"{place.uri}/pdf/")
        first = await anext(seen)
        assert set(first) == {"a.pptx", "sub/b.pptx"}
        assert await anext(seen) == first
        place.put("a.pptx", content=b"longer")
        place.put("c.pptx")
        last = await anext(seen)
        assert set(last) == {"a.pptx", "sub/b.pptx", "c.pptx"}
        assert {name for name in first if last[name] != first[name]} == {"a.pptx"}

    asyncio.run(look())


def test_a_missing_folder_is_waited_for_and_said_to_be_missing_once_each_time(
    tmp_path: Path, said: Callable[[], list[str]], pauses: list[float]
) -> None:
    async def look() -> None:
        seen = listed(f"file://{tmp_path}/in/")
        for time in (1, 2):

            async def make(time: int = time) -> None:
                await until(lambda: len(said()) == 2 * time - 1 and len(pauses) > 50 * time)
                (tmp_path / "in").mkdir()

            assert await next_of(seen, make) == {}
            (tmp_path / "in").rmdir()

    asyncio.run(look())
    missing = f"file://{tmp_path}/in/: could not list the documents (No such file or directory); trying again in 0.04 "
    well = f"file://{tmp_path}/in/: the documents can be listed again"
    assert [line.removesuffix("seconds, and then after longer pauses") for line in said()] == [missing, well] * 2


def test_pauses_grow_while_the_store_fails_and_are_short_again_when_it_is_well(
    tmp_path: Path, pauses: list[float]
) -> None:
    async def look() -> None:
        seen = listings(f"file://{tmp_path}/in/", "file:///nowhere/", 100)

        async def make() -> None:
            await until(lambda: len([pause for pause in pauses if pause >= 100]) > 5)
            (tmp_path / "in").mkdir()

        await next_of(seen, make)
        await anext(seen)

    asyncio.run(look())
    pauses = [pause for pause in pauses if pause >= 100]
    assert pauses[:5] == [200, 400, 600, 600, 600]
    assert pauses[-1] == 100


QUICK = {"retries": {"max_attempts": 0}, "connect_timeout": 2}
WRONG = {
    "wrong_secret": {"password": "another one"},
    "wrong_address": {"extra": {"endpoint_url": "http://127.0.0.1:9", "region_name": "x", "config_kwargs": QUICK}},
}


@pytest.mark.parametrize("place", ["s3"], indirect=True)
@pytest.mark.parametrize(("conn_id", "reason"), [("wrong_secret", "signature"), ("wrong_address", "connect")])
def test_a_connection_that_is_corrected_is_read_anew(
    conn_id: str,
    reason: str,
    place: Place,
    bucket: Bucket,
    said: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, right = f"AIRFLOW_CONN_{conn_id.upper()}", json.loads(bucket.connection)
    monkeypatch.setenv(name, json.dumps(right | WRONG[conn_id]))
    place.put("a.pptx")

    async def correct() -> None:
        await until(said)
        monkeypatch.setenv(name, bucket.connection)

    async def look() -> Listing:
        return await next_of(listed(f"{place.uri.replace('batch_store', conn_id)}/"), correct)

    assert set(asyncio.run(look())) == {"a.pptx"}
    fault, well = said()
    assert reason in fault
    assert "can be listed again" in well
    assert right["login"] not in fault
    assert right["password"] not in fault


def test_words_that_differ_in_an_id_or_a_time_are_one_fault(
    said: Callable[[], list[str]], pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(seen: Seen) -> Answer:
        number = len(server.seen)
        words = f"Not you. RequestId:5d7f-{number} Time:2026-11-25T00:00:{number}Z"
        return Answer(f"<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>".encode(), status=403)

    async def look() -> None:
        listing = asyncio.ensure_future(anext(listed("s3://denying@documents/inbox/")))
        await until(lambda: len(server.seen) > 3)
        listing.cancel()

    with Hostile(answer=deny) as server:
        extra = {"endpoint_url": server.url, "region_name": "x", "config_kwargs": QUICK}
        monkeypatch.setenv("AIRFLOW_CONN_DENYING", json.dumps({"conn_type": "aws", "login": "k", "extra": extra}))
        asyncio.run(look())
    [fault] = said()
    assert "Not you. RequestId:5d7f-1 " in fault


def test_a_store_that_hangs_is_told_of_and_stops_neither_the_loop_nor_its_end(
    tmp_path: Path, said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pptx").write_bytes(b"PK")

    async def look() -> None:
        hanging = asyncio.ensure_future(
            anext(listings("s3://hanging@documents/inbox/", "file:///nowhere/", INTERVAL, warn_after=0.2))
        )
        await until(lambda: server.seen)
        elsewhere = listed(f"file://{tmp_path}/")
        for _ in range(3):
            assert set(await anext(elsewhere)) == {"a.pptx"}
        await until(said)
        assert not hanging.done()
        hanging.cancel()

    with Hostile(Answer(fault="hang")) as server:
        extra = {"endpoint_url": server.url, "region_name": "x", "config_kwargs": QUICK}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_HANGING", json.dumps(connection))
        asyncio.run(look())
        assert "docconv-listing_0" in {thread.name for thread in threading.enumerate()}
    [hangs] = said()
    assert hangs.startswith("s3://hanging@documents/inbox/: the store has not answered for 0.2 seconds")
