"""Fetches the results of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.exceptions import task_errors
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.links.docconv import publish_links
from airflow_provider_docconv.services.operations import read_operation_id
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from airflow_provider_docconv.transfer.object_storage import console_url
from airflow_provider_docconv.worker.assets import announce_results
from airflow_provider_docconv.worker.lineage import File, Lineage
from airflow_provider_docconv.worker.metrics import Metrics, measuring

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath


class DownloadOperator(Protocol):
    """What is read of a ``DownloadResultOperator``."""

    operation_id: str
    conn_id: str
    destination: str | ObjectStoragePath
    source: str | ObjectStoragePath | None
    unpack: bool
    cleanup: bool
    max_result_size: int
    remote_result: str | None
    remote_source: str | None
    source_sha256: str | None
    outlets: list[Any]
    lineage: Lineage | None

    @property
    def log(self) -> Any:
        """The task's log."""


def download(operator: DownloadOperator, context: Context) -> list[DeliveredFile]:
    """
    Fetch the results of an operation, and delete them at the service if the operator says so.

    :param operator: the operator
    :param context: the task's context
    :raises DocConvError: if one could not be fetched or delivered
    """
    with task_errors(operator.source, operator.conn_id):
        hook = DocConvHook.for_connection(operator.conn_id)
        publish_links(operator, context, service=hook.service_url)
        with measuring(hook, context["ti"]) as metrics:
            return _download(operator, context, hook, metrics)


def _download(operator: DownloadOperator, context: Context, hook: DocConvHook, metrics: Metrics) -> list[DeliveredFile]:
    log = operator.log
    operation_id = read_operation_id(operator.operation_id)
    source_file = [File(str(operator.source), None, operator.source_sha256)] if operator.source else []
    operator.lineage = Lineage(hooks=[hook], operation_id=operation_id, inputs=source_file)
    results = hook.download(
        operator.operation_id,
        operator.destination,
        source=operator.source,
        unpack=operator.unpack,
        cleanup=operator.cleanup,
        max_result_size=operator.max_result_size,
        remote_result=operator.remote_result,
        remote_source=operator.remote_source,
    )
    for result in results:
        if operator.source_sha256:
            result["source_sha256"] = operator.source_sha256
        log.info("Delivered %s (%d bytes, SHA-256 %s)", result["uri"], result["size"], result["sha256"])
    metrics.documents(DocumentState.DELIVERED)
    operator.lineage.has_written(results)
    metrics.received(sum(result["size"] for result in results))
    if results:
        uri = results[0]["uri"]
        shown = uri if len(results) == 1 else f"{uri.rpartition('/')[0]}/"
        publish_links(operator, context, results=console_url(shown))
    announce_results(operator, context, results, {"operation_id": operation_id})
    return results
