"""What passes between a batch's worker and its trigger: always small, because it lies in Airflow's database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_docconv.exceptions import DocConvError, deserialize, serialize
from airflow_provider_docconv.services.operations import Operation, OperationState

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.record import Entry

#: The most that a trigger's row, or its event, holds of operations, in bytes.
MOST = 48 << 10


def fitting(entries: Iterable[Entry]) -> dict[str, float]:
    """
    Return operation ids, each with the time of its start, as many as a trigger's row may hold.

    The others are polled by the worker when it is back.

    :param entries: documents with operations at the service, the most urgent ones first
    """
    chosen: dict[str, float] = {}
    size = 0
    for entry in entries:
        started = round(entry.started or 0.0, 1)
        size += len(json.dumps({entry.operation_id: started}))
        if size > MOST:
            break
        chosen[str(entry.operation_id)] = started
    return chosen


@dataclass(frozen=True, slots=True)
class Watched:
    """
    What a trigger has seen.

    :param ended: the operations that have ended, each with the time when that was noticed
    :param polls: how many status calls that took
    :param error: why it has given up, if it has
    """

    ended: list[tuple[Operation, float]]
    polls: int
    error: DocConvError | None = None

    def serialize(self) -> dict[str, Any]:
        """Return it as plain JSON values for the trigger's event; what would make it too large is left out."""
        good = [(o.id, round(at, 1)) for o, at in self.ended if o.state is OperationState.SUCCEEDED]
        bad = [[o.serialize(), round(at, 1)] for o, at in self.ended if o.state is not OperationState.SUCCEEDED]
        room = MOST - len(json.dumps(dict(good)))
        while bad and len(json.dumps(bad)) > max(room, 0):
            bad = bad[: len(bad) // 2]
        error = serialize(self.error) if self.error else None
        return {"succeeded": dict(good), "others": bad, "polls": self.polls, "error": error}

    @classmethod
    def deserialize(cls, values: Mapping[str, Any]) -> Self:
        """Make it from what :meth:`serialize` returned."""
        good = [(Operation(key, OperationState.SUCCEEDED, ""), float(at)) for key, at in values["succeeded"].items()]
        bad = [(Operation.deserialize(operation), float(at)) for operation, at in values["others"]]
        return cls(good + bad, int(values["polls"]), deserialize(values["error"]) if values["error"] else None)
