"""Runs of a batch: every document once, whatever happened in the runs before."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch.sources import chunk_documents
from airflow_provider_docconv.compat import AirflowFailException, AirflowSkipException
from airflow_provider_docconv.triggers.batch import BatchTrigger
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns, calls
from tests.support.documents import SCAN
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.tasks import SECRET, connect, fire

NAMES = ("a.pptx", "b c.pptx", "sub/a.pptx", "sub/deep/#1 100%?.pptx", "sub/ü.pptx")
RESULTS = {name.replace(".pptx", ".pdf") for name in NAMES}


def test_a_run_and_the_next(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    runs.put(*NAMES)
    summary = runs.run()
    assert {key: summary[key] for key in ("documents", "delivered", "skipped", "rejected", "failed", "unfinished")} == {
        "documents": 5, "delivered": 5, "skipped": 0, "rejected": 0, "failed": 0, "unfinished": 0,
    }  # fmt: skip
    assert runs.results() == RESULTS
    assert all(runs.is_exact(name, name.replace(".pptx", ".pdf")) for name in NAMES)
    assert summary["calls"]["start"] == 5
    assert summary["bytes_out"] == 5 * 2048

    before = calls(echo)
    assert runs.run("run 2")["skipped"] == 5
    assert calls(echo) == before

    runs.put("a.pptx", content=b"changed")
    runs.put("new.pptx")
    summary = runs.run("run 3")
    assert (summary["delivered"], summary["skipped"]) == (2, 4)
    assert runs.is_exact("a.pptx", "a.pdf")
    assert runs.states() == dict.fromkeys(NAMES[1:], "skipped") | {"a.pptx": "delivered", "new.pptx": "delivered"}

    assert runs.run("run 4", full_refresh=True)["delivered"] == 6
    assert runs.run("run 4", full_refresh=True)["delivered"] == 6  # a retry of the same run
    assert set(runs.created(echo).values()) == {2}
    assert runs.run("run 5", options={"slides": [1]})["delivered"] == 6


@pytest.mark.parametrize("deferrable", [False, True])
def test_both_modes_end_alike(deferrable: bool, tmp_path: Path, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "2")
    runs = BatchRuns(tmp_path)
    runs.put(*NAMES)
    runs.put("broken.pptx")
    (tmp_path / "in" / "broken.pptx").write_bytes(b"not a deck")
    with pytest.raises(exceptions.DocumentsFailed) as raised:
        runs.run(deferrable=deferrable, max_in_flight=3)
    assert isinstance(raised.value, AirflowFailException)
    assert "1 of 6 documents were not converted (1 rejected, 0 failed)" in str(raised.value)
    assert runs.results() == RESULTS
    assert runs.states() == dict.fromkeys(NAMES, "delivered") | {"broken.pptx": "rejected"}
    assert echo.stats(details=False)["totals"]["peak_in_flight"] == 3
    assert bool(runs.deferred) is deferrable
    for row in runs.deferred:
        assert set(row) == {
            "operations", "wake_after", "deadline", "poke_interval", "max_poke_interval", "typical",
            "fault_tolerance", "progress",
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
        runs = BatchRuns(folder)
        (folder / "in" / name).write_bytes(content)
        connect(monkeypatch, sandbox.url, conn_type, login="sandbox", password="sandbox-secret")
        assert runs.run()["delivered"] == 1
        (result,) = (folder / "out").glob("*.pdf")
        assert result.read_bytes().startswith(b"%PDF-")
        assert runs.report()[name]["source_sha256"] == hashlib.sha256(content).hexdigest()


def test_names_by_template(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx", "a.ppsx", "sub/a.pptx")
    with pytest.raises(
        exceptions.DocumentsFailed, match=r"2 of 3 documents were not converted \(2 rejected, 0 failed\)"
    ):
        runs.run()
    assert runs.results() == {"sub/a.pdf"}
    assert {name: line["error_type"] for name, line in runs.report().items()} == {
        "a.ppsx": "NamesCollide", "a.pptx": "NamesCollide", "sub/a.pptx": None,
    }  # fmt: skip
    # Nothing was sent of those: only what has the same name is left out, and only as long as it has.
    runs.run(destination=f"{runs.uri}/out/{{folder}}{{stem}}-{{extension}}.{{format}}")
    assert runs.results() == {"a-pptx.pdf", "a-ppsx.pdf", "sub/a-pptx.pdf", "sub/a.pdf"}


def test_formats_and_options_by_document(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx", "b.pptx")
    password = "the-password-of-one-document"
    source = [
        f"{runs.uri}/in/a.pptx",
        {
            "source": f"{runs.uri}/in/*.pptx",
            "target_format": "md",
            "options": {"password": password, "slides": [1]},
        },
    ]
    assert runs.run(source=source, deferrable=True)["delivered"] == 3
    assert runs.results() == {"a.pdf", "a.md", "b.md"}
    assert runs.written().count("a.pptx") > 2
    assert password not in runs.written()
    assert SECRET not in runs.written()


def test_a_plan_sends_nothing(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    runs.put("a.pptx", "b.pptx")
    runs.run()
    runs.put("c.pptx")
    before = calls(echo)
    plan = runs.run("run 2", plan=True)
    assert plan == {
        "documents": 3,
        "plan": {"convert": 1, "resume": 0, "skip": 2, "leave out": 0},
        # The run before took so many polls for each document.
        "estimate": {"pages": 0, "documents_without_pages": 1, "calls": {"start": 1, "status": 1, "result": 1}},
    }
    assert calls(echo) == before
    assert runs.run("run 3")["delivered"] == 1


@pytest.mark.parametrize(
    ("decision", "error"),
    [
        ("skip", AirflowSkipException),
        ("fail", exceptions.NoDocumentsFound),
        ("succeed", None),
    ],
)
def test_a_run_without_documents(
    decision: str, error: type[Exception] | None, tmp_path: Path, service: Callable[..., Sandbox]
) -> None:
    echo = service()
    runs = BatchRuns(tmp_path)
    (tmp_path / "in" / "notes.txt").write_text("Not for this service.")
    (tmp_path / "in" / "~$a.pptx").write_text("Somebody has it open.")
    if error is None:
        summary = runs.run(on_no_documents=decision)
        assert (summary["documents"], summary["left_out"]) == (0, {"txt": 1})
    else:
        with pytest.raises(error, match=r"o document was found in .*/in/; left out: 1 \(txt 1\)"):
            runs.run(on_no_documents=decision)
    assert calls(echo) == 0
    with pytest.raises(exceptions.SourceNotFound, match="No such file or directory"):
        runs.run(source=f"{runs.uri}/nowhere/", on_no_documents=decision)


@pytest.mark.parametrize("next_run", ["run 1", "run 2"])
def test_what_is_under_way_is_picked_up(next_run: str, runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "3")
    runs.put(*NAMES)
    with pytest.raises(exceptions.DeadlineExceeded):
        runs.run(timeout=1)
    assert runs.run(next_run)["delivered"] == 5
    assert set(runs.created(echo).values()) == {1}


def test_chunks_know_of_each_other(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    runs.put(*(f"{number}.pptx" for number in range(7)))

    def all_chunks(run_id: str, size: int) -> list[dict[str, Any]]:
        chunks = chunk_documents(f"{runs.uri}/in/", size)
        return [runs.run(run_id, map_index=index, source=chunk) for index, chunk in enumerate(chunks)]

    assert [each["delivered"] for each in all_chunks("run 1", 3)] == [3, 3, 1]
    runs.put("00.pptx")
    assert sum(each["delivered"] for each in all_chunks("run 2", 2)) == 1
    assert sum(each["delivered"] for each in all_chunks("run 3", 8)) == 0
    assert set(runs.created(echo).values()) == {1}


def test_a_document_that_was_delivered_long_ago_is_known_to_the_chunk_it_moves_to(
    runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    runs.put("a.pptx", "b.pptx")
    now = time.time_ns()
    for number, days in enumerate((0, 60, 120)):
        monkeypatch.setattr(time, "time_ns", lambda days=days: now + days * 86400 * 10**9)
        runs.run(f"run {number}", map_index=0)
    # The chunk that has lost it to another one forgets what has not been listed for 90 days, before that one reads.
    runs.run("run 3", map_index=0, source=f"{runs.uri}/in/a.pptx")
    assert runs.run("run 3", map_index=1, source=f"{runs.uri}/in/b.pptx")["skipped"] == 1
    assert set(runs.created(echo).values()) == {1}


def test_the_summary_is_small(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put(*(f"{'long name ' * 20}{number}.pptx" for number in range(200)))
    assert len(json.dumps(runs.run())) <= 2048


def test_the_worker_is_given_back_while_operations_go_on(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "6")
    runs.put(*(f"{number}.pptx" for number in range(6)))
    summary = runs.run(deferrable=True, max_in_flight=4)
    assert summary["delivered"] == 6
    assert len(runs.deferred) >= 2
    assert [row["wake_after"] for row in runs.deferred[:1]] == [2]
    arrived = echo.stats(details=False)["calls"]["status"]
    # A poll that is broken off is counted, but may not have been sent: in the worker, and when the window is woken.
    assert arrived <= summary["calls"]["status"] <= arrived + 2 * 4 * len(runs.deferred)
    assert set(runs.created(echo).values()) == {1}


def test_a_poll_that_is_sent_again_or_whose_reply_nobody_waits_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: set[str] = set()
    unavailable = iter([Answer(b"", 502)] * 2)

    def answer(seen: Seen) -> Answer:
        arrived.add(seen.path.rpartition("/")[2])
        if "ends" not in seen.path:
            return Answer(fault="hang")
        return next(unavailable, None) or Answer({"status": "Finished" if len(arrived) == 2 else "Started"})

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        event = fire(
            BatchTrigger(
                operations={"docs": {"hangs": 0.0, "ends": 0.0}},
                wake_after=1,
                deadline=time.time() + 600,
                poke_interval=0.01,
                max_poke_interval=0.01,
            )
        )
        assert list(event["succeeded"]["docs"]) == ["ends"]
        assert event["polls"] == {"docs": len(server.calls)}


def test_names_that_look_like_templates_are_only_names(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    names = ("a {{ 1/0 }}.pptx", "{stem}.pptx", "{% raw %}.pptx", "{folder}{name}.pptx", "%s %(x)d.pptx")
    runs.put(*names)
    assert runs.run()["delivered"] == len(names)
    assert runs.results() == {name.replace(".pptx", ".pdf") for name in names}
    assert set(runs.created(echo).values()) == {1}


def test_links_and_pipes_in_a_folder_hold_nothing_up(
    runs: BatchRuns, service: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> None:
    service()
    runs.put("a.pptx", "sub/b.pptx")
    folder = runs.folder / "in"
    os.mkfifo(folder / "pipe.pptx")
    (folder / "dead.pptx").symlink_to(folder / "gone.pptx")
    (folder / "sub" / "loop").symlink_to(folder)
    assert runs.run()["delivered"] == 2
    assert runs.results() == {"a.pdf", "sub/b.pdf"}
    # The source folder itself may be a link.
    linked = tmp_path_factory.mktemp("linked") / "in"
    linked.symlink_to(folder)
    summary = runs.run("run 2", source=f"file://{linked}/", destination=f"{runs.uri}/out2/")
    assert summary["delivered"] == 2
