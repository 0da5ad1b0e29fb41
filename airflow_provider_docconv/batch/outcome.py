"""What the end of a batch means for its task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.exceptions import deserialize
from airflow_provider_docconv.services.errors import (
    DeadlineExceeded,
    DocConvError,
    DocumentsFailed,
    Handling,
    StartReplyLost,
)

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.batch import Batch

# Left alone on purpose, by on_lost_reply="fail".
_FOR_A_PERSON = StartReplyLost.__name__


def judge(batch: Batch, summary: Mapping[str, Any], tolerated: str | float, stopped: DocConvError | None) -> None:
    """
    End the task as it deserves.

    :param batch: the batch, after its end
    :param summary: its summary
    :param tolerated: the operator's ``on_document_error``
    :param stopped: what stopped the batch, if it did not come to its end
    :raises DocConvError: what stopped it
    :raises DeadlineExceeded: if it had to stop before all were done
    :raises DocumentsFailed: if more documents could not be converted than is tolerated
    """
    total, page = summary["documents"], summary["page"]
    if stopped:
        stopped.what = f"{_done(summary)}, then the batch stopped: {stopped.what}"
        raise stopped
    if summary["unfinished"]:
        raise DeadlineExceeded(
            f"{summary['unfinished']:,} of {total:,} documents were not finished when the task stopped",
            remedy=f"what is under way is not lost: raise timeout and clear the task to go on; {page} names them",
        )
    bad = summary["rejected"] + summary["failed"]
    share = float({"fail": 0, "ignore": 1}.get(str(tolerated), tolerated))
    # Divided, because as a binary fraction 0.57 times 100 is less than 57.
    if not bad or bad / total <= share:
        return
    error = DocumentsFailed(
        f"{bad:,} of {total:,} documents were not converted ({summary['rejected']:,} rejected, {summary['failed']:,} "
        f"failed), all others were; the first is {_first(batch)}",
        remedy=f"{page} names each with what to do",
    )
    rows = ((entry.error or {}).get("type") for _, entry, state in batch.table.rows() if state == "failed")
    if summary["failed"] > sum(kind == _FOR_A_PERSON for kind in rows):
        error.handling = Handling.RETRY
    raise error


def say_cost(summary: Mapping[str, Any], service: str, log: logging.Logger | Any) -> None:
    """Say in the log what was done and what it has cost in calls to the service."""
    calls = summary["calls"]
    parts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(calls.items(), key=lambda each: -each[1]))
    log.info("%s; the report is %s", _done(summary), summary["page"])
    log.info("Calls to %s: %s", service, f"{sum(calls.values()):,} ({parts})" if calls else "none")
    if summary["lost_replies"]:
        log.warning("%d documents may have been paid twice; the report names them", summary["lost_replies"])


def _done(summary: Mapping[str, Any]) -> str:
    words = [f"{summary[state]:,} {state}" for state in ("delivered", "skipped", "rejected", "failed", "unfinished")]
    return f"Of {summary['documents']:,} documents {', '.join(word for word in words if word[:2] != '0 ') or 'none'}"


def _first(batch: Batch) -> str:
    for wanted, entry, state in batch.table.rows():
        if state in ("rejected", "failed") and entry.error:
            return f"{wanted.source} ({deserialize(entry.error).account})"
    return "unknown"
