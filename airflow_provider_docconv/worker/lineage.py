"""
Tells OpenLineage which documents a task has read and which results it has written.

Tasks note that as they go. OpenLineage's own classes are imported when its provider asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.report import ReportLine
from airflow_provider_docconv.transfer.object_storage import to_path

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_docconv.batch.batch import Batch
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import Document, RemoteDocument
    from airflow_provider_docconv.transfer.delivery import DeliveredFile

# How many documents and results an event names, and how many errors: it is sent in one request.
_LISTED = 100
_ERRORS = 10
# The namespaces of stores by the schemes of addresses, as OpenLineage names datasets. Azure's has the account, too.
_NAMESPACES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs"}
_AZURE = ("abfs", "abfss", "adl")


class File(NamedTuple):
    """
    A document or a result.

    :param address: its address
    :param size: its length in bytes, if known
    :param sha256: its SHA-256 in hexadecimal, if known
    """

    address: str
    size: int | None = None
    sha256: str | None = None

    @classmethod
    def of(cls, address: str, document: Document | RemoteDocument) -> Self:
        """Return a document with its address."""
        return cls(address, getattr(document, "size", None), getattr(document, "sha256", None))


@dataclass(kw_only=True)
class Lineage:
    """
    What a task has done.

    :param hooks: the hooks of its connections
    :param operation_id: the operation of a single conversion
    :param inputs: documents that it has read, at most the first hundred
    :param outputs: results that it has written, at most the first hundred, and its report
    :param more_inputs: how many there are beyond these
    :param more_outputs: how many there are beyond these
    :param details: what else there is to know, as plain JSON values
    """

    hooks: Sequence[DocConvHook]
    operation_id: str | None = None
    inputs: Sequence[File] = ()
    outputs: Sequence[File] = ()
    more_inputs: int = 0
    more_outputs: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    def has_written(self, results: Iterable[DeliveredFile]) -> None:
        """Note the results of a single conversion."""
        files = [File(each["uri"], each["size"], each["sha256"]) for each in results]
        self.outputs, self.more_outputs = files[:_LISTED], len(files[_LISTED:])

    @classmethod
    def of_batch(cls, batch: Batch, hooks: Mapping[str, DocConvHook]) -> Self:
        """
        Return what a batch has done in its run. Documents that it has skipped are not part of it, its report is.

        :param batch: the batch
        :param hooks: the hooks of its connections, by connection id
        """
        counts = batch.states()
        delivered = [line for line in batch.report_lines() if line.state is DocumentState.DELIVERED]
        bad = [line for line in batch.report_lines() if line.state in (DocumentState.REJECTED, DocumentState.FAILED)]
        results = sum(len(line.results) + line.more_results for line in delivered)
        outputs = list(islice(_results(delivered), _LISTED))
        more_outputs = results - len(outputs)
        if batch.is_reported:
            # Never without an output: the provider would take the files of the record for that.
            outputs.append(File(f"{batch.report}.jsonl"))
        inputs = [File(line.source, line.size, line.source_sha256) for line in [*delivered, *bad][:_LISTED]]
        details = {
            "documents": {state.value: number for state, number in counts.items()},
            "bytesRead": sum(line.size or 0 for line in delivered),
            "bytesWritten": sum(result["size"] for line in delivered for result in line.results),
            "record": str(batch.record.folder),
            "report": f"{batch.report}.html",
            "errors": [
                {"source": line.source, "type": line.error_type, "message": line.error, "remedy": line.remedy}
                for line in bad[:_ERRORS]
            ],
            "moreErrors": len(bad[_ERRORS:]),
        }
        return cls(
            hooks=list(hooks.values()),
            inputs=inputs,
            outputs=outputs,
            more_inputs=len(delivered) + len(bad) - len(inputs),
            more_outputs=more_outputs,
            details=details,
        )


def openlineage_facets(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """
    Return what a task has done as OpenLineage's provider takes it.

    :param lineage: what it has done
    """
    from airflow.providers.common.compat.openlineage.facet import ExternalQueryRunFacet
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.facet_v2 import JobFacet, RunFacet

    services = [
        {"connection": hook.conn_id, "type": hook.service.name, "name": hook.service.label, "url": hook.service_url}
        for hook in lineage.hooks
    ]
    more = {"moreInputs": lineage.more_inputs, "moreOutputs": lineage.more_outputs}
    run_facets: dict[str, Any] = {"docconv_documents": RunFacet().with_additional_properties(**lineage.details, **more)}
    if lineage.operation_id:
        source = str(services[0]["url"])
        run_facets["externalQuery"] = ExternalQueryRunFacet(externalQueryId=lineage.operation_id, source=source)
    return OperatorLineage(
        inputs=[_input(each) for each in lineage.inputs],
        outputs=[_output(each) for each in lineage.outputs],
        run_facets=run_facets,
        # The provider itself fills the facet jobType, and says that the job is a task of Airflow.
        job_facets={"docconv_services": JobFacet().with_additional_properties(services=services)},
    )


def _results(lines: Iterable[ReportLine]) -> Iterator[File]:
    return (File(each["uri"], each["size"], each["sha256"]) for line in lines for each in line.results)


def _input(file: File) -> Any:
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    namespace, name = dataset_name(file.address)
    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(size=file.size, fileCount=1)
    return InputDataset(namespace, name, facets=_version(file), inputFacets={"inputStatistics": read})


def _output(file: File) -> Any:
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    namespace, name = dataset_name(file.address)
    written = OutputStatisticsOutputDatasetFacet(size=file.size, fileCount=1)
    return OutputDataset(namespace, name, facets=_version(file), outputFacets={"outputStatistics": written})


def _version(file: File) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    if file.sha256 is None:
        return {}
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=file.sha256)}


def dataset_name(address: str) -> tuple[str, str]:
    """
    Return the namespace and the name of a dataset, as OpenLineage's specification names files in stores.

    :param address: the file's address
    """
    scheme, found, rest = address.partition("://")
    if not found:
        return "file", address
    host, _, key = rest.partition("/")
    host = host.rpartition("@")[2]  # Before it is the id of an Airflow connection.
    if scheme in ("file", "local"):
        return f"file://{host}" if host else "file", f"/{key}"
    if scheme in _AZURE:
        account = _account(address)
        return f"abfss://{host}@{account}.dfs.core.windows.net" if account else f"abfss://{host}", key
    return f"{_NAMESPACES.get(scheme, scheme)}://{host or 'default'}", key


def _account(address: str) -> str:
    try:
        fs: Any = to_path(address).fs
        return str(fs.service_client.account_name)
    except Exception:  # Whatever the driver raises: a name without the account is better than none.
        return ""
