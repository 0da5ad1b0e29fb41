"""The fixtures that run Dags and operators, on whatever Airflow is installed, with operators of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import DAG, BaseOperator
from airflow_provider_docconv.exceptions import AuthenticationFailed, DocumentsFailed, StoreUnavailable
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.retries import conversion_retries
from airflow_provider_docconv.sensors.docconv import ConversionSensor

CONN_ID = "aspose_slides_default"
DAY = timedelta(days=1)


def batch(samples: Path, **values: Any) -> ConvertDocumentsOperator:
    fields = {"source": f"{samples}/deck.pptx", "destination": f"{samples}/pdf/", "target_format": "pdf"}
    return ConvertDocumentsOperator(task_id="convert", conn_id=CONN_ID, poke_interval=0.2, **fields | values)


@pytest.mark.usefixtures("docconv_sandbox")
@pytest.mark.parametrize("deferrable", [False, True])
def test_an_operator(deferrable: bool, run_operator: Callable[..., Any], docconv_samples: Path) -> None:
    result = run_operator(batch(docconv_samples, deferrable=deferrable, grace=0))
    assert (result.state, result.error) == ("success", None)
    assert result.returned["delivered"] == 1
    assert (docconv_samples / "pdf" / "deck.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("docconv_sandbox")
def test_an_operator_that_fails(run_operator: Callable[..., Any], docconv_samples: Path) -> None:
    result = run_operator(batch(docconv_samples, source=f"{docconv_samples}/broken.pptx"))
    assert result.state == "failed"
    assert isinstance(result.error, DocumentsFailed)
    assert result.xcoms["summary"]["rejected"] == 1


def test_a_refused_login(run_operator: Callable[..., Any], docconv_samples: Path, docconv_sandbox: Any) -> None:
    docconv_sandbox.fail_next(401, "login")
    result = run_operator(batch(docconv_samples, retries=2))
    assert result.state == "failed"
    assert isinstance(result.error, AuthenticationFailed)
    assert docconv_sandbox.calls == dict.fromkeys(docconv_sandbox.calls, 0) | {"login": 1}


def test_a_second_night(run_dag: Callable[..., Any], docconv_samples: Path, docconv_sandbox: Any) -> None:
    with DAG("nightly", schedule=None) as dag:
        batch(docconv_samples)
    delivered = [run_dag(dag)["convert"].returned["delivered"] for _ in range(2)]
    assert delivered == [1, 0]
    assert docconv_sandbox.calls["start"] == 1


def test_a_dag_of_three_tasks(run_dag: Callable[..., Any], docconv_samples: Path, docconv_sandbox: Any) -> None:
    deck = f"{docconv_samples}/deck.pptx"
    with DAG("three", schedule=None) as dag:
        start = StartConversionOperator(task_id="start", source=deck, target_format="pdf", conn_id=CONN_ID)
        wait = ConversionSensor(task_id="wait", operation_id=start.output, conn_id=CONN_ID, deferrable=True, grace=0)
        folder = f"{docconv_samples}/out/"
        DownloadResultOperator(
            task_id="download", operation_id=wait.output, conn_id=CONN_ID, source=deck, destination=folder
        )
    results = run_dag(dag)
    assert {name: result.state for name, result in results.items()} == dict.fromkeys(
        ("start", "wait", "download"), "success"
    )
    assert results["wait"].returned == results["start"].returned
    assert results["download"].returned[0]["uri"].endswith("/out/deck.pdf")
    assert docconv_sandbox.calls["start"] == 1


class Squared(BaseOperator):
    """An operator of a user's own."""

    def __init__(self, *, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> int:
        if self.number > 2:
            raise ValueError(f"{self.number} is too many")
        return self.number**2 + context["dag_run"].conf.get("plus", 0)


def test_mapped_tasks_and_a_configuration(run_dag: Callable[..., Any]) -> None:
    with DAG("mapped", schedule=None) as dag:
        Squared.partial(task_id="square").expand(number=[1, 2, 3])
    results = run_dag(dag, conf={"plus": 5})
    assert {name: (result.state, result.returned) for name, result in results.items()} == {
        "square[0]": ("success", 6),
        "square[1]": ("success", 9),
        "square[2]": ("failed", None),
    }
    assert str(results["square[2]"].error) == "3 is too many"


class Unreliable(BaseOperator):
    """An operator that fails a number of times."""

    def __init__(self, *, failures: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.failures = failures

    def execute(self, context: Any) -> int:
        tries: int = context["ti"].try_number
        if tries <= self.failures:
            raise StoreUnavailable(f"failure {tries}")
        return tries


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"retries": 2, "retry_delay": DAY}, id="retry_delay"),
        pytest.param(conversion_retries(2, outage_delay=DAY, retry_delay=DAY), id="retry_policy"),
    ],
)
def test_nobody_waits_for_a_retry(given: dict[str, Any], run_dag: Callable[..., Any]) -> None:
    with DAG("retried", schedule=None, default_args=given) as dag:
        Unreliable(task_id="recovers", failures=1)
        Unreliable(task_id="fails", failures=3)
        Unreliable.partial(task_id="mapped").expand(failures=[0, 2])
    results = run_dag(dag)
    assert {name: (result.state, result.returned) for name, result in results.items()} == {
        "recovers": ("success", 2),
        "fails": ("failed", None),
        "mapped[0]": ("success", 1),
        "mapped[1]": ("success", 3),
    }
    assert results["recovers"].error is None
    assert str(results["fails"].error).startswith("failure 3")


def test_runs_have_a_database_of_their_own(run_operator: Callable[..., Any], tmp_path_factory: Any) -> None:
    assert run_operator(Squared(task_id="one", number=1)).returned == 1
    assert run_operator(Squared(task_id="one", number=2)).returned == 4
    database = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    for own in (database, os.environ["AIRFLOW_HOME"]):
        assert Path(own).is_relative_to(tmp_path_factory.getbasetemp())
