"""
Convert last night's documents to PDF in one task: decks, texts and scans, each by its service.

Unlike `nightly_conversion`, which shows each document in the grid, this scales to ten thousand documents: it skips what
has not changed, resumes where a failed night stopped, and leaves a report beside the results.

**What to set:** the params `inbox` and `outbox`, folders in any object storage, and the connections that `SERVICES` in
the Dag file names; take out what you don't have.

**What a red task means:** more than 2 % of the documents were not converted. All others were. The end of the task's log
names the first ten with what to do. Correct them in the inbox, and the next run sends them again, and only them.

**Where the report is:** behind the link *Report* on the task's *Details*, and in the folder
`.docconv/reports/nightly_batch.convert` of the outbox.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset, Param

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

SERVICES = {
    "*.{ppt,pptx,pptm,pps,ppsx,odp}": "aspose_slides_default",
    "*.{djvu,djv}": "aspose_ocr_default",
    "*.{doc,docx,odt,rtf,xls,xlsx,ods}": "groupdocs_conversion_default",
}

with DAG(
    dag_id="nightly_batch",
    description="Convert a folder of mixed documents to PDF in one task",
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "inbox": Param("s3://aws_default@documents/inbox", type="string", description="Folder of the documents"),
        "outbox": Param("s3://aws_default@documents/pdf", type="string", description="Folder for the results"),
    },
    tags=["docconv"],
) as dag:
    ConvertDocumentsOperator(
        task_id="convert",
        source="{{ params.inbox }}/",
        target_format="pdf",
        conn_id=SERVICES,
        destination="{{ params.outbox }}/{folder}{stem}-{extension}.{format}",
        on_document_error=0.02,
        deferrable=True,
        # Other Dags can be scheduled on it; see on_results.py.
        outlets=[Asset("converted_documents")],
    )
