"""
Convert last night's documents to PDF: decks, text documents and DjVu scans, each with the service for its type.

The Dag lists a folder in object storage and maps start, wait and download over its documents. A retry never pays twice.

**What to set:** the params `inbox` and `outbox`, and a connection for each service (`docconv-sandbox` serves all three,
to try it out).

**What a red task means:** that document was not converted; the others were. Open the run: the list of its tasks has the
documents' names. The end of the task's log says why, and what to do. A red `wait` is a conversion that failed at the
service: clear the `start` of the same document to send it again.

**Where the results are:** in the outbox, and behind the link *Results* on the *Details* of `download`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_docconv.batch.sources import chunk_documents
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

SLIDES, GROUPDOCS, OCR = "aspose_slides_default", "groupdocs_conversion_default", "aspose_ocr_default"
CONNECTIONS = {
    SLIDES: ("pptx", "pptm", "ppt", "ppsx", "odp"),
    GROUPDOCS: ("docx", "doc", "odt", "rtf", "xlsx", "xls", "ods"),
    OCR: ("djvu",),
}
CONNECTION_OF = {kind: conn_id for conn_id, kinds in CONNECTIONS.items() for kind in kinds}

with DAG(
    dag_id="nightly_conversion",
    description="Convert each document of a folder to PDF in tasks of its own",
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "inbox": Param("s3://aws_default@documents/inbox", type="string", description="Folder of the documents"),
        "outbox": Param("s3://aws_default@documents/pdf", type="string", description="Folder for the results"),
    },
    tags=["docconv"],
) as dag:

    @task
    def list_documents(params: dict[str, str]) -> list[dict[str, str]]:
        """List the documents that a service can convert, without lock files, unfinished uploads and the like."""
        outbox = params["outbox"].rstrip("/")
        chunks = chunk_documents(f"{params['inbox'].rstrip('/')}/", include=[f"*.{kind}" for kind in CONNECTION_OF])
        sources = [f"{chunk['folder']}{name}" for chunk in chunks for name in chunk["documents"]]
        return [
            {
                "source": source,
                "conn_id": CONNECTION_OF[kind.lower()],
                "destination": f"{outbox}/{stem}-{kind.lower()}.pdf",
            }
            for source in sources
            for stem, _, kind in [source.rpartition("/")[2].rpartition(".")]
        ]

    @task_group
    def convert(source: str, conn_id: str, destination: str) -> None:
        """Convert one document."""
        start = StartConversionOperator(task_id="start", source=source, conn_id=conn_id, target_format="pdf")
        wait = ConversionSensor(
            task_id="wait",
            operation_id=start.output,
            conn_id=conn_id,
            source=source,
            deferrable=True,
        )
        DownloadResultOperator(
            task_id="download",
            operation_id=wait.output,
            conn_id=conn_id,
            source=source,
            source_sha256=start.output["source_sha256"],
            destination=destination,
        )

    convert.expand_kwargs(list_documents())
