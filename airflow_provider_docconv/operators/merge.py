"""A task group that merges presentations and converts the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.compat import TaskGroup
from airflow_provider_docconv.operators.download import DownloadResultOperator
from airflow_provider_docconv.operators.start import MergePresentationsOperator, StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.services.filetypes import extension, fits_format
from airflow_provider_docconv.transfer.addresses import address_of

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath
    from airflow_provider_docconv.options import MergeSource

# Where the merged presentation is meanwhile, in the vendor's storage. A run's id has signs that a path must not have.
_MERGED = "docconv/merged/{{ dag.dag_id }}/{{ run_id | replace(':', '-') | replace('+', '-') }}/{{ ti.map_index }}/"


def merge_presentations(
    *,
    sources: Sequence[str | ObjectStoragePath | MergeSource],
    target_format: str,
    conn_id: str,
    destination: str | ObjectStoragePath,
    options: Mapping[str, Any] | None = None,
    deferrable: bool = True,
    group_id: str = "merge_presentations",
) -> TaskGroup:
    """
    Make a task group that merges presentations with Aspose.Slides Cloud and delivers the result in another format.

    The service merges to pptx only. The merged presentation is kept in the vendor's storage until the last task, which
    deletes it. The last task, ``download``, returns what ``DownloadResultOperator`` returns.

    :param sources: the presentations to merge, in this order, as in ``MergePresentationsOperator``
    :param target_format: the format to convert to, such as ``pdf``
    :param conn_id: connection to the service
    :param destination: where the result goes, as in ``DownloadResultOperator``
    :param options: the options of the conversion, as in ``StartConversionOperator``
    :param deferrable: wait in the triggerer
    :param group_id: the id of the group, unique in its Dag
    :raises ValueError: if the destination's extension is that of another format
    """
    end = extension(address_of(destination).rpartition("/")[2])
    if "{" not in f"{end}{target_format}" and "}" not in end and not fits_format(end, target_format):
        raise ValueError(
            f"destination {str(destination)!r} ends with .{end}, but the result is a {target_format} file; if it is a "
            "folder, let it end with /"
        )
    merged = f"{_MERGED}{group_id}.pptx"
    with TaskGroup(group_id) as group:
        merge = MergePresentationsOperator(
            task_id="merge", sources=sources, conn_id=conn_id, options={"outPath": merged}
        )
        operation: Any = merge.output
        merging = ConversionSensor(
            task_id="wait_for_merge", operation_id=operation, conn_id=conn_id, deferrable=deferrable
        )
        convert = StartConversionOperator(
            task_id="convert",
            source=f"aspose-slides:///{merged}",
            target_format=target_format,
            conn_id=conn_id,
            options=options,
        )
        operation = convert.output
        converting = ConversionSensor(
            task_id="wait_for_conversion", operation_id=operation, conn_id=conn_id, deferrable=deferrable
        )
        operation = converting.output
        DownloadResultOperator(
            task_id="download",
            operation_id=operation,
            conn_id=conn_id,
            source=f"aspose-slides:///{merged}",
            destination=destination,
            remote_source=f"aspose-slides:///{merged}",
            cleanup=True,
        )
        merging >> convert
    return group
