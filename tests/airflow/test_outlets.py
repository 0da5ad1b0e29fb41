"""The events of a task's outlets: bounded, one for each folder of an alias, and none if nothing was delivered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION, Asset, AssetAlias
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from airflow_provider_docconv.worker.assets import Delivery, announce
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import context

if AIRFLOW_VERSION >= (3, 0):
    from airflow.sdk.execution_time.context import OutletEventAccessors
else:
    from airflow.utils.context import OutletEventAccessors

LISTS_IN_ALIAS_EVENTS = AIRFLOW_VERSION >= (3, 1, 8)
PLACES = {"record": "s3://b/pdf/.docconv/record"}


def delivery(folder: str, *names: str, more: int = 0) -> Delivery:
    return Delivery(folder, [DeliveredFile(uri=f"{folder}{name}", size=7, sha256="") for name in names], more)


def announced(outlets: list[Any], *deliveries: Delivery) -> tuple[list[Any], Any]:
    """Return the outlets and their events after a task has delivered something."""
    operator = SimpleNamespace(outlets=outlets, log=logging.getLogger("outlets"))
    events = OutletEventAccessors()
    given: Any = {"outlet_events": events}
    announce(operator, given, deliveries, PLACES, {"delivered": len(deliveries)})
    return operator.outlets, events


def of_alias(events: Any, alias: AssetAlias) -> dict[str, dict[str, Any]]:
    """Return the events of an alias, by the URI of the asset."""
    accessor = events[alias]
    found = accessor.asset_alias_events if AIRFLOW_VERSION >= (3, 0) else accessor.dataset_alias_events
    if AIRFLOW_VERSION >= (3, 0):
        return {event.dest_asset_key.uri: event.extra for event in found}
    return {event["dest_dataset_uri"]: event["extra"] for event in found}


def test_an_asset_keeps_what_the_dag_tells_and_learns_what_was_delivered() -> None:
    asset = Asset("results")
    operator = SimpleNamespace(outlets=[asset, "a table"], log=logging.getLogger("outlets"))
    events = OutletEventAccessors()
    events[asset].extra = {"team": "legal"}
    given: Any = {"outlet_events": events}
    announce(operator, given, [delivery("s3://b/pdf/", "1.pdf", "2.pdf", more=3)], PLACES, {"delivered": 1})
    assert events[asset].extra == {
        "team": "legal",
        **PLACES,
        "delivered": 1,
        "results": ["s3://b/pdf/1.pdf", "s3://b/pdf/2.pdf"],
        "more_results": 3,
    }


def test_without_a_result_no_outlet_is_left_to_make_an_event_of() -> None:
    outlets, events = announced([Asset("results"), AssetAlias("folders")])
    assert (outlets, len(events)) == ([], 0)


@pytest.mark.parametrize(("length", "listed"), [(1, 100), (1000, 8)])
def test_an_event_stays_small_however_many_results_there_are(length: int, listed: int) -> None:
    asset = Asset("results")
    names = [f"{number:04}{'x' * (length - 1)}.pdf" for number in range(3000)]
    _, events = announced([asset], *(delivery("s3://b/", name) for name in names))
    extra = events[asset].extra
    assert (len(extra["results"]), extra["more_results"]) == (listed, 3000 - listed)
    assert len(json.dumps(extra)) < 10_000


def test_an_alias_has_an_event_for_each_folder_that_others_can_name() -> None:
    alias = AssetAlias("folders")
    _, events = announced(
        [alias],
        delivery("s3://aws_default@bucket/pdf/2026/", "1.pdf"),
        delivery("s3://aws_default@bucket/pdf/2026/", "2.pdf"),
        delivery("/mnt/results/", "3.pdf"),
        delivery("gs://bucket/Berichte für 50 % #1/", "4.pdf"),
    )
    found = of_alias(events, alias)
    assert list(found) == [
        "s3://bucket/pdf/2026",
        "file:///mnt/results",
        "gs://bucket/Berichte%20f%C3%BCr%2050%20%25%20%231",
    ]
    first = ["s3://aws_default@bucket/pdf/2026/1.pdf", "s3://aws_default@bucket/pdf/2026/2.pdf"]
    told = {"results": first, "more_results": 0} if LISTS_IN_ALIAS_EVENTS else {"more_results": 2}
    assert found["s3://bucket/pdf/2026"] == {**PLACES, **told}


def test_the_log_says_which_folders_have_no_event(caplog: pytest.LogCaptureFixture) -> None:
    alias = AssetAlias("folders")
    folders = [f"s3://b/{number}/" for number in range(120)]
    _, events = announced([alias], delivery(f"s3://b/{'x' * 1600}/", "1.pdf"), *(delivery(f, "1.pdf") for f in folders))
    assert len(of_alias(events, alias)) == 100
    assert "21 folders with new results get no event" in caplog.text


def test_an_outlet_that_airflow_refuses_does_not_fail_the_task(caplog: pytest.LogCaptureFixture) -> None:
    alias = AssetAlias("folders")
    outlets, _ = announced([alias], delivery("airflow://reserved/", "1.pdf"))
    assert outlets == [alias]
    assert "will not tell what was delivered" in caplog.text


def test_a_plan_makes_no_event(runs: BatchRuns, service: Callable[..., Sandbox]) -> None:
    service()
    runs.put("a.pptx")
    operator = ConvertDocumentsOperator(
        task_id="t",
        source=f"{runs.uri}/in/",
        destination=f"{runs.uri}/out/",
        target_format="pdf",
        conn_id="docs",
        plan=True,
        outlets=[Asset("results")],
    )
    assert operator.execute(context())["plan"]["convert"] == 1
    assert operator.outlets == []
