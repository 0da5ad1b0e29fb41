"""What goes wrong in a night: rejected, tried again or stopped, and nothing paid twice for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_docconv import exceptions
from airflow_provider_docconv import polling as waiting
from airflow_provider_docconv.batch import pipeline as conversion
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.services.catalog import SERVICES
from dev.sandbox import Sandbox
from tests.support.batch_runs import Night, calls
from tests.support.hostile import Answer, Hostile, Seen, dead_url, token
from tests.support.tasks import connect


def test_a_missing_document_fails_alone(night: Night, service: Callable[..., Sandbox]) -> None:
    service()
    night.put("a.pptx")
    source = [f"{night.uri}/in/a.pptx", f"{night.uri}/in/gone.pptx"]
    summary = night.run(source=source, on_document_error="ignore")
    assert (summary["delivered"], summary["rejected"]) == (1, 1)
    assert night.report()["gone.pptx"]["error_type"] == "SourceNotFound"
    night.put("gone.pptx")
    assert night.run("night 2", source=source)["delivered"] == 1


@pytest.mark.parametrize(("tolerated", "fails"), [("fail", True), ("ignore", False), (0.2, False), (0.19, True)])
def test_what_is_tolerated(tolerated: Any, fails: bool, tmp_path: Path, service: Callable[..., Sandbox]) -> None:
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
    any_night: Night, service: Callable[..., Sandbox]
) -> None:
    echo = service()
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
        assert any_night.created(echo)["damaged.ppt"] == created, (run_id, max_tries)
    damaged.write_bytes(b"\xd0\xcf\x11\xe0" + str(damaged).encode())
    assert any_night.run("night 3")["delivered"] == 1


def test_a_used_up_quota_stops_at_once_and_keeps_what_is_done(
    any_night: Night, service: Callable[..., Sandbox]
) -> None:
    echo = service()
    echo.set_quota(3)
    any_night.put(*(f"{number}.pptx" for number in range(9)))
    with pytest.raises(
        exceptions.AccessDenied, match=r"Of 9 documents .* unfinished, then the batch stopped"
    ) as raised:
        any_night.run(max_in_flight=1)
    assert isinstance(raised.value, AirflowFailException)
    assert len(any_night.results()) == 3
    assert echo.stats(details=False)["calls"]["start"] == 4
    echo.set_quota(None)
    assert any_night.run()["delivered"] == 9
    assert set(any_night.created(echo).values()) == {1}


def test_wrong_credentials_stop_before_anything_is_sent(
    sandbox: Any, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox.url, login="nobody")
    night.put("a.pptx", "b.pptx", "c.pptx")
    with pytest.raises(exceptions.AuthenticationFailed, match="Of 3 documents 3 unfinished, then the batch stopped"):
        night.run()


@pytest.mark.parametrize("kind", ["500", "reset", "truncated", "garbage"])
def test_a_lost_reply_is_started_again_and_named(kind: str, night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    echo.lose_next_start(kind)
    night.put("a.pptx", "b.pptx")
    summary = night.run(max_in_flight=1)
    assert (summary["delivered"], summary["lost_replies"]) == (2, 1)
    assert night.created(echo) == {"a.pptx": 2, "b.pptx": 1}
    assert {name: line["lost_replies"] for name, line in night.report().items()} == {"a.pptx": 1, "b.pptx": 0}


def test_or_left_for_a_person(any_night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    echo.lose_next_start()
    any_night.put("a.pptx", "b.pptx")
    for _ in range(2):
        with pytest.raises(exceptions.DocumentsFailed):
            any_night.run(max_in_flight=1, on_lost_reply="fail")
        assert any_night.states() == {"a.pptx": "failed", "b.pptx": "delivered"}
        assert any_night.report()["a.pptx"]["error_type"] == "StartReplyLost"
        assert any_night.created(echo)["a.pptx"] == 1
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


POISON: dict[str, tuple[Answer, type[Exception], str]] = {
    "unavailable": (Answer(b"", 500), exceptions.ServiceUnavailable, "Of 3 documents 2 delivered, 1 unfinished"),
    "refused": (Answer({"message": "Bad."}, 400), exceptions.DocumentsFailed, "1 rejected"),
}


@pytest.mark.parametrize(("poison", "error", "words"), POISON.values(), ids=list(POISON))
def test_an_operation_that_can_not_be_asked_for_stops_no_others(
    poison: Answer, error: type[Exception], words: str, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(f"op-{len(server.calls)}".encode(), 201)
        if seen.path.endswith("/result"):
            return Answer(b"%PDF-1.7 %%EOF")
        # Only the triggerer meets it.
        if night.deferred and seen.path.endswith("op-1"):
            return poison
        polls = sum(call.path == seen.path for call in server.calls)
        return Answer({"status": "Finished" if polls > 6 and not seen.path.endswith("op-1") else "Started"})

    night.put("a.pptx", "b.pptx", "c.pptx")
    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(error, match=words):
            night.run(deferrable=True, fault_tolerance=0.3, poke_interval=0.2, max_poke_interval=0.2)
    assert len(night.results()) == 2


def test_a_secret_that_is_renewed_meanwhile_stops_no_night(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(b"op-1", 201)
        if night.deferred and seen.headers["authorization"] == "Bearer token-1":
            connect(monkeypatch, server.url, password="another-secret")
            return Answer(b"", 401)
        if seen.path.endswith("/result"):
            return Answer(b"%PDF-1.7 %%EOF")
        return Answer({"status": "Finished" if night.deferred else "Started"})

    night.put("a.pptx")
    with Hostile(answer=answer, logins=[token(1), Answer({"error": "invalid_client"}, 400), token(2)]) as server:
        connect(monkeypatch, server.url)
        assert night.run(deferrable=True)["delivered"] == 1


def test_expired_operations_are_started_again(
    any_night: Night, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (conversion, waiting):
        monkeypatch.setattr(module, "YOUNG", 0.5)
    echo = service("--seconds", "600")
    any_night.put("a.pptx", "b.pptx")
    with pytest.raises(exceptions.DeadlineExceeded) as raised:
        any_night.run(timeout=1)
    assert isinstance(raised.value, AirflowSensorTimeout)
    assert "2 of 2 documents were not finished" in str(raised.value)
    assert set(any_night.states().values()) == {"unfinished"}
    echo.process.kill()
    echo.start()  # without a memory of its operations
    echo.wait_until_healthy()
    with pytest.raises(exceptions.DeadlineExceeded):
        any_night.run(timeout=1)
    assert set(any_night.created(echo).values()) == {1}


def test_an_operation_that_is_unknown_for_a_moment_is_not_paid_twice(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.put("a.pptx")
    gone = Answer({"error": {"message": "Operation does not exist"}}, 404)
    done = Answer({"status": "Finished"})
    with Hostile(Answer(b"op-1", 201), gone, gone, done, Answer(b"%PDF-1.7 %%EOF")) as server:
        connect(monkeypatch, server.url)
        assert night.run()["delivered"] == 1
        assert [call.method for call in server.calls] == ["POST", "GET", "GET", "GET", "GET"]


def test_an_unwritable_destination_is_noticed_before_anything_is_sent(
    any_night: Night, service: Callable[..., Sandbox]
) -> None:
    echo = service()
    any_night.put("a.pptx")
    (any_night.folder / "file").write_text("no folder")
    with pytest.raises(exceptions.DestinationUnwritable, match="record"):
        any_night.run(destination=f"{any_night.uri}/file/")
    assert calls(echo) == 0


def test_a_damaged_ledger_stops_before_anything_is_sent(night: Night, service: Callable[..., Sandbox]) -> None:
    echo = service()
    night.put("a.pptx", "b.pptx")
    night.run()
    (ledger,) = (night.folder / "out" / ".docconv" / "ledger").iterdir()
    whole = ledger.read_text()
    ledger.write_text(whole[:-20])
    before = calls(echo)
    with pytest.raises(exceptions.RecordDamaged, match=r"line 3 of .*\.jsonl can't be read"):
        night.run("night 2")
    assert calls(echo) == before
    ledger.write_text(whole)
    assert night.run("night 2")["skipped"] == 2


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
