"""The trigger that fires when documents arrive, as the triggerer of each Airflow runs it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from airflow_provider_docconv.compat import ObjectStoragePath
from airflow_provider_docconv.triggers import documents as listings
from airflow_provider_docconv.triggers.documents import IncomingDocumentsTrigger
from tests.support.tasks import StateStore

INTERVAL = 0.02


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"PK")


def watch(folder: Path, **values: Any) -> IncomingDocumentsTrigger:
    """Return the trigger as it comes out of its row."""
    classpath, kwargs = IncomingDocumentsTrigger(f"file://{folder}", poke_interval=INTERVAL, **values).serialize()
    assert classpath == f"{IncomingDocumentsTrigger.__module__}.{IncomingDocumentsTrigger.__qualname__}"
    return IncomingDocumentsTrigger(**json.loads(json.dumps(kwargs)))


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  # What changes is outside of this loop.
        await asyncio.sleep(INTERVAL)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Take note of each look into a folder."""
    look, seen = listings.list_folder, list[str]()

    def note(folder: str, left_out: Sequence[str]) -> Any:
        seen.append(folder)
        return look(folder, left_out)

    monkeypatch.setattr(listings, "list_folder", note)
    return seen


@asynccontextmanager
async def watching(events: AsyncIterator[TriggerEvent]) -> AsyncIterator[list[int]]:
    """Let a trigger run, and give how many documents each of its events tells of."""

    async def collect() -> None:
        nonlocal told
        async for event in events:
            told += [event.payload["documents"]]

    told: list[int] = []
    task = asyncio.ensure_future(collect())
    yield told
    assert not task.done(), "a watcher never ends"
    task.cancel()
    await asyncio.wait([task])


async def some(looks: list[str]) -> None:
    """Wait until the folder was looked at often enough for whatever has settled to be told."""
    looked = len(looks)
    await until(lambda: len(looks) > looked + 5)


class BrokenStore:
    """One that Airflow can't serve, as when several assets share a trigger."""

    async def aget(self, key: str, default: Any = None) -> Any:
        raise ValueError("Task has 2 concrete inlets and outlets")

    async def aset(self, key: str, value: Any) -> None:
        raise ValueError("Task has 2 concrete inlets and outlets")


def test_each_arrival_fires_with_a_number_and_no_names(inbox: Path) -> None:
    async def arrive() -> list[Any]:
        put(inbox, *(f"{number:05}.pptx" for number in range(2000)))
        events = watch(inbox).run()
        payloads = [(await anext(events)).payload]
        put(inbox, "a.pptx", "sub/b.docx")
        return [*payloads, (await anext(events)).payload]

    payloads = asyncio.run(arrive())
    assert sum(payload["documents"] for payload in payloads) >= 2002
    assert {payload["folder"] for payload in payloads} == {f"file://{inbox}/"}
    assert all(len(json.dumps(payload)) < 300 for payload in payloads)


@pytest.mark.parametrize(
    ("patterns", "names", "expected"),
    [
        ({}, ["a.pptx", "sub/b.docx", "~$a.pptx", "c.docx.part", "Thumbs.db", ".a.pptx"], 2),
        ({"include": "*.pptx"}, ["A.PPTX", "b.docx", "sub/c.pptx"], 2),
        ({"include": "*.{ppt,pptx}"}, ["a.ppt", "b.docx", "sub/c.pptx"], 2),
        ({"include": ["sub/*", "[ab].p?tx"]}, ["a.pptx", "sub/c.docx", "sub/sub/d.pptx", "c.pptx"], 2),
        ({"exclude": "drafts/**"}, ["a.pptx", "drafts/b.pptx", "drafts/sub/c.pptx", "b/drafts/d.pptx"], 2),
        ({"include": "*.pptx", "exclude": ["draft*"]}, ["a.pptx", "sub/draft.pptx", "Draft 2.pptx", "b.pptx"], 2),
    ],
    ids=str,
)
def test_what_counts_is_what_the_batch_converts(
    patterns: dict[str, Any], names: list[str], expected: int, inbox: Path
) -> None:
    from airflow_provider_docconv.batch.sources import chunk_documents

    async def first() -> TriggerEvent:
        return await anext(watch(inbox, **patterns).run())

    put(inbox, *names)
    assert asyncio.run(first()).payload == {"folder": f"file://{inbox}/", "documents": expected}
    [chunk] = chunk_documents(f"file://{inbox}/", **patterns)
    assert len(chunk["documents"]) == expected


def test_results_below_the_folder_are_no_arrivals(inbox: Path, looks: list[str]) -> None:
    async def arrive() -> list[int]:
        async with watching(watch(inbox, destination=f"file://{inbox}/pdf/").run()) as told:
            put(inbox, "pdf/a.pdf", ".docconv/x")
            await some(looks)
            put(inbox, "a.pptx")
            await some(looks)
            return told

    assert asyncio.run(arrive()) == [1]


async def triggerer(inbox: Path, looks: list[str], store: object, *arrivals: str) -> list[int]:
    """Let a triggerer run for a while, in which documents arrive, and return how many its events tell of."""
    trigger = watch(inbox)
    trigger.asset_state_store = store
    async with watching(trigger.run()) as told:
        await some(looks)
        for name in arrivals:
            put(inbox, name)
            await some(looks)
        return told


@pytest.mark.parametrize(
    ("store", "expected"),
    [(StateStore(), [1]), (None, [2, 1]), (BrokenStore(), [2, 1])],
    ids=["Airflow keeps what was told", "it can't before 3.3", "it fails to"],
)
def test_a_restarted_triggerer_tells_only_what_is_new_where_airflow_can_keep_what_was_told(
    store: object, expected: list[int], inbox: Path, looks: list[str]
) -> None:
    put(inbox, "a.pptx", "b.pptx")
    assert asyncio.run(triggerer(inbox, looks, store)) == [2]
    assert asyncio.run(triggerer(inbox, looks, store, "c.pptx")) == expected
    assert asyncio.run(triggerer(inbox, looks, store)) == ([] if isinstance(store, StateStore) else [3])


def test_watchers_of_an_asset_do_not_mix_up_what_they_have_told(inbox: Path, looks: list[str]) -> None:
    async def run(**values: Any) -> list[int]:
        trigger = watch(inbox, **values)
        trigger.asset_state_store = store
        async with watching(trigger.run()) as told:
            await some(looks)
            return told

    store = StateStore()
    put(inbox, "a.pptx", "b.docx")
    for values, expected in (({}, [2]), ({"include": "*.docx"}, [1]), ({"destination": f"file://{inbox}/pdf/"}, [2])):
        assert asyncio.run(run(**values)) == expected
        assert asyncio.run(run(**values)) == []


def test_an_event_is_told_again_if_the_triggerer_dies_before_airflow_has_surely_stored_it(inbox: Path) -> None:
    async def die() -> None:
        trigger = watch(inbox)
        trigger.asset_state_store = store
        await anext(trigger.run())

    store = StateStore()
    put(inbox, "a.pptx")
    asyncio.run(die())
    assert store.values == {}


def test_triggers_of_one_folder_share_its_listings(
    inbox: Path, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pytest.importorskip("airflow.triggers.shared_stream", reason="Airflow before 3.3 shares nothing")
    open_listings, opened = listings.listings, list[str]()

    def note(folder: str, *arguments: Any) -> Any:
        opened.append(folder)
        return open_listings(folder, *arguments)

    def subscribe(number: int, trigger: IncomingDocumentsTrigger) -> AsyncIterator[TriggerEvent]:
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        return trigger.filter_shared_stream(stream)

    async def share() -> tuple[list[int], list[int]]:
        decks, texts = watch(inbox, include="*.pptx"), watch(inbox, include="*.docx")
        async with watching(subscribe(1, decks)) as told_decks, watching(subscribe(2, texts)) as told_texts:
            put(inbox, "a.pptx", "b.docx", "c.docx")
            await some(looks)
            put(inbox, "d.docx")
            await some(looks)
        await manager.stop_all()
        return told_decks, told_texts

    manager = module.SharedStreamManager()
    monkeypatch.setattr(listings, "listings", note)
    decks, texts = asyncio.run(share())
    assert (sum(decks), sum(texts)) == (1, 3)
    assert opened == [f"file://{inbox}/"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"folder": "s3://b/in/*.pptx"}, "folder is a glob: s3://b/in/*.pptx; pass the folder"),
        ({"folder": ""}, "folder is '': expected a path or URI"),
        ({"folder": "/"}, "folder is '/': expected"),
        ({"folder": "s3://"}, "folder is 's3://': expected"),
        ({"include": ""}, "include or exclude has an empty pattern"),
        ({"exclude": ["*.docx", ""]}, "include or exclude has an empty pattern"),
        ({"poke_interval": 0}, "poke_interval must be a positive number of seconds, not 0"),
        ({"poke_interval": -5.0}, "poke_interval must be a positive number of seconds, not -5.0"),
    ],
)
def test_nonsense_is_refused_when_the_dag_is_read(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        IncomingDocumentsTrigger(**{"folder": "s3://b/in/", **values})


def test_a_path_is_taken_as_well_as_a_string() -> None:
    _, kwargs = IncomingDocumentsTrigger(ObjectStoragePath("s3://documents/in/")).serialize()
    assert json.loads(json.dumps(kwargs))["folder"] == "s3://documents/in/"
