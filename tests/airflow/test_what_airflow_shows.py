"""What the UI has of a task, also of one that failed or is deferred: XComs, log lines and links."""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowFailException, BaseOperator, TaskDeferred, XCom
from airflow_provider_docconv.get_provider_info import get_provider_info
from airflow_provider_docconv.links.docconv import ReportLink, ResultsLink, ServiceLink, report_url
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    MergePresentationsOperator,
    SplitPresentationOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.transfer.object_storage import console_url
from airflow_provider_docconv.triggers import batch as batch_trigger
from airflow_provider_docconv.triggers.progress import Progress
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import TaskInstance, context, fire

OPERATORS = (
    ConvertDocumentsOperator,
    StartConversionOperator,
    SplitPresentationOperator,
    MergePresentationsOperator,
    ConversionSensor,
    DownloadResultOperator,
)


class Task:
    """A batch as Airflow runs it, with what it leaves to be seen."""

    def __init__(self, runs: BatchRuns, **values: Any) -> None:
        self.context = context(run_id="run 1")
        self.operator = ConvertDocumentsOperator(
            task_id="t", source=f"{runs.uri}/in/", destination=f"{runs.uri}/out/", target_format="pdf", conn_id="docs",
            poke_interval=0.1, grace=0.2, **values,
        )  # fmt: skip

    @property
    def xcoms(self) -> dict[str, Any]:
        xcoms: dict[str, Any] = self.context["ti"].xcoms
        return xcoms

    def link(self, link: Any) -> str:
        return str(link.get_link(self.operator, ti_key=None))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What tasks and triggers log, whatever Airflow does with it."""
    for logs in (ConvertDocumentsOperator, batch_trigger.BatchTrigger):
        monkeypatch.setattr(logs, "log", logging.getLogger("docs"))
    caplog.set_level(logging.INFO)
    return caplog


def bad(runs: BatchRuns, count: int) -> None:
    for number in range(count):
        path = runs.folder / "in" / "sub" / f"broken {number:02}.pptx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no deck")


def test_a_failed_batch_leaves_its_summary_and_says_what_to_do(
    runs: BatchRuns, service: Callable[..., Sandbox], log: pytest.LogCaptureFixture
) -> None:
    service()
    runs.put("a.pptx")
    bad(runs, 12)
    task = Task(runs)
    with pytest.raises(exceptions.DocumentsFailed) as raised:
        task.operator.execute(task.context)
    page = f"{runs.uri}/out/.docconv/reports/d.t/run-1.html"
    assert str(raised.value) == (
        "12 of 13 documents were not converted (12 rejected, 0 failed) (connection 'docs'); "
        f"{page} lists each with its remedy."
    )
    summary = task.xcoms["summary"]
    assert (summary["delivered"], summary["rejected"], summary["page"]) == (1, 12, page)
    assert summary["calls_by_connection"]["docs"] == summary["calls"]
    assert (summary["record"], summary["record_task"]) == (f"{runs.uri}/out/.docconv/record", "d.t")
    assert summary["run"] == "run 1"
    progress = task.xcoms["progress"]
    assert (progress["documents"], progress["delivered"], progress["rejected"]) == (13, 1, 12)

    lines = [each.getMessage() for each in log.records if each.levelno == logging.ERROR]
    assert len(lines) == 11
    for number, line in enumerate(lines[:10]):
        assert line.startswith(f"broken {number:02}.pptx: the document is not a .pptx file")
        assert ". To do: " in line
        assert line.endswith(f"[{runs.uri}/in/sub/broken {number:02}.pptx, connection 'docs']")
    assert lines[10] == "More documents were not converted; the report lists all of them"


def test_an_error_has_one_traceback(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    task = Task(runs, on_no_documents="fail")
    with pytest.raises(AirflowFailException) as raised:
        task.operator.execute(task.context)
    text = "".join(traceback.format_exception(raised.value))
    assert text.count("Traceback") == 1
    assert "The above exception" not in text


def test_an_unexpected_error_keeps_its_own_traceback() -> None:
    def fail() -> None:
        try:
            raise KeyError("a bug")
        except KeyError as error:
            raise exceptions.UnexpectedError.of(error) from error

    with pytest.raises(exceptions.UnexpectedError) as raised, exceptions.task_errors():
        fail()
    assert "KeyError: 'a bug'" in "".join(traceback.format_exception(raised.value))


def test_a_deferred_batch_shows_how_far_it_is(
    runs: BatchRuns,
    service: Callable[..., Sandbox],
    monkeypatch: pytest.MonkeyPatch,
    log: pytest.LogCaptureFixture,
) -> None:
    service("--seconds", "3")
    runs.put("a.pptx", "b.pptx", "c.pptx")
    task = Task(runs, deferrable=True, max_in_flight=3)
    with pytest.raises(TaskDeferred) as deferred:
        task.operator.execute(task.context)
    before = task.xcoms["summary"]
    assert (before["documents"], before["delivered"], before["unfinished"]) == (3, 0, 3)
    assert before["calls"]["start"] == 3
    assert task.xcoms["progress"]["in_flight"] == 3
    assert task.link(ReportLink()) == report_url("d", "run 1", "t", -1)
    assert task.link(ServiceLink()).startswith("http://127.0.0.1:")

    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(XCom, "set", lambda key, value, **_: shown.append({key: value}))
    # As often as it looks, whatever the time.
    monkeypatch.setattr(batch_trigger.Schedule, "is_due", lambda _: True)
    monkeypatch.setattr(Progress, "_OWN_PAUSE", 0.0)
    monkeypatch.setattr(Progress, "_COMMON_PAUSE", 0.0)
    trigger = deferred.value.trigger
    # Airflow sets it once the trigger is made; some releases clear it when it is made.
    ti = TaskInstance()
    mine = property(lambda _: ti, lambda _, __: None)
    monkeypatch.setattr(batch_trigger.BatchTrigger, "task_instance", mine, raising=False)
    event = fire(trigger)
    assert set(event["polls"]) == {"docs"}
    last = shown[-1]["progress"]
    assert (last["documents"], last["ended"], last["in_flight"]) == (3, 3, 0)
    assert last["calls"] > before["calls"]["start"]
    assert "0 of 3 documents done (0 %); 3 to deliver" in log.text

    summary = ConvertDocumentsOperator.resume_execution(
        task.operator, deferred.value.method_name, {"event": event}, task.context
    )
    assert task.xcoms["summary"] == summary
    assert summary["calls"]["status"] >= event["polls"]["docs"]
    assert task.xcoms["progress"]["delivered"] == 3


def test_every_operator_has_links_that_airflow_knows() -> None:
    registered = get_provider_info()["extra-links"]
    for operator in OPERATORS:
        links = operator.operator_extra_links
        assert any(isinstance(link, ServiceLink) for link in links), operator
        assert {f"{type(link).__module__}.{type(link).__name__}" for link in links} <= set(registered)
    for name in registered:
        module, _, link = name.rpartition(".")
        assert getattr(importlib.import_module(module), link)


def test_a_link_is_empty_until_it_is_known() -> None:
    operator = BaseOperator(task_id="t")
    operator.link_urls = {}  # type: ignore[attr-defined]
    assert ReportLink().get_link(operator, ti_key=None) == ""  # type: ignore[arg-type]


def test_a_report_has_an_address_in_airflow() -> None:
    assert report_url("a/b", "manual__2026-01-01T00:00:00+00:00", "g.t", 3) in (
        "plugin/conversions?dag_id=a%2Fb&run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00&task_id=g.t&map_index=3",
        "",
    )


def test_results_have_pages_where_a_browser_can_open_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REAL", '{"conn_type": "aws", "login": "a", "password": "b"}')
    minio = '{"conn_type": "aws", "login": "a", "password": "b", "extra": {"endpoint_url": "http://127.0.0.1:9"}}'
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", minio)
    s3 = "https://console.aws.amazon.com/s3"
    assert console_url("s3://real@bucket/a b/c.pdf") == f"{s3}/object/bucket?prefix=a%20b/c.pdf"
    assert console_url("s3://real@bucket/pdf/") == f"{s3}/buckets/bucket?prefix=pdf/"
    assert console_url("s3://minio@bucket/pdf/") == ""
    assert console_url(f"file://{tmp_path}/") == ""
    assert console_url("gs://x y@bucket/pdf/") == ""
    assert ResultsLink().name == "Results"
