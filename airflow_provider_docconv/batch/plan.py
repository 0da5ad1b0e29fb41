"""Says what a batch would do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.batch.table import UNDER_WAY, WAITING

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.batch import Batch

_WORDS = {WAITING: "convert", UNDER_WAY: "go on with"}
_COUNTS = {**_WORDS, "skipped": "skip", "rejected": "leave out"}


def say_plan(batch: Batch, log: logging.Logger | Any) -> dict[str, Any]:
    """
    Log what would become of each document, and return how many of each there are.

    :param batch: the batch, with its documents listed
    :param log: gets the lines
    """
    for wanted, _, state in batch.table.rows():
        log.info("%s %s -> %s", _WORDS.get(state, state), wanted.source, wanted.destination)
    counts = batch.table.counts()
    plan = {word: counts[state] for state, word in _COUNTS.items()}
    log.info("Nothing was sent: %s", ", ".join(f"{word} {count:,}" for word, count in plan.items()))
    return {"documents": len(batch.table), "plan": plan}
