"""Nights: every document once, whatever happened the nights before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout
from hostile import Answer, Hostile, dead_url
from nights import Night
from stage import SECRET, connect

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch import conversion
from airflow_provider_docconv.batch.sources import chunk_documents
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.services import SERVICES
from workbench.standin import StandIn

NAMES = ("a.pptx", "b c.pptx", "sub/a.pptx", "sub/deep/#1 100%?.pptx", "sub/ü.pptx")
RESULTS = {name.replace(".pptx", ".pdf") for name in NAMES}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "_FIRST_PAUSE", 0.01)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


@pytest.fixture(params=["task state store", "files"])
def any_night(request: pytest.FixtureRequest, tmp_path: Path) -> Night:
    """Make nights of Airflow 3.3 and of those before."""
    return Night(tmp_path, has_store=request.param == "task state store")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StandIn]]:
    """Start stand-ins, and point the connection to the newest."""
    started: list[StandIn] = []

    def start(*options: str) -> StandIn:
        standin = StandIn(tmp_path / f"standin-{len(started)}.log", *options)
        started.append(standin.__enter__())
        standin.wait_until_healthy()
        connect(monkeypatch, standin.url)
        return standin

    yield start
    for each in started:
        each.__exit__(None, None, None)


def calls(standin: StandIn) -> int:
    return sum(standin.stats(sources=False)["calls"].values())


def test_a_night_and_the_next(any_night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    any_night.put(*NAMES)
    summary = any_night.run()
    assert {key: summary[key] for key in ("documents", "delivered", "skipped", "rejected", "failed", "unfinished")} == {
        "documents": 5, "delivered": 5, "skipped": 0, "rejected": 0, "failed": 0, "unfinished": 0,
    }  # fmt: skip
    assert any_night.results() == RESULTS
    assert all(any_night.is_exact(name, name.replace(".pptx", ".pdf")) for name in NAMES)
    assert summary["calls"]["start"] == 5
    assert summary["bytes_out"] == 5 * 2048

    before = calls(standin)
    assert any_night.run("night 2")["skipped"] == 5
    assert calls(standin) == before

    any_night.put("a.pptx", content=b"changed")
    any_night.put("new.pptx")
    summary = any_night.run("night 3")
    assert (summary["delivered"], summary["skipped"]) == (2, 4)
    assert any_night.is_exact("a.pptx", "a.pdf")
    assert any_night.states() == dict.fromkeys(NAMES[1:], "skipped") | {"a.pptx": "delivered", "new.pptx": "delivered"}

    assert any_night.run("night 4", full_refresh=True)["delivered"] == 6
    assert any_night.run("night 4", full_refresh=True)["delivered"] == 6  # a retry of the same night
    assert set(any_night.created(standin).values()) == {2}
    assert any_night.run("night 5", options={"slides": [1]})["delivered"] == 6


@pytest.mark.parametrize("deferrable", [False, True])
def test_both_modes_end_alike(deferrable: bool, tmp_path: Path, service: Callable[..., StandIn]) -> None:
    standin = service("--seconds", "2")
    night = Night(tmp_path)
    night.put(*NAMES)
    night.put("broken.pptx")
    (tmp_path / "in" / "broken.pptx").write_bytes(b"not a deck")
    with pytest.raises(exceptions.DocumentsFailed) as raised:
        night.run(deferrable=deferrable, max_in_flight=3)
    assert isinstance(raised.value, AirflowFailException)
    assert "1 of 6 documents were not converted (1 rejected, 0 failed)" in str(raised.value)
    assert "broken.pptx (the document is no .pptx file" in str(raised.value)
    assert night.results() == RESULTS
    assert night.states() == dict.fromkeys(NAMES, "delivered") | {"broken.pptx": "rejected"}
    assert standin.stats(sources=False)["operations"]["peak_in_flight"] == 3
    assert bool(night.deferred) is deferrable
    for row in night.deferred:
        assert set(row) == {
            "conn_id", "operations", "wake_after", "deadline", "poll_interval", "max_poll_interval", "typical",
            "fault_tolerance",
        }  # fmt: skip


def test_the_services_of_all_vendors_convert(sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench import authoring

    scan = Path(__file__).parent.parent / "data" / "project_scan.djvu"
    contents = {
        "aspose_slides": ("deck.pptx", authoring.deck(2, "Two slides")),
        "groupdocs_conversion": ("letter.docx", authoring.letter("A letter.", "A letter")),
        "aspose_ocr": ("scan.djvu", scan.read_bytes()),
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


def test_names_by_template(night: Night, service: Callable[..., StandIn]) -> None:
    service()
    night.put("a.pptx", "a.ppsx", "sub/a.pptx")
    with pytest.raises(exceptions.NamesCollide, match=r"a\.ppsx and .*a\.pptx would both be stored as .*out/a\.pdf"):
        night.run()
    assert not night.results()
    night.run(destination=f"{night.uri}/out/{{folder}}{{stem}}-{{extension}}.{{format}}")
    assert night.results() == {"a-pptx.pdf", "a-ppsx.pdf", "sub/a-pptx.pdf"}


def test_formats_and_options_by_document(any_night: Night, service: Callable[..., StandIn]) -> None:
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


def test_a_plan_sends_nothing(night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    night.put("a.pptx", "b.pptx")
    night.run()
    night.put("c.pptx")
    before = calls(standin)
    plan = night.run("night 2", plan=True)
    assert plan == {"documents": 3, "plan": {"convert": 1, "go on with": 0, "skip": 2, "leave out": 0}}
    assert calls(standin) == before
    assert night.run("night 3")["delivered"] == 1


def test_a_night_without_documents(night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    assert night.run()["documents"] == 0
    assert calls(standin) == 0
    with pytest.raises(exceptions.SourceNotFound, match="the folder does not exist"):
        night.run(source=f"{night.uri}/nowhere/")


def test_a_missing_document_fails_alone(night: Night, service: Callable[..., StandIn]) -> None:
    service()
    night.put("a.pptx")
    source = [f"{night.uri}/in/a.pptx", f"{night.uri}/in/gone.pptx"]
    summary = night.run(source=source, on_document_error="ignore")
    assert (summary["delivered"], summary["rejected"]) == (1, 1)
    assert night.report()["gone.pptx"]["error_type"] == "SourceNotFound"
    night.put("gone.pptx")
    assert night.run("night 2", source=source)["delivered"] == 1


@pytest.mark.parametrize(("tolerated", "fails"), [("fail", True), ("ignore", False), (0.2, False), (0.19, True)])
def test_what_is_tolerated(tolerated: Any, fails: bool, tmp_path: Path, service: Callable[..., StandIn]) -> None:
    service()
    night = Night(tmp_path)
    night.put("a.pptx", "b.pptx", "c.pptx", "d.pptx")
    (tmp_path / "in" / "empty.pptx").write_bytes(b"")
    if fails:
        with pytest.raises(exceptions.DocumentsFailed):
            night.run(on_document_error=tolerated)
    else:
        assert night.run(on_document_error=tolerated)["rejected"] == 1
    assert len(night.results()) == 4


def test_a_refused_document_is_not_paid_again_until_it_changes_or_a_person_clears(
    any_night: Night, service: Callable[..., StandIn]
) -> None:
    standin = service()
    any_night.put("a.pptx")
    damaged = any_night.folder / "in" / "damaged.ppt"
    damaged.write_bytes(b"DAMAGED" + str(damaged).encode())
    ignoring = {"on_document_error": "ignore"}
    assert any_night.run(**ignoring)["rejected"] == 1
    line = any_night.report()["damaged.ppt"]
    assert line["error_type"] == "ConversionFailed"
    assert "it is sent again when it has changed" in line["remedy"]
    for run_id, max_tries, created in [("night 1", 2, 1), ("night 2", 2, 1), ("night 2", 5, 1), ("night 1", 5, 2)]:
        assert any_night.run(run_id, max_tries, **ignoring)["rejected"] == 1
        assert any_night.created(standin)["damaged.ppt"] == created, (run_id, max_tries)
    damaged.write_bytes(b"\xd0\xcf\x11\xe0" + str(damaged).encode())
    assert any_night.run("night 3")["delivered"] == 1


def test_a_used_up_quota_stops_at_once_and_keeps_what_is_done(
    any_night: Night, service: Callable[..., StandIn]
) -> None:
    standin = service()
    standin.set_quota(3)
    any_night.put(*(f"{number}.pptx" for number in range(9)))
    with pytest.raises(
        exceptions.AccessDenied, match=r"Of 9 documents .* unfinished, then the batch stopped"
    ) as raised:
        any_night.run(max_in_flight=1)
    assert isinstance(raised.value, AirflowFailException)
    assert len(any_night.results()) == 3
    assert standin.stats(sources=False)["calls"]["start"] == 4
    standin.set_quota(None)
    assert any_night.run()["delivered"] == 9
    assert set(any_night.created(standin).values()) == {1}


def test_wrong_credentials_stop_before_anything_is_sent(
    sandbox: Any, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox.url, login="nobody")
    night.put("a.pptx", "b.pptx", "c.pptx")
    with pytest.raises(exceptions.AuthenticationFailed, match="Of 3 documents 3 unfinished, then the batch stopped"):
        night.run()


@pytest.mark.parametrize("kind", ["500", "reset", "truncated", "garbage"])
def test_a_lost_reply_is_started_again_and_named(kind: str, night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    standin.lose_next_start(kind)
    night.put("a.pptx", "b.pptx")
    summary = night.run(max_in_flight=1)
    assert (summary["delivered"], summary["lost_replies"]) == (2, 1)
    assert night.created(standin) == {"a.pptx": 2, "b.pptx": 1}
    assert {name: line["lost_replies"] for name, line in night.report().items()} == {"a.pptx": 1, "b.pptx": 0}


def test_or_left_for_a_person(any_night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    standin.lose_next_start()
    any_night.put("a.pptx", "b.pptx")
    for _ in range(2):
        with pytest.raises(exceptions.DocumentsFailed):
            any_night.run(max_in_flight=1, on_lost_reply="fail")
        assert any_night.states() == {"a.pptx": "failed", "b.pptx": "delivered"}
        assert any_night.report()["a.pptx"]["error_type"] == "StartReplyLost"
        assert any_night.created(standin)["a.pptx"] == 1
    summary = any_night.run(max_tries=5, on_lost_reply="fail")
    assert summary["delivered"] == 2
    assert any_night.report()["a.pptx"]["lost_replies"] == 1


def test_lost_replies_without_end_are_given_up(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.put("a.pptx")
    with Hostile(Answer(fault="close")) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DocumentsFailed):
            night.run()
        assert len(server.calls) == 3
    assert (night.states(), night.report()["a.pptx"]["lost_replies"]) == ({"a.pptx": "failed"}, 3)


def test_a_service_out_of_reach_stops_the_batch(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.put("a.pptx", "b.pptx")
    connect(monkeypatch, dead_url())
    with pytest.raises(exceptions.ServiceUnavailable, match="Of 2 documents 2 unfinished, then the batch") as raised:
        night.run(fault_tolerance=0.1)
    assert not isinstance(raised.value, AirflowFailException)  # so that Airflow tries again


def test_expired_operations_are_started_again(
    any_night: Night, service: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_YOUNG", 0.5)
    standin = service("--seconds", "600")
    any_night.put("a.pptx", "b.pptx")
    with pytest.raises(exceptions.DeadlineExceeded) as raised:
        any_night.run(timeout=1)
    assert isinstance(raised.value, AirflowSensorTimeout)
    assert "2 of 2 documents were not finished" in str(raised.value)
    assert set(any_night.states().values()) == {"unfinished"}
    standin.process.kill()
    standin.start()  # without a memory of its operations
    standin.wait_until_healthy()
    with pytest.raises(exceptions.DeadlineExceeded):
        any_night.run(timeout=1)
    assert set(any_night.created(standin).values()) == {1}


def test_an_operation_that_is_unknown_for_a_moment_is_not_paid_twice(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.put("a.pptx")
    gone = Answer({"error": {"message": "Operation does not exist"}}, 404)
    done = Answer({"status": "Finished"})
    with Hostile(Answer(b"op-1", 201), gone, gone, done, Answer(b"%PDF-1.7")) as server:
        connect(monkeypatch, server.url)
        assert night.run()["delivered"] == 1
        assert [call.method for call in server.calls] == ["POST", "GET", "GET", "GET", "GET"]


@pytest.mark.parametrize("next_run", ["night 1", "night 2"])
def test_what_is_under_way_is_picked_up(next_run: str, any_night: Night, service: Callable[..., StandIn]) -> None:
    standin = service("--seconds", "3")
    any_night.put(*NAMES)
    with pytest.raises(exceptions.DeadlineExceeded):
        any_night.run(timeout=1)
    assert any_night.run(next_run)["delivered"] == 5
    assert set(any_night.created(standin).values()) == {1}


def test_an_unwritable_destination_is_noticed_before_anything_is_sent(
    any_night: Night, service: Callable[..., StandIn]
) -> None:
    standin = service()
    any_night.put("a.pptx")
    (any_night.folder / "file").write_text("no folder")
    with pytest.raises(exceptions.DestinationUnwritable, match="record"):
        any_night.run(destination=f"{any_night.uri}/file/")
    assert calls(standin) == 0


def test_a_damaged_ledger_stops_before_anything_is_sent(night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    night.put("a.pptx", "b.pptx")
    night.run()
    (ledger,) = (night.folder / "out" / ".docconv" / "ledger").iterdir()
    whole = ledger.read_text()
    ledger.write_text(whole[:-20])
    before = calls(standin)
    with pytest.raises(exceptions.LedgerDamaged, match=r"line 3 of .*\.jsonl can't be read"):
        night.run("night 2")
    assert calls(standin) == before
    ledger.write_text(whole)
    assert night.run("night 2")["skipped"] == 2


def test_chunks_know_of_each_other(night: Night, service: Callable[..., StandIn]) -> None:
    standin = service()
    night.put(*(f"{number}.pptx" for number in range(7)))

    def all_chunks(run_id: str, size: int) -> list[dict[str, Any]]:
        chunks = chunk_documents(f"{night.uri}/in/", size)
        return [night.run(run_id, map_index=index, source=chunk) for index, chunk in enumerate(chunks)]

    assert [each["delivered"] for each in all_chunks("night 1", 3)] == [3, 3, 1]
    night.put("00.pptx")
    assert sum(each["delivered"] for each in all_chunks("night 2", 2)) == 1
    assert sum(each["delivered"] for each in all_chunks("night 3", 8)) == 0
    assert set(night.created(standin).values()) == {1}


def test_the_summary_is_small(night: Night, service: Callable[..., StandIn]) -> None:
    service()
    night.put(*(f"{'long name ' * 20}{number}.pptx" for number in range(200)))
    assert len(json.dumps(night.run())) <= 2048


def test_the_worker_is_given_back_while_operations_go_on(night: Night, service: Callable[..., StandIn]) -> None:
    standin = service("--seconds", "6")
    night.put(*(f"{number}.pptx" for number in range(6)))
    summary = night.run(deferrable=True, max_in_flight=4)
    assert summary["delivered"] == 6
    assert len(night.deferred) >= 2
    assert [row["wake_after"] for row in night.deferred[:1]] == [2]
    assert summary["calls"]["status"] == standin.stats(sources=False)["calls"]["status"]
    assert set(night.created(standin).values()) == {1}


@pytest.mark.parametrize("conn_type", SERVICES)
def test_hopeless_options_are_refused_before_anything_is_listed(
    conn_type: str, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "http://127.0.0.1:1", conn_type)
    night.put("a.pptx")
    with pytest.raises(exceptions.InvalidOptions, match="has no option 'colour'"):
        night.run(options={"colour": "blue"})
    assert not os.path.exists(night.folder / "out")


@pytest.mark.parametrize(
    "values",
    [
        {"on_document_error": "maybe"}, {"on_document_error": 1.5}, {"on_lost_reply": "again"},
        {"max_in_flight": 0}, {"max_in_flight": 1001}, {"max_transfers": 0},
    ],
)  # fmt: skip
def test_senseless_values_are_refused_when_the_dag_is_parsed(values: dict[str, Any]) -> None:
    fields = {"task_id": "t", "source": "s", "target_format": "pdf", "conn_id": "docs", "destination": "d/"}
    with pytest.raises(ValueError, match=next(iter(values))):
        ConvertDocumentsOperator(**fields, **values)
