"""
Convert documents to PDF when they arrive, instead of at night.

The triggerer lists the folder every half minute. When new or changed documents have settled there, it starts a run,
which converts them and skips all others. Whatever arrives meanwhile is left for the next run.

**What to set:** `INBOX`, `OUTBOX` and the connection, in the Dag file.

**What a red task means:** at least one document was not converted. All others were. The end of the task's log names the
first ten with what to do.

**Where the report is:** behind the link *Report* on the task's *Details*, and in `.docconv/reports` of the outbox.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.triggers.documents import IncomingDocumentsTrigger

INBOX = "s3://aws_default@documents/inbox/"
OUTBOX = "s3://aws_default@documents/pdf/"

incoming = Asset(
    "incoming_documents",
    watchers=[AssetWatcher(name="inbox", trigger=IncomingDocumentsTrigger(INBOX, include="*.docx"))],
)

with DAG(
    dag_id="on_arrival",
    description="Convert documents to PDF when they arrive",
    doc_md=__doc__,
    schedule=[incoming],
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["docconv"],
) as dag:
    ConvertDocumentsOperator(
        task_id="convert",
        source=f"{INBOX}**/*.docx",
        target_format="pdf",
        conn_id="groupdocs_conversion_default",
        destination=OUTBOX,
        deferrable=True,
    )
