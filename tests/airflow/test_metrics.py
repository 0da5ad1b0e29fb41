"""What a single document's task counts: its calls in any case, and the document only if no other try will follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.operators.docconv import StartConversionOperator
from airflow_provider_docconv.worker import metrics
from dev.sandbox import Sandbox
from tests.support.hostile import Answer, Hostile
from tests.support.replies import own_error
from tests.support.tasks import Store, connect, context

TAGS = {"connection": "docs", "service": "aspose_slides"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return what Airflow is told, by names and the tags that are not the same for all."""
    found: dict[str, float] = {}

    def incr(name: str, number: float, *, tags: dict[str, str]) -> None:
        assert {key: tags[key] for key in TAGS} == TAGS
        own = [f"{key}={value}" for key, value in tags.items() if key not in TAGS]
        key = ",".join([name.removeprefix("docconv."), *own])
        found[key] = found.get(key, 0) + number

    monkeypatch.setattr(metrics.Stats, "incr", incr)
    return found


def start(source: str, **ti: Any) -> str:
    operator = StartConversionOperator(task_id="start", source=source, target_format="pdf", conn_id="docs")
    return operator.execute(context(Store(), **ti))


def test_a_start_counts_its_calls_and_bytes_with_a_total_for_backends_without_tags(
    deck: str, service: Callable[..., Sandbox], counted: dict[str, float]
) -> None:
    service()
    start(deck)
    size = Path(deck.removeprefix("file://")).stat().st_size
    assert counted == {
        "bytes,direction=sent": size,
        "bytes.sent": size,
        "calls,kind=login": 1,
        "calls.login": 1,
        "calls,kind=start": 1,
        "calls.start": 1,
    }


@pytest.mark.parametrize(
    ("status", "try_number", "documents"),
    [
        pytest.param(400, 1, {"rejected": 1}, id="refused"),
        pytest.param(402, 1, {"failed": 1}, id="a used-up quota"),
        pytest.param(503, 1, {}, id="overloaded, with a try left"),
        pytest.param(503, 3, {"failed": 1}, id="overloaded, without a try left"),
    ],
)
def test_a_failed_start_counts_its_document_when_no_other_try_follows(
    deck: str,
    status: int,
    try_number: int,
    documents: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    counted: dict[str, float],
) -> None:
    with Hostile(Answer(own_error("aspose_slides", status), status)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DocConvError):
            start(deck, try_number=try_number, max_tries=2)
    found = {name: number for name, number in counted.items() if name.startswith("documents")}
    assert found == {
        key: number for state, number in documents.items() for key in (f"documents,state={state}", f"documents.{state}")
    }
    assert counted["calls.start"] >= 1


def test_a_backend_that_raises_fails_no_task(
    deck: str, service: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    def incr(*_: Any, **__: Any) -> None:
        raise ValueError("the backend is away")

    monkeypatch.setattr(metrics.Stats, "incr", incr)
    service()
    assert start(deck)
