"""Retries by the kind of error, on an Airflow that has policies and on one that has none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION, DAG
from airflow_provider_docconv.exceptions import task_errors
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.retries import conversion_retries
from airflow_provider_docconv.services import errors

BATCH: dict[str, Any] = {
    "task_id": "convert",
    "source": "s3://b/in/",
    "target_format": "pdf",
    "conn_id": "docs",
    "destination": "s3://b/out/",
}


def as_a_task_raises(kind: type[errors.DocConvError]) -> BaseException:
    with pytest.raises(kind) as raised, task_errors():
        raise kind("it went wrong")
    return raised.value


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="this Airflow has no retry policies")
@pytest.mark.parametrize(
    ("kind", "minutes"),
    [
        (errors.ServiceUnavailable, 20),
        (errors.LoginUnavailable, 20),
        (errors.StoreUnavailable, 20),
        (errors.UnexpectedReply, 1),
        (errors.TruncatedResult, 1),
        (errors.ConnectionNotFound, 1),
    ],
)
def test_an_outage_is_waited_for_longer_than_what_may_have_passed(
    kind: type[errors.DocConvError], minutes: int
) -> None:
    policy = conversion_retries(outage_delay=timedelta(minutes=20))["retry_policy"]
    decision = policy.evaluate(as_a_task_raises(kind), 1, 5)
    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(minutes=minutes))
    again = type(policy).deserialize(policy.serialize())
    assert again.evaluate(as_a_task_raises(kind), 1, 5).retry_delay == timedelta(minutes=minutes)


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="this Airflow has no retry policies")
def test_anything_else_is_left_to_airflow() -> None:
    policy = conversion_retries()["retry_policy"]
    assert policy.evaluate(ValueError("a mistake"), 1, 5).action.value == "default"


def test_an_operator_takes_them_on_every_airflow() -> None:
    with DAG("nightly", schedule=None, default_args=conversion_retries(retries=7)):
        operator = ConvertDocumentsOperator(**BATCH)
    assert (operator.retries, operator.retry_delay) == (7, timedelta(minutes=1))
    if AIRFLOW_VERSION < (3, 3):
        assert operator.max_retry_delay == timedelta(minutes=10)
