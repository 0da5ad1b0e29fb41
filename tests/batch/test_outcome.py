"""What the end of a batch means for its task."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.sources import SourceSpec
from airflow_provider_docconv.exceptions import (
    AuthenticationFailed,
    ConversionFailed,
    DeadlineExceeded,
    DocConvError,
    DocumentsFailed,
    ServiceUnavailable,
    StartReplyLost,
)
from tests.support.batches import add, empty_batch, make_batch
from tests.support.tasks import context


@pytest.fixture
def batch() -> Batch:
    return empty_batch()


def summary(**counts: int) -> dict[str, Any]:
    states = {**dict.fromkeys(("delivered", "skipped", "rejected", "failed", "unfinished"), 0), **counts}
    return {
        "documents": sum(states.values()),
        **states,
        "calls": {"status": 1610, "start": 12},
        "lost_replies": 0,
        "left_at_service": 0,
        "refused_before": 0,
        "page": "s3://b/pdf/.docconv/reports/r.html",
    }


@pytest.mark.parametrize("tolerated", ["fail", "ignore", 0, 0.0, 0.02])
@pytest.mark.parametrize("counts", [{}, {"delivered": 3}, {"skipped": 3}, {"delivered": 1, "skipped": 2}])
def test_a_batch_without_a_failure_is_good(counts: dict[str, int], tolerated: Any, batch: Batch) -> None:
    batch.raise_for_outcome(summary(**counts), tolerated, None)


@pytest.mark.parametrize("total", [1, 3, 7, 50, 100, 101, 1000])
def test_a_share_is_tolerated_up_to_itself(total: int, batch: Batch) -> None:
    for bad in range(total):
        share = bad / total
        batch.raise_for_outcome(summary(rejected=bad, delivered=total - bad), share, None)
        with pytest.raises(DocumentsFailed):
            batch.raise_for_outcome(summary(rejected=bad + 1, skipped=total - bad - 1), share, None)


@pytest.mark.parametrize(("bad", "share"), [(2, 0.02), (7, 0.07), (14, 0.14), (28, 0.28), (29, 0.29), (57, 0.57)])
def test_so_many_percent_of_a_hundred_are_so_many(bad: int, share: float, batch: Batch) -> None:
    batch.raise_for_outcome(summary(failed=bad, delivered=100 - bad), share, None)
    with pytest.raises(DocumentsFailed):
        batch.raise_for_outcome(summary(failed=bad + 1, delivered=99 - bad), share, None)


def test_to_ignore_tolerates_all(batch: Batch) -> None:
    batch.raise_for_outcome(summary(rejected=3, failed=2), "ignore", None)


@pytest.mark.parametrize("tolerated", ["fail", 0.0, 0])
def test_to_fail_tolerates_none(tolerated: Any, batch: Batch) -> None:
    with pytest.raises(DocumentsFailed):
        batch.raise_for_outcome(summary(rejected=1, delivered=9999), tolerated, None)


@pytest.mark.parametrize(
    ("counts", "retryable"),
    [({"rejected": 3}, False), ({"failed": 1}, True), ({"rejected": 3, "failed": 1}, True)],
)
def test_a_task_is_tried_again_only_if_something_may_succeed_later(
    counts: dict[str, int], retryable: bool, batch: Batch
) -> None:
    with pytest.raises(DocumentsFailed) as raised:
        batch.raise_for_outcome(summary(**counts, delivered=5), "fail", None)
    assert raised.value.retryable is retryable
    with pytest.raises(DocumentsFailed) as again:
        batch.raise_for_outcome(summary(rejected=1), "fail", None)
    assert not again.value.retryable


@pytest.mark.parametrize(
    ("errors", "retryable"),
    [([StartReplyLost], False), ([StartReplyLost] * 3, False), ([StartReplyLost, ServiceUnavailable], True)],
)
def test_a_lost_reply_alone_waits_for_a_person(errors: list[type[DocConvError]], retryable: bool, batch: Batch) -> None:
    for number, error in enumerate(errors):
        add(batch, f"{number}.pptx", "failed", error("it went wrong"))
    # What is rejected or done is not counted among the failed, whatever error it had before.
    add(batch, "rejected.pptx", "rejected", StartReplyLost("an old error"))
    with pytest.raises(DocumentsFailed) as raised:
        batch.raise_for_outcome(summary(failed=len(errors), rejected=1), "fail", None)
    assert raised.value.retryable is retryable


def test_the_error_says_how_many_and_where_they_are_listed(batch: Batch) -> None:
    for name, state, said in (
        ("good.pptx", "delivered", "an old error"),
        ("b.pptx", "failed", "No memory."),
        ("c.pptx", "rejected", "Bad."),
    ):
        add(batch, name, state, ConversionFailed("the service could not convert the document", service_message=said))
    with pytest.raises(DocumentsFailed) as raised:
        batch.raise_for_outcome(summary(delivered=1234, failed=1, rejected=1), "fail", None)
    assert str(raised.value) == (
        "2 of 1,236 documents were not converted (1 rejected, 1 failed); s3://b/pdf/.docconv/reports/r.html lists each "
        "with its remedy."
    )


def test_what_stopped_the_batch_comes_first(batch: Batch) -> None:
    stopped = AuthenticationFailed("the login was refused", service_message="invalid_client")
    with pytest.raises(AuthenticationFailed) as raised:
        batch.raise_for_outcome(summary(delivered=3, failed=2, rejected=1, unfinished=1494), "ignore", stopped)
    assert raised.value is stopped
    assert not stopped.retryable
    assert str(stopped).startswith(
        "Of 1,500 documents 3 delivered, 1 rejected, 2 failed, 1,494 unfinished, then the batch stopped: "
        'the login was refused, saying "invalid_client"; check login'
    )


def test_a_service_that_is_out_of_reach_is_worth_another_try(batch: Batch) -> None:
    with pytest.raises(ServiceUnavailable) as raised:
        batch.raise_for_outcome(summary(unfinished=2), "ignore", ServiceUnavailable("it does not answer"))
    assert raised.value.retryable


@pytest.mark.parametrize("tolerated", ["fail", "ignore", 0.9])
def test_a_batch_that_ran_out_of_time_is_not_good(tolerated: Any, batch: Batch) -> None:
    with pytest.raises(DeadlineExceeded, match=r"1,000 of 1,003 documents were not finished .* raise timeout"):
        batch.raise_for_outcome(summary(unfinished=1000, rejected=3), tolerated, None)


def test_the_log_says_what_was_done_and_what_it_cost(batch: Batch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    batch.log_cost({**summary(delivered=1200, failed=1), "lost_replies": 2})
    assert caplog.messages == [
        "Of 1,201 documents 1,200 delivered, 1 failed; the report is s3://b/pdf/.docconv/reports/r.html",
        "Calls to Aspose.Slides Cloud: 1,622 (1,610 status, 12 start)",
        "2 documents may have been paid for twice; the report names them",
    ]


def test_the_log_of_an_empty_batch_reads_well(batch: Batch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    batch.log_cost({**summary(), "calls": {}})
    done, calls = caplog.messages
    assert calls == "Calls to Aspose.Slides Cloud: none"
    assert " ;" not in done
    assert "  " not in done


@pytest.mark.parametrize("state", ["waiting", "sent", "started", "delivered"])
def test_a_lost_reply_is_named_by_the_next_run_if_its_own_was_killed_before_the_report(
    state: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pptx").touch()

    def load(run_id: str) -> Batch:
        specs = [SourceSpec(f"file://{tmp_path}/in/", None, "pdf", {})]
        batch = make_batch(f"file://{tmp_path}", specs, context(run_id=run_id))
        batch.load(resumed=False)
        return batch

    killed = load("run 1")
    (document,) = killed.documents.values()
    lost = {"state": DocumentState(state), "operation_id": "op-1", "attempts": 2, "lost_replies": 1}
    killed.record.write(replace(document.entry, **lost)).result(60)

    named = []
    for run_id in ("run 2", "run 3"):
        batch = load(run_id)
        if state == "sent":
            (document,) = batch.documents.values()
            document.entry = batch.record.stamp(replace(document.entry, state=DocumentState.DELIVERED))
        summary = batch.summary()
        named.append(summary["lost_replies"])
        batch.write_report(summary)
        batch.fold()
    assert named == [1, 0]
