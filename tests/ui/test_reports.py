"""The report of a task, from what a real batch has written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import TaskDeferred
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.plugins import reports
from airflow_provider_docconv.services.errors import DocumentsFailed
from dev.sandbox import Sandbox
from dev.stores import S3
from tests.support.api_server import Database, get, summary
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import context, starting

pytestmark = pytest.mark.usefixtures("own_reads")


@pytest.fixture
def own_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing read, and keep nothing."""
    monkeypatch.setattr(reports, "_reads", reports._Reads())
    monkeypatch.setattr(reports, "_KEPT_RUNNING", 0.0)
    monkeypatch.setattr(reports, "_KEPT_ENDED", 0.0)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    with starting(tmp_path, monkeypatch) as start:
        yield start


@pytest.fixture
def runs(shared: Path) -> BatchRuns:
    return BatchRuns(shared)


class Night:
    """
    A real batch, and what Airflow's database would have of it.

    :param database: the database
    :param uri: where its folders are
    """

    def __init__(self, database: Database, uri: str) -> None:
        self.database = database
        self.uri = uri

    def run(self, state: str | None = None, **values: Any) -> None:
        """Run its task to the end, or until it is deferred."""
        given = context(dag_id="nightly", run_id="run-1", task_id="convert")
        operator = ConvertDocumentsOperator(
            task_id="convert", source=f"{self.uri}/in/", destination=f"{self.uri}/out/", target_format="pdf",
            conn_id="docs", poke_interval=0.1, grace=0.2, **values,
        )  # fmt: skip
        ended = "success"
        try:
            operator.execute(given)
        except DocumentsFailed:
            ended = "failed"
        except TaskDeferred:
            ended = "deferred"
        self.database.add("nightly", state=state or ended, xcoms=given["ti"].xcoms)


REPORT = "/docconv/dags/nightly/runs/run-1/tasks/convert/-1"


def report(api: Any, **parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = get(api, f"{REPORT}/report.json", **parameters).json()
    return found


def test_a_night_with_failures_says_which_why_and_what_to_do(
    api: Any, database: Database, runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    service()
    runs.put("a.pptx", "b.pptx", "sub/c.pptx")
    (runs.folder / "in" / "broken.pptx").write_bytes(b"no deck")
    (runs.folder / "in" / "notes.txt").write_bytes(b"")
    Night(database, runs.uri).run()
    told = report(api)
    assert (told["task"]["state"], told["note"]) == ("failed", None)
    assert {state: count for state, count in told["counts"].items() if count} == {"rejected": 1, "delivered": 3}
    assert told["found"] == 4
    first, *others = told["lines"]
    assert (first["name"], first["state"]) == ("broken.pptx", "rejected")
    assert first["error"].startswith("The document is not a .pptx file")
    assert first["remedy"]
    assert {each["name"] for each in others} == {"a.pptx", "b.pptx", "c.pptx"}
    assert told["summary"]["left_out"] == {"txt": 1}
    assert told["summary"]["calls_by_connection"] == {"docs": told["summary"]["calls"]}
    result = get(api, f"{REPORT}/results/{others[0]['results'][0]['key']}")
    assert len(result.content) == others[0]["results"][0]["size"]

    assert [each["name"] for each in report(api, name="SUB/")["lines"]] == ["c.pptx"]
    assert report(api, state=["rejected"])["found"] == 1
    assert report(api, state=["rejected", "failed"], name="broken")["found"] == 1
    assert [each["name"] for each in report(api, limit=1, offset=1)["lines"]] == [others[0]["name"]]


def test_while_it_runs_the_report_comes_from_the_record(
    api: Any, database: Database, runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    service("--seconds", "60")
    runs.put("a.pptx", "b.pptx", "c.pptx")
    (runs.folder / "in" / "0.pptx").write_bytes(b"no deck")
    Night(database, runs.uri).run(deferrable=True, max_in_flight=2)
    told = report(api)
    assert told["task"]["state"] == "running"
    assert {state: count for state, count in told["counts"].items() if count} == {
        "rejected": 1,
        "started": 2,
        "waiting": 1,
    }
    assert told["task"]["counts"]["in_flight"] == 2
    assert [line["state"] for line in told["lines"]] == ["rejected", "started", "started", "waiting"]


def test_a_task_that_was_killed_before_its_report_shows_its_record(
    api: Any, database: Database, runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    service("--seconds", "60")
    runs.put("a.pptx", "b.pptx")
    Night(database, runs.uri).run(state="failed", deferrable=True)
    assert report(api)["counts"]["started"] == 2


def test_the_first_pass_of_a_new_run_shows_nothing_of_the_last_one(
    api: Any, database: Database, runs: BatchRuns, service: Callable[..., Sandbox]
) -> None:
    service()
    runs.put("a.pptx")
    Night(database, runs.uri).run()
    database.add("nightly", "run-2", state="running")
    told = get(api, REPORT.replace("run-1", "run-2") + "/report.json").json()
    assert (told["lines"], told["note"]) == (None, None)


def test_ten_thousand_documents_come_page_by_page(api: Any, database: Database, shared: Path) -> None:
    line = {
        "target_format": "pdf", "results": [], "operation_id": None, "attempts": 1, "lost_replies": 0, "size": None,
        "source_sha256": None, "seconds_at_service": None, "seconds_waited": None, "error": None, "error_type": None,
        "remedy": None,
    }  # fmt: skip
    states = ("delivered", "failed", "skipped", "rejected")
    lines = [{**line, "source": f"s3://in/{number:05}.pptx", "state": states[number % 4]} for number in range(10_000)]
    (shared / "r.jsonl").write_text("\n".join(map(json.dumps, lines)))
    database.add("nightly", xcoms={"summary": summary(report=f"file://{shared}/r.jsonl")})
    told = report(api, offset=2_450, limit=100)
    assert told["found"] == sum(told["counts"].values()) == 10_000
    assert [each["state"] for each in told["lines"]] == ["rejected"] * 50 + ["failed"] * 50
    told = report(api, state="skipped", name="0123")
    assert [each["name"] for each in told["lines"]] == [
        f"{number:05}.pptx" for number in range(10_000) if number % 4 == 2 and "0123" in f"{number:05}"
    ]


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"source": 5}\n', b"\xff\xfe", b"[" * 10_000])
def test_a_report_of_another_form_is_not_shown(api: Any, database: Database, shared: Path, content: bytes) -> None:
    (shared / "r.jsonl").write_bytes(content)
    database.add("nightly", xcoms={"summary": summary(report=f"file://{shared}/r.jsonl")})
    told = report(api)
    assert told["lines"] is None
    assert "can't be read" in told["note"]


def test_a_damaged_record_is_not_shown(api: Any, database: Database, shared: Path) -> None:
    (shared / "record" / "task").mkdir(parents=True)
    (shared / "record" / "task" / "1-x.jsonl").write_text("{}")
    xcoms = {"summary": summary(record=f"file://{shared}/record", record_task="task")}
    database.add("nightly", state="running", xcoms=xcoms)
    told = report(api)
    assert told["lines"] is None
    assert "could not read line 1" in told["note"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3"), "night") as server:
        yield server


@pytest.mark.servers
def test_a_bucket_is_read_with_the_connection_as_it_is_now(
    api: Any, database: Database, s3: S3, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    service()
    monkeypatch.setenv("AIRFLOW_CONN_NIGHT_STORE", json.dumps(s3.connection))
    client = s3.client()
    client.put_object(Bucket="night", Key="in/a.pptx", Body=b"PK\x03\x04 a")
    client.put_object(Bucket="night", Key="in/broken.pptx", Body=b"no deck")
    Night(database, "s3://night_store@night").run()
    told = report(api)
    assert {state: count for state, count in told["counts"].items() if count} == {"rejected": 1, "delivered": 1}
    key = told["lines"][1]["results"][0]["key"]
    assert get(api, f"{REPORT}/results/{key}").content.startswith(b"%PDF")

    def change(**fields: str) -> dict[str, Any]:
        monkeypatch.setenv("AIRFLOW_CONN_NIGHT_STORE", json.dumps({**s3.connection, **fields}))
        monkeypatch.setattr(reports, "_reads", reports._Reads())
        return report(api)

    assert "could not read" in change(password="wrong")["note"]
    assert change()["lines"]
    monkeypatch.delenv("AIRFLOW_CONN_NIGHT_STORE")
    monkeypatch.setattr(reports, "_reads", reports._Reads())
    assert "does not know the connection night_store" in report(api)["note"]
    assert get(api, f"{REPORT}/results/{key}").status_code == 502


@pytest.mark.servers
def test_a_store_that_does_not_answer_holds_nobody_up(
    api: Any, database: Database, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_PATIENCE", 0.2)
    (shared / "r.jsonl").write_bytes(b"")
    hangs = reports.threading.Event()
    monkeypatch.setattr(reports, "open_for_reading", lambda _: hangs.wait(30))
    database.add("nightly", xcoms={"summary": summary(report=f"file://{shared}/r.jsonl")})
    assert "has not answered" in report(api)["note"]
    hangs.set()


def test_a_single_conversion_shows_its_tasks_and_results(api: Any, database: Database, shared: Path) -> None:
    (shared / "a.pdf").write_bytes(b"%PDF")
    for task_id, operator, value in (
        ("one.start", "StartConversionOperator", "op-1"),
        ("one.wait", "ConversionSensor", "op-1"),
        ("one.download", "DownloadResultOperator", [{"uri": f"file://{shared}/a.pdf", "size": 4, "sha256": "0"}]),
    ):
        xcoms = {"return_value": value} | (
            {"progress": {"state": "SUCCEEDED", "polls": 3}} if "wait" in task_id else {}
        )
        database.add("nightly", task_id=task_id, operator=operator, xcoms=xcoms)
    for task_id in ("one.start", "one.wait", "one.download"):
        path = REPORT.replace("convert", task_id)
        told = get(api, f"{path}/report.json").json()
        assert [task["task_id"] for task in told["task"]["tasks"]] == ["one.start", "one.wait", "one.download"]
        assert told["operation"] == {"state": "SUCCEEDED", "polls": 3}
        [result] = told["results"]
        assert get(api, f"{path}/results/{result['key']}").content == b"%PDF"
