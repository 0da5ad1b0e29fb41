"""Nights: every document once, whatever happened the nights before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch.sources import chunk_documents
from dev.sandbox import Sandbox
from tests.support.batch_runs import Night, calls
from tests.support.documents import SCAN
from tests.support.tasks import SECRET, connect

NAMES = ("a.pptx", "b c.pptx", "sub/a.pptx", "sub/deep/#1 100%?.pptx", "sub/ü.pptx")
RESULTS = {name.replace(".pptx", ".pdf") for name in NAMES}


def test_a_night_and_the_next(any_night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    any_night.put(*NAMES)
    summary = any_night.run()
    assert {key: summary[key] for key in ("documents", "delivered", "skipped", "rejected", "failed", "unfinished")} == {
        "documents": 5, "delivered": 5, "skipped": 0, "rejected": 0, "failed": 0, "unfinished": 0,
    }  # fmt: skip
    assert any_night.results() == RESULTS
    assert all(any_night.is_exact(name, name.replace(".pptx", ".pdf")) for name in NAMES)
    assert summary["calls"]["start"] == 5
    assert summary["bytes_out"] == 5 * 2048

    before = calls(echo)
    assert any_night.run("night 2")["skipped"] == 5
    assert calls(echo) == before

    any_night.put("a.pptx", content=b"changed")
    any_night.put("new.pptx")
    summary = any_night.run("night 3")
    assert (summary["delivered"], summary["skipped"]) == (2, 4)
    assert any_night.is_exact("a.pptx", "a.pdf")
    assert any_night.states() == dict.fromkeys(NAMES[1:], "skipped") | {"a.pptx": "delivered", "new.pptx": "delivered"}

    assert any_night.run("night 4", full_refresh=True)["delivered"] == 6
    assert any_night.run("night 4", full_refresh=True)["delivered"] == 6  # a retry of the same night
    assert set(any_night.created(echo).values()) == {2}
    assert any_night.run("night 5", options={"slides": [1]})["delivered"] == 6


@pytest.mark.parametrize("deferrable", [False, True])
def test_both_modes_end_alike(deferrable: bool, tmp_path: Path, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "2")
    night = Night(tmp_path)
    night.put(*NAMES)
    night.put("broken.pptx")
    (tmp_path / "in" / "broken.pptx").write_bytes(b"not a deck")
    with pytest.raises(exceptions.DocumentsFailed) as raised:
        night.run(deferrable=deferrable, max_in_flight=3)
    assert isinstance(raised.value, AirflowFailException)
    assert "1 of 6 documents were not converted (1 rejected, 0 failed)" in str(raised.value)
    assert "broken.pptx (the document is not a .pptx file" in str(raised.value)
    assert night.results() == RESULTS
    assert night.states() == dict.fromkeys(NAMES, "delivered") | {"broken.pptx": "rejected"}
    assert echo.stats(details=False)["totals"]["peak_in_flight"] == 3
    assert bool(night.deferred) is deferrable
    for row in night.deferred:
        assert set(row) == {
            "conn_id", "operations", "wake_after", "deadline", "poke_interval", "max_poke_interval", "typical",
            "fault_tolerance",
        }  # fmt: skip


def test_the_services_of_all_vendors_convert(sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dev import authoring

    contents = {
        "aspose_slides": ("deck.pptx", authoring.deck(2, "Two slides")),
        "groupdocs_conversion": ("letter.docx", authoring.letter("A letter.", "A letter")),
        "aspose_ocr": ("scan.djvu", SCAN.read_bytes()),
    }
    for conn_type, (name, content) in contents.items():
        folder = tmp_path / conn_type
        folder.mkdir()
        night = Night(folder)
        (folder / "in" / name).write_bytes(content)
        connect(monkeypatch, sandbox.url, conn_type, login="sandbox", password="sandbox")
        assert night.run()["delivered"] == 1
        (result,) = (folder / "out").glob("*.pdf")
        assert result.read_bytes().startswith(b"%PDF-")
        assert night.report()[name]["source_sha256"] == hashlib.sha256(content).hexdigest()


def test_names_by_template(night: Night, service: Callable[..., Sandbox]) -> None:
    service()
    night.put("a.pptx", "a.ppsx", "sub/a.pptx")
    with pytest.raises(exceptions.NamesCollide, match=r"a\.ppsx and .*a\.pptx would both be delivered as .*out/a\.pdf"):
        night.run()
    assert not night.results()
    night.run(destination=f"{night.uri}/out/{{folder}}{{stem}}-{{extension}}.{{format}}")
    assert night.results() == {"a-pptx.pdf", "a-ppsx.pdf", "sub/a-pptx.pdf"}


def test_formats_and_options_by_document(any_night: Night, service: Callable[..., Sandbox]) -> None:
    service()
    any_night.put("a.pptx", "b.pptx")
    password = "the-password-of-one-document"
    source = [
        f"{any_night.uri}/in/a.pptx",
        {
            "source": f"{any_night.uri}/in/*.pptx",
            "target_format": "md",
            "options": {"password": password, "slides": [1]},
        },
    ]
    assert any_night.run(source=source, deferrable=True)["delivered"] == 3
    assert any_night.results() == {"a.pdf", "a.md", "b.md"}
    assert any_night.written().count("a.pptx") > 2
    assert password not in any_night.written()
    assert SECRET not in any_night.written()


def test_a_plan_sends_nothing(night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    night.put("a.pptx", "b.pptx")
    night.run()
    night.put("c.pptx")
    before = calls(echo)
    plan = night.run("night 2", plan=True)
    assert plan == {"documents": 3, "plan": {"convert": 1, "go on with": 0, "skip": 2, "leave out": 0}}
    assert calls(echo) == before
    assert night.run("night 3")["delivered"] == 1


def test_a_night_without_documents(night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    assert night.run()["documents"] == 0
    assert calls(echo) == 0
    with pytest.raises(exceptions.SourceNotFound, match="the folder does not exist"):
        night.run(source=f"{night.uri}/nowhere/")


@pytest.mark.parametrize("next_run", ["night 1", "night 2"])
def test_what_is_under_way_is_picked_up(next_run: str, any_night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "3")
    any_night.put(*NAMES)
    with pytest.raises(exceptions.DeadlineExceeded):
        any_night.run(timeout=1)
    assert any_night.run(next_run)["delivered"] == 5
    assert set(any_night.created(echo).values()) == {1}


def test_chunks_know_of_each_other(night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    night.put(*(f"{number}.pptx" for number in range(7)))

    def all_chunks(run_id: str, size: int) -> list[dict[str, Any]]:
        chunks = chunk_documents(f"{night.uri}/in/", size)
        return [night.run(run_id, map_index=index, source=chunk) for index, chunk in enumerate(chunks)]

    assert [each["delivered"] for each in all_chunks("night 1", 3)] == [3, 3, 1]
    night.put("00.pptx")
    assert sum(each["delivered"] for each in all_chunks("night 2", 2)) == 1
    assert sum(each["delivered"] for each in all_chunks("night 3", 8)) == 0
    assert set(night.created(echo).values()) == {1}


def test_the_summary_is_small(night: Night, service: Callable[..., Sandbox]) -> None:
    service()
    night.put(*(f"{'long name ' * 20}{number}.pptx" for number in range(200)))
    assert len(json.dumps(night.run())) <= 2048


def test_the_worker_is_given_back_while_operations_go_on(night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "6")
    night.put(*(f"{number}.pptx" for number in range(6)))
    summary = night.run(deferrable=True, max_in_flight=4)
    assert summary["delivered"] == 6
    assert len(night.deferred) >= 2
    assert [row["wake_after"] for row in night.deferred[:1]] == [2]
    arrived = echo.stats(details=False)["calls"]["status"]
    # A poll that is broken off when the window is woken is counted, but may not have been sent.
    assert arrived <= summary["calls"]["status"] <= arrived + 4 * len(night.deferred)
    assert set(night.created(echo).values()) == {1}
