"""Retries by the kind of error, for ``default_args``: an outage is worth a longer wait than a broken connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_docconv.services.errors import (
    ConnectionNotFound,
    LoginUnavailable,
    ServiceUnavailable,
    StoreUnavailable,
    TruncatedResult,
    UnexpectedReply,
)

_OUTAGE = (LoginUnavailable, ServiceUnavailable, StoreUnavailable)


def conversion_retries(
    retries: int = 5,
    outage_delay: timedelta = timedelta(minutes=10),
    retry_delay: timedelta = timedelta(minutes=1),
) -> dict[str, Any]:
    """
    Return the arguments of operators that retry by the kind of error.

    On Airflow 3.3, with an ``ExceptionRetryPolicy``: while the service, its login or a store does not answer, after
    ``outage_delay``; after a reply that is not the service's, a result that broke off or a connection that is not there
    yet, after ``retry_delay``. What a retry can't mend fails at once, on every Airflow. Before 3.3, Airflow waits
    ``retry_delay`` and longer with each try, up to ``outage_delay``.

    .. code-block:: python

        with DAG("nightly", default_args=conversion_retries()):
            ...

    :param retries: how often a task is tried again
    :param outage_delay: how long to wait while something is down
    :param retry_delay: how long to wait after other errors
    """
    arguments: dict[str, Any] = {"retries": retries, "retry_delay": retry_delay}
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryRule
    except ImportError:  # Airflow before 3.3
        return {**arguments, "retry_exponential_backoff": True, "max_retry_delay": outage_delay}
    rules = [
        RetryRule(list(_OUTAGE), retry_delay=outage_delay, reason="the service or a store does not answer"),
        RetryRule(
            [ConnectionNotFound, TruncatedResult, UnexpectedReply], retry_delay=retry_delay, reason="it may have passed"
        ),
    ]
    return {**arguments, "retry_policy": ExceptionRetryPolicy(rules)}
