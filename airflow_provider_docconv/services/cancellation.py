"""Gives up an operation that nobody waits for any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_docconv.services.operations import OperationState

if TYPE_CHECKING:
    from airflow_provider_docconv.services.messages import Flow
    from airflow_provider_docconv.services.service import ConversionService


class Farewell(NamedTuple):
    """
    What became of an operation that was given up.

    :param canceled: whether it was cancelled
    :param words: the same as a sentence for the log
    """

    canceled: bool
    words: str


def give_up(service: ConversionService, operation_id: str) -> Flow[Farewell]:
    """
    Cancel an operation where the service can, and tell what became of it.

    What has succeeded is left alone: it is paid for, and cancelling would delete its result (Aspose.OCR has one call
    for both).

    :param service: the service
    :param operation_id: the operation
    :raises DocConvError: if the service did not answer
    """
    label = service.label
    if not service.can_cancel:
        return Farewell(False, f"{label} can't cancel: operation {operation_id} goes on, and its result is not fetched")
    operation = yield from service.status(operation_id)
    if operation.state is OperationState.SUCCEEDED:
        return Farewell(False, f"Operation {operation_id} has succeeded meanwhile; {label} still has its result")
    if operation.state.is_terminal:
        return Farewell(False, f"Operation {operation_id} has ended meanwhile at {label} ({operation.word})")
    yield from service.cancel(operation_id)
    return Farewell(True, f"Operation {operation_id} was cancelled at {label}")
