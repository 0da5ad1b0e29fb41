"""Brings an operation's results to their destination."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.services.errors import DocConvError, TruncatedResult

if TYPE_CHECKING:
    from airflow_provider_docconv.destination import Destination, StoredResult
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.service import ResultFile

_DOWNLOADS = 3


def deliver(
    hook: DocConvHook, files: Sequence[ResultFile], destination: Destination, log: logging.Logger | Any
) -> list[StoredResult]:
    """
    Fetch everything that an operation made, and say where it lies.

    :param hook: the hook of the connection that started the operation
    :param files: what its operation has made
    :param destination: where the results go
    :param log: gets a line for a result that has to be fetched again
    :raises DocConvError: if one could not be fetched or stored, of the type that says what to do
    """
    numbers = [None] if len(files) == 1 else range(1, len(files) + 1)
    return [
        stored
        for file, number in zip(files, numbers, strict=True)
        for stored in _fetch(hook, file, destination, number, log)
    ]


def clean_up(hook: DocConvHook, operation_id: str, files: Sequence[ResultFile], log: logging.Logger | Any) -> None:
    """
    Delete what an operation has left at the service; that this fails is no reason to fail.

    :param hook: the hook of the connection that started the operation
    :param operation_id: the operation, whose results are delivered
    :param files: what it has made, and what was uploaded for it
    :param log: gets a line about it
    """
    try:
        deleted = hook.clean_up(operation_id, files)
    except DocConvError as error:
        log.warning("The results are stored, but %s still has them: %s", hook.fields.label, error)
        return
    if deleted:
        log.info("Deleted at %s what operation %s had left there", hook.fields.label, operation_id)
    else:
        log.info("%s keeps the result until it expires: there is nothing that could be deleted", hook.fields.label)


def _fetch(
    hook: DocConvHook, file: ResultFile, destination: Destination, number: int | None, log: logging.Logger | Any
) -> list[StoredResult]:
    for _ in range(_DOWNLOADS - 1):
        try:
            return _fetch_once(hook, file, destination, number, log)
        except TruncatedResult as error:
            log.warning("%s Fetching it again", error)
    return _fetch_once(hook, file, destination, number, log)


def _fetch_once(
    hook: DocConvHook, file: ResultFile, destination: Destination, number: int | None, log: logging.Logger | Any
) -> list[StoredResult]:
    with hook.open_result(file) as (result, chunks):
        stored = destination.store(chunks, result.name, number)
    if result.resumed:
        log.info("The result broke off %d times and was gone on with", result.resumed)
    return stored
