"""Whatever trickles, the task ends in its time; and a wrong answer in the place of another costs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.exceptions import DeadlineExceeded, DocumentRejected, DocumentsFailed, ResultTooLarge
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from tests.support.batch_runs import BatchRuns
from tests.support.hostile import HTML, Answer, Hostile, Seen
from tests.support.tasks import Store, connect, context, wait

PDF = b"%PDF-1.7\n" + b"0" * 4000 + b"%%EOF\n"


def service(result: Answer | None = None, status: Answer | None = None) -> Hostile:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(b"op-1", 201)
        if seen.path.endswith("/result"):
            return result or Answer(PDF)
        return status or Answer({"status": "Finished"})

    return Hostile(answer=answer)


@pytest.fixture
def runs(tmp_path: Path) -> BatchRuns:
    made = BatchRuns(tmp_path)
    made.put("a.pptx")
    return made


SLOW: list[dict[str, Any]] = [
    {"result": Answer(PDF, pause=0.2)},
    {"result": Answer(PDF, length=-1, pause=0.2)},
    {"status": Answer({"status": "Started", "more": "x" * 5000}, pause=0.2)},
]


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("deferrable", [True, False])
def test_the_timeout_of_a_batch_ends_what_trickles(
    slow: dict[str, Any], deferrable: bool, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(**slow) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(DeadlineExceeded, match="not finished"):
            runs.run(timeout=2.0, deferrable=deferrable)
        assert server.trickled == 0
    assert runs.results() == set()


@pytest.mark.parametrize("deferrable", [True, False])
def test_the_timeout_of_a_wait_ends_a_status_that_trickles(deferrable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(status=Answer({"status": "Started", "more": "x" * 5000}, pause=0.2)) as server:
        connect(monkeypatch, server.url)
        values = {"operation_id": "op-1", "timeout": 1.0, "grace": 0.0, "poke_interval": 0.2}
        with pytest.raises(DeadlineExceeded):
            wait(values, deferrable=deferrable)
        assert server.trickled == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Length": ""}])
def test_a_result_that_is_larger_than_allowed(
    headers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = -1 if headers else None
    with service(result=Answer(PDF, length=length)) as server:
        connect(monkeypatch, server.url)
        given: dict[str, Any] = {"task_id": "t", "operation_id": "op-1", "conn_id": "docs"}
        destination = f"file://{tmp_path}/a.pdf"
        with pytest.raises(ResultTooLarge, match="raise max_result_size"):
            DownloadResultOperator(**given, destination=destination, max_result_size=len(PDF) - 1).execute(context())
        assert list(tmp_path.iterdir()) == []
        [result] = DownloadResultOperator(**given, destination=destination, max_result_size=len(PDF)).execute(context())
        assert result["size"] == len(PDF)


def test_a_batch_fetches_a_result_that_is_too_large_once(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    with service() as server:
        connect(monkeypatch, server.url)
        with pytest.raises(DocumentsFailed, match="not converted"):
            runs.run(max_result_size=100)
        assert sum(call.path.endswith("/result") for call in server.calls) == 1
        runs.run("run 2")
        assert sum(call.method == "POST" for call in server.calls) == 1
    assert runs.results() == {"a.pdf"}


def test_a_login_page_in_the_place_of_a_result_costs_nothing(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(result=Answer(HTML)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(DocumentsFailed, match="not converted"):
            runs.run()
    with service() as server:
        connect(monkeypatch, server.url)
        runs.run("run 2")
        assert [call.method for call in server.calls if call.method == "POST"] == []
    assert runs.results() == {"a.pdf"}


def test_a_name_that_is_not_text_is_refused_before_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = b"\xe9t\xe9.pptx"
    (tmp_path / name.decode("utf-8", "surrogateescape")).write_bytes(b"PK\x03\x04")
    store = Store()
    with service() as server:
        connect(monkeypatch, server.url, "groupdocs_conversion")
        for _ in range(2):
            uri = f"file://{tmp_path}/" + name.decode("utf-8", "surrogateescape")
            operator = StartConversionOperator(task_id="s", source=uri, target_format="pdf", conn_id="docs")
            with pytest.raises(DocumentRejected, match="rename it"):
                operator.execute(context(store))
        assert server.seen == []
    assert json.dumps(store.rows) == "{}"
