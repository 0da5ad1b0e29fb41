"""What goes wrong in a runs: rejected, tried again or stopped, and nothing paid twice for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch import record as record_module
from airflow_provider_docconv.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.services.catalog import SERVICES
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns, calls
from tests.support.hostile import Answer, Hostile, Seen, dead_url, token
from tests.support.tasks import connect


def test_a_missing_document_fails_alone(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx")
    source = [f"{runs.uri}/in/a.pptx", f"{runs.uri}/in/gone.pptx"]
    summary = runs.run(source=source, on_document_error="ignore")
    assert (summary["delivered"], summary["rejected"]) == (1, 1)
    assert runs.report()["gone.pptx"]["error_type"] == "SourceNotFound"
    runs.put("gone.pptx")
    assert runs.run("run 2", source=source)["delivered"] == 1


@pytest.mark.parametrize(("tolerated", "fails"), [("fail", True), ("ignore", False), (0.2, False), (0.19, True)])
def test_what_is_tolerated(tolerated: Any, fails: bool, tmp_path: Path, service: Callable[..., Sandbox]) -> None:
    service()
    runs = BatchRuns(tmp_path)
    runs.put("a.pptx", "b.pptx", "c.pptx", "d.pptx")
    (tmp_path / "in" / "empty.pptx").write_bytes(b"")
    if fails:
        with pytest.raises(exceptions.DocumentsFailed):
            runs.run(on_document_error=tolerated)
    else:
        assert runs.run(on_document_error=tolerated)["rejected"] == 1
    assert len(runs.results()) == 4


def test_a_refused_document_is_not_paid_again_until_it_changes_or_a_person_clears(
    runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    echo = service()
    runs.put("a.pptx")
    damaged = runs.folder / "in" / "damaged.ppt"
    damaged.write_bytes(b"DAMAGED" + str(damaged).encode())
    ignoring = {"on_document_error": "ignore"}
    assert runs.run(**ignoring)["rejected"] == 1
    line = runs.report()["damaged.ppt"]
    assert line["error_type"] == "ConversionFailed"
    assert "it is sent again once it has changed" in line["remedy"]
    for run_id, max_tries, created in [("run 1", 2, 1), ("run 2", 2, 1), ("run 2", 5, 1), ("run 1", 5, 2)]:
        assert runs.run(run_id, max_tries, **ignoring)["rejected"] == 1
        assert runs.created(echo)["damaged.ppt"] == created, (run_id, max_tries)
    damaged.write_bytes(b"\xd0\xcf\x11\xe0" + str(damaged).encode())
    assert runs.run("run 3")["delivered"] == 1


def test_a_used_up_quota_stops_at_once_and_keeps_what_is_done(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    echo.set_quota(3)
    runs.put(*(f"{number}.pptx" for number in range(9)))
    with pytest.raises(
        exceptions.AccessDenied, match=r"Of 9 documents .* unfinished, then the batch stopped"
    ) as raised:
        runs.run(max_in_flight=1)
    assert isinstance(raised.value, AirflowFailException)
    assert len(runs.results()) == 3
    assert echo.stats(details=False)["calls"]["start"] == 4
    echo.set_quota(None)
    assert runs.run()["delivered"] == 9
    assert set(runs.created(echo).values()) == {1}


def test_wrong_credentials_stop_before_anything_is_sent(
    sandbox: Any, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox.url, login="nobody")
    runs.put("a.pptx", "b.pptx", "c.pptx")
    with pytest.raises(exceptions.AuthenticationFailed, match="Of 3 documents 3 unfinished, then the batch stopped"):
        runs.run()


@pytest.mark.parametrize("kind", ["500", "reset", "truncated", "garbage"])
def test_a_lost_reply_is_started_again_and_named(kind: str, runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    echo.lose_next_start(kind)
    runs.put("a.pptx", "b.pptx")
    summary = runs.run(max_in_flight=1)
    assert (summary["delivered"], summary["lost_replies"]) == (2, 1)
    assert runs.created(echo) == {"a.pptx": 2, "b.pptx": 1}
    assert {name: line["lost_replies"] for name, line in runs.report().items()} == {"a.pptx": 1, "b.pptx": 0}


def test_or_left_for_a_person(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service()
    echo.lose_next_start()
    runs.put("a.pptx", "b.pptx")
    for _ in range(2):
        with pytest.raises(exceptions.DocumentsFailed):
            runs.run(max_in_flight=1, on_lost_reply="fail")
        assert runs.states() == {"a.pptx": "failed", "b.pptx": "delivered"}
        assert runs.report()["a.pptx"]["error_type"] == "StartReplyLost"
        assert runs.created(echo)["a.pptx"] == 1
    summary = runs.run(max_tries=5, on_lost_reply="fail")
    assert summary["delivered"] == 2
    assert runs.report()["a.pptx"]["lost_replies"] == 1


def test_lost_replies_without_end_are_given_up(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.put("a.pptx")
    with Hostile(Answer(fault="close")) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DocumentsFailed):
            runs.run()
        assert len(server.calls) == 3
    assert (runs.states(), runs.report()["a.pptx"]["lost_replies"]) == ({"a.pptx": "failed"}, 3)


def test_a_service_out_of_reach_stops_the_batch(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.put("a.pptx", "b.pptx")
    connect(monkeypatch, dead_url())
    with pytest.raises(exceptions.ServiceUnavailable, match="Of 2 documents 2 unfinished, then the batch") as raised:
        runs.run(fault_tolerance=0.1)
    assert not isinstance(raised.value, AirflowFailException)  # so that Airflow tries again


POISON: dict[str, tuple[Answer, type[Exception]]] = {
    "unavailable": (Answer(b"", 500), exceptions.ServiceUnavailable),
    "refused": (Answer({"message": "Bad."}, 400), exceptions.UnexpectedReply),
}


@pytest.mark.parametrize(("poison", "error"), POISON.values(), ids=list(POISON))
def test_an_operation_that_can_not_be_asked_for_stops_no_others(
    poison: Answer, error: type[Exception], runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(f"op-{len(server.calls)}".encode(), 201)
        if seen.path.endswith("/result"):
            return Answer(b"%PDF-1.7 %%EOF")
        # Only the triggerer meets it.
        if runs.deferred and seen.path.endswith("op-1"):
            return poison
        polls = sum(call.path == seen.path for call in server.calls)
        return Answer({"status": "Finished" if polls > 6 and not seen.path.endswith("op-1") else "Started"})

    runs.put("a.pptx", "b.pptx", "c.pptx")
    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(error, match="Of 3 documents 2 delivered, 1 unfinished"):
            runs.run(deferrable=True, fault_tolerance=0.3, poke_interval=0.2, max_poke_interval=0.2)
    assert len(runs.results()) == 2


def test_a_secret_that_is_renewed_meanwhile_stops_no_run(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(b"op-1", 201)
        if runs.deferred and seen.headers["authorization"] == "Bearer token-1":
            connect(monkeypatch, server.url, password="another-secret")
            return Answer(b"", 401)
        if seen.path.endswith("/result"):
            return Answer(b"%PDF-1.7 %%EOF")
        return Answer({"status": "Finished" if runs.deferred else "Started"})

    runs.put("a.pptx")
    with Hostile(answer=answer, logins=[token(1), Answer({"error": "invalid_client"}, 400), token(2)]) as server:
        connect(monkeypatch, server.url)
        assert runs.run(deferrable=True)["delivered"] == 1


def test_expired_operations_are_started_again(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    echo = service("--seconds", "600")
    runs.put("a.pptx", "b.pptx")
    with pytest.raises(exceptions.DeadlineExceeded) as raised:
        runs.run(timeout=3)
    assert isinstance(raised.value, AirflowSensorTimeout)
    assert "2 of 2 documents were not finished" in str(raised.value)
    assert set(runs.states().values()) == {"started"}
    echo.process.kill()
    echo.start()  # without a memory of its operations
    echo.wait_until_healthy()
    with pytest.raises(exceptions.DeadlineExceeded):
        runs.run(timeout=3)
    assert set(runs.created(echo).values()) == {1}


def test_an_operation_that_is_unknown_for_a_moment_is_not_paid_twice(
    runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.put("a.pptx")
    gone = Answer({"error": {"message": "Operation does not exist"}}, 404)
    done = Answer({"status": "Finished"})
    with Hostile(Answer(b"op-1", 201), gone, gone, done, Answer(b"%PDF-1.7 %%EOF")) as server:
        connect(monkeypatch, server.url)
        assert runs.run()["delivered"] == 1
        assert [call.method for call in server.calls] == ["POST", "GET", "GET", "GET", "GET"]


def test_an_unwritable_destination_is_noticed_before_anything_is_sent(
    runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    echo = service()
    runs.put("a.pptx")
    (runs.folder / "file").write_text("no folder")
    with pytest.raises(exceptions.DestinationUnwritable, match="record"):
        runs.run(destination=f"{runs.uri}/file/")
    assert calls(echo) == 0


def test_a_damaged_record_stops_before_anything_is_sent(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    sandbox = service()
    runs.put("a.pptx", "b.pptx")
    runs.run()
    (fold,) = (path for path in (runs.folder / "out" / ".docconv" / "record").rglob("*") if path.is_file())
    whole = fold.read_text()
    fold.write_text(whole[:-20])
    before = calls(sandbox)
    with pytest.raises(exceptions.RecordDamaged, match=r"could not read line 3 of .*\.jsonl"):
        runs.run("run 2")
    assert calls(sandbox) == before
    fold.write_text(whole)
    assert runs.run("run 2")["skipped"] == 2


class FailingWrites:
    """Lets the first write of an entry in a given state fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
        self.failed = 0
        writing = record_module.writing

        @contextmanager
        def writing_or_failing(path: Any) -> Iterator[Any]:
            with writing(path) as file:
                lines = BytesIO()
                yield lines
                if not self.failed and f'"state":"{state}"'.encode() in lines.getvalue():
                    self.failed += 1
                    raise PermissionError("the store does not take it")
                file.write(lines.getvalue())

        monkeypatch.setattr(record_module, "writing", writing_or_failing)


def test_an_operation_whose_id_could_not_be_recorded_at_once_is_not_paid_twice(
    runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    runs.put("a.pptx")
    writes = FailingWrites(monkeypatch, "started")
    summary = runs.run()
    assert writes.failed == 1
    assert (summary["delivered"], summary["lost_replies"]) == (1, 0)
    assert runs.created(echo) == {"a.pptx": 1}
    assert runs.run("run 2")["skipped"] == 1


def test_what_was_not_sent_because_it_could_not_be_recorded_is_not_a_lost_reply(
    runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    runs.put("a.pptx")
    writes = FailingWrites(monkeypatch, "sent")
    summary = runs.run(on_lost_reply="fail")
    assert writes.failed == 1
    assert (summary["delivered"], summary["lost_replies"]) == (1, 0)
    assert runs.report()["a.pptx"]["attempts"] == 1
    assert runs.created(echo) == {"a.pptx": 1}


@pytest.mark.parametrize(("policy", "starts"), [("fail", 1), ("start_again", 3)])
def test_an_unexpected_error_after_a_start_was_sent_is_a_lost_reply(
    policy: str, starts: int, runs: BatchRuns, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    runs.put("a.pptx")
    start = DocConvHook.start

    def start_and_break(*given: Any) -> Any:
        start(*given)
        raise RuntimeError("a bug")

    monkeypatch.setattr(DocConvHook, "start", start_and_break)
    with pytest.raises(exceptions.DocumentsFailed):
        runs.run(on_lost_reply=policy)
    assert runs.created(echo) == {"a.pptx": starts}
    assert runs.report()["a.pptx"]["lost_replies"] == starts


@pytest.mark.parametrize("conn_type", SERVICES)
def test_hopeless_options_are_refused_before_anything_is_listed(
    conn_type: str, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "http://127.0.0.1:1", conn_type)
    runs.put("a.pptx")
    with pytest.raises(exceptions.InvalidOptions, match="has no option 'colour'"):
        runs.run(options={"colour": "blue"}, target_format="md" if conn_type == "docling_serve" else "pdf")
    assert not os.path.exists(runs.folder / "out")


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
