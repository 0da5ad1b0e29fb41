"""Starts: once, whatever happens to the task, and again only if somebody wants that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowException, AirflowFailException
from airflow_provider_docconv.operators.docconv import StartConversionOperator
from airflow_provider_docconv.services.options import fingerprint
from docconv_sandbox import Sandbox
from tests.support.documents import SCAN
from tests.support.hostile import Answer, Hostile, Seen
from tests.support.replies import own_error
from tests.support.tasks import SECRET, Store, connect, context

MakeContext = Callable[..., Any]


@pytest.fixture(params=["task state store", "files"])
def try_of(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeContext:
    """Make the contexts of one task's tries, on Airflow 3.3 and before."""
    monkeypatch.setenv("AIRFLOW__DOCCONV__TASK_STATE_PATH", f"file://{tmp_path}/task_state")
    store = Store() if request.param == "task state store" else None
    return lambda **ti: context(store, **ti)


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """A service whose conversions go on for longer than any test."""
    with Sandbox(engine="wheels", seconds_per_page=60, client_id="my-client", client_secret=SECRET) as running:
        yield running


def starting(source: str, **values: Any) -> StartConversionOperator:
    return StartConversionOperator(
        **{"task_id": "t", "source": source, "target_format": "pdf", "conn_id": "docs", **values}
    )


def starts(sandbox: Sandbox) -> int:
    calls = sandbox.stats()["methods"]
    return sum(calls.get(call, 0) for call in ("slides.convert", "groupdocs.convert", "ocr.start"))


@pytest.mark.parametrize("conn_type", ["aspose_slides", "groupdocs_conversion", "aspose_ocr"])
def test_a_retry_goes_on_with_what_was_started(
    conn_type: str, deck: str, slow: Sandbox, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, slow.url, conn_type)
    source = SCAN.as_uri() if conn_type == "aspose_ocr" else deck
    tries = [try_of() for _ in range(3)]
    ids = {starting(source).execute(each) for each in tries}
    sent = hashlib.sha256(Path(source.removeprefix("file://")).read_bytes()).hexdigest()
    assert [each["ti"].own_xcoms for each in tries] == [{"source_sha256": sent}] * 3
    assert len(ids) == 1
    assert starts(slow) == 1


@pytest.mark.parametrize(("conn_type", "cancels"), [("aspose_slides", 0), ("aspose_ocr", 1)])
def test_a_clear_starts_anew_and_cancels_where_that_is_possible(
    conn_type: str, cancels: int, deck: str, slow: Sandbox, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, slow.url, conn_type)
    source = SCAN.as_uri() if conn_type == "aspose_ocr" else deck
    first = starting(source).execute(try_of(max_tries=2))
    second = starting(source).execute(try_of(max_tries=5))
    assert second != first
    assert starting(source).execute(try_of(max_tries=5)) == second
    assert starts(slow) == 2
    assert slow.stats()["calls"]["cancel"] == cancels
    running = {operation["id"] for operation in slow.stats()["operations"]}
    assert running == ({second} if cancels else {first, second})


def test_a_cancel_that_fails_does_not_stop_the_new_start(try_of: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(f"op-{len(server.calls)}".encode())
        return Answer(b"", 500) if seen.method == "DELETE" else Answer({"taskStatus": "Processing"})

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url, "aspose_ocr")
        assert starting(SCAN.as_uri()).execute(try_of(max_tries=0)) == "op-1"
        assert starting(SCAN.as_uri()).execute(try_of(max_tries=1)) == "op-7"
        assert [call.method for call in server.calls] == ["POST", "GET", *["DELETE"] * 4, "POST"]


@pytest.mark.parametrize(
    "changed", [{"options": {"slides": [1]}}, {"target_format": "odp"}, {"conn_id": "others"}, {"source": "content"}]
)
def test_another_conversion_is_another_start(
    changed: dict[str, Any], deck: str, tmp_path: Path, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(answer=lambda _: Answer(f"op-{len(server.calls)}".encode(), 201)) as server:
        connect(monkeypatch, server.url)
        connect(monkeypatch, server.url, conn_id="others")
        assert starting(deck).execute(try_of()) == "op-1"
        if changed == {"source": "content"}:
            (tmp_path / "my deck.pptx").write_bytes(b"PK\x03\x04 rewritten")
            changed = {}
        assert starting(deck, **changed).execute(try_of()) == "op-2"
        assert [call.method for call in server.calls] == ["POST", "POST"]


@pytest.mark.parametrize("options", [{"password": "{}"}, {"loadOptions": {"Password": "{}", "Format": "pptx"}}])
def test_a_password_is_no_part_of_what_is_written_down(
    options: dict[str, Any], deck: str, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Answer({"uploaded": ["a"]}), Answer(b"op-1"), Answer({"status": "Started"})]
    with Hostile(*answers) as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        for password in ("one", "two"):
            given = json.loads(json.dumps(options).replace("{}", password))
            assert starting(deck, options=given).execute(try_of()) == "op-1"
        assert [call.method for call in server.calls] == ["PUT", "POST", "GET"]


def test_mapped_tasks_and_other_runs_have_records_of_their_own(
    deck: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DOCCONV__TASK_STATE_PATH", f"file://{tmp_path}/task_state")
    with Hostile(answer=lambda _: Answer(f"op-{len(server.calls)}".encode(), 201)) as server:
        connect(monkeypatch, server.url)
        others = [{}, {"map_index": 1}, {"run_id": "../../x"}, {"task_id": "u"}, {"dag_id": "e"}]
        assert len({starting(deck).execute(context(**other)) for other in others}) == 5
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pptx"]
    assert len(kept) == 5
    assert all(path.is_relative_to(tmp_path / "task_state") for path in kept)


def test_an_operation_that_expired_is_started_anew(
    deck: str, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Answer({"error": {"message": "Operation does not exist"}}, 404)
    with Hostile(Answer(b"op-1", 201), gone, gone, Answer(b"op-2", 201), Answer({"status": "Started"})) as server:
        connect(monkeypatch, server.url)
        assert [starting(deck).execute(try_of()) for _ in range(3)] == ["op-1", "op-2", "op-2"]


def test_a_service_out_of_order_does_not_start_twice(
    deck: str, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(b"op-1", 201), Answer(b"", 502)) as server:
        connect(monkeypatch, server.url)
        starting(deck).execute(try_of())
        with pytest.raises(exceptions.ServiceUnavailable) as raised:
            starting(deck).execute(try_of())
        assert [call.method for call in server.calls] == ["POST", *["GET"] * 4]
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize(("policy", "again"), [("fail", False), ("start_again", True)])
def test_a_lost_reply_is_a_matter_of_policy(
    policy: Any, again: bool, deck: str, try_of: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(Answer(fault="close"), Answer(b"op-2", 201)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.StartReplyLost) as raised:
            starting(deck, on_lost_reply=policy).execute(try_of())
        assert isinstance(raised.value, AirflowException)
        assert isinstance(raised.value, AirflowFailException) is not again
        assert "on_lost_reply" in str(raised.value)
        if again:
            assert starting(deck, on_lost_reply=policy).execute(try_of()) == "op-2"
        else:
            with pytest.raises(exceptions.StartReplyLost, match="an earlier try sent a start"):
                starting(deck, on_lost_reply=policy).execute(try_of())
        assert len(server.calls) == 1 + again
        # Whoever clears the task has decided.
        assert starting(deck, on_lost_reply=policy).execute(try_of(max_tries=9)) == "op-2"


def test_the_start_is_written_down_before_it_is_sent(deck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, at_arrival = Store(), []

    def answer(_: Seen) -> Answer:
        at_arrival.append(dict(store.rows))
        return Answer(b"op-1", 201)

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        starting(deck, options={"password": "the-password"}).execute(context(store))
    [[row]] = [rows.values() for rows in at_arrival]
    assert '"operation_id": null' in row
    [row] = store.rows.values()
    assert '"operation_id": "op-1"' in row
    assert "the-password" not in row
    assert "deck" not in row


REFUSALS: list[tuple[Answer, type[exceptions.DocConvError], bool]] = [
    (Answer(own_error("aspose_slides", 400), 400), exceptions.DocumentRejected, False),
    (Answer(own_error("aspose_slides", 402), 402), exceptions.AccessDenied, False),
    (Answer(own_error("aspose_slides", 401), 401), exceptions.AuthenticationFailed, False),
    (Answer({"message": "Busy."}, 429, {"Retry-After": "600"}), exceptions.ServiceUnavailable, True),
    (Answer({"message": "Busy."}, 503), exceptions.ServiceUnavailable, True),
]


@pytest.mark.parametrize(("answer", "kind", "retried"), REFUSALS)
def test_a_refused_start_has_not_begun(
    answer: Answer,
    kind: type[exceptions.DocConvError],
    retried: bool,
    deck: str,
    try_of: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Hostile(answer) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(kind) as raised:
            starting(deck).execute(try_of())
    assert isinstance(raised.value, AirflowFailException) is not retried
    assert isinstance(raised.value, AirflowException)
    with Hostile(Answer(b"op-1", 201)) as server:
        connect(monkeypatch, server.url)
        assert starting(deck).execute(try_of()) == "op-1"


#: What an earlier try has written down beside the same fingerprint, and what this try (``max_tries=2``) does.
EARLIER: list[tuple[dict[str, Any], str]] = [
    ({"max_tries": 2, "operation_id": "op-0"}, "resume"),
    ({"max_tries": 2, "operation_id": None}, "reply lost"),
    ({"max_tries": 5, "operation_id": "op-0"}, "start"),
    ({"max_tries": 5, "operation_id": None}, "start"),
    ({"max_tries": 2, "operation_id": "op-0", "fingerprint": "another"}, "start"),
    ({"max_tries": 2, "operation_id": None, "fingerprint": "another"}, "start"),
    ({}, "start"),
]


@pytest.mark.parametrize(("earlier", "outcome"), EARLIER)
def test_what_a_try_does_about_an_earlier_one(
    earlier: dict[str, Any], outcome: str, deck: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()

    def answer(seen: Seen) -> Answer:
        return Answer(b"op-1", 201) if seen.method == "POST" else Answer({"status": "Started"})

    with Hostile(answer=answer) as server:
        connect(monkeypatch, server.url)
        starting(deck).execute(context(store, max_tries=2))
        store.set("docconv_start", {**store.get("docconv_start"), **earlier} if earlier else None)
        sent = len(server.calls)
        if outcome == "reply lost":
            with pytest.raises(exceptions.StartReplyLost):
                starting(deck).execute(context(store, max_tries=2))
        else:
            operation_id = starting(deck).execute(context(store, max_tries=2))
            assert operation_id == {"resume": "op-0", "start": "op-1"}[outcome]
        assert [call.method for call in server.calls[sent:]].count("POST") == (outcome == "start")


def test_fingerprints_tell_conversions_apart() -> None:
    assert fingerprint(a=1, b={"c": 2, "d": 3}) == fingerprint(b={"d": 3, "c": 2}, a=1)
    assert len({fingerprint(a=1), fingerprint(a="1"), fingerprint(b=1), fingerprint(a=[1])}) == 4


@pytest.mark.parametrize("row", [None, "x", 7, [], {}, {"fingerprint": None, "max_tries": None}])
def test_a_record_that_is_none_is_a_new_start(row: Any, deck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.set("docconv_start", row)
    with Hostile(Answer(b"op-1", 201)) as server:
        connect(monkeypatch, server.url)
        assert starting(deck).execute(context(store)) == "op-1"


def test_stored_documents_are_started_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer(b"op-1", 201)) as server:
        connect(monkeypatch, server.url)
        given = context(Store())
        assert starting("aspose-slides://My%20Storage/in/a%20b.pptx").execute(given) == "op-1"
        assert given["ti"].own_xcoms == {}
        assert server.calls[0].target == "/v3.0/slides/async/a%20b.pptx/pdf?folder=in&storage=My+Storage"
    connect(monkeypatch, server.url, "groupdocs_conversion")
    with pytest.raises(exceptions.SourceNotFound):
        starting("aspose-slides://s/a.pptx").execute(context(Store()))
