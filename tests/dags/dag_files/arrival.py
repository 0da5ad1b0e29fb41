"""Converts the decks of a bucket when they arrive, and begins when an operation has ended."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from airflow_provider_docconv.triggers.documents import IncomingDocumentsTrigger

INBOX = "s3://arrival_store@documents/inbox/"
# The folder of this session of tests, above that of its Dags.
OUTBOX = Path(__file__).parent.parent / "arrived"

watcher = AssetWatcher(name="inbox", trigger=IncomingDocumentsTrigger(INBOX, include="*.pptx", poke_interval=1))

with DAG("arrival", schedule=[Asset("arrivals", watchers=[watcher])], max_active_runs=1):
    ConvertDocumentsOperator(
        task_id="convert",
        source=f"{INBOX}*.pptx",
        target_format="pdf",
        conn_id="arrival_service",
        destination=f"file://{OUTBOX}/",
        deferrable=True,
    )

OPERATION = OUTBOX.parent / "operation"

if OPERATION.exists():
    trigger = ConversionTrigger(operation_id=OPERATION.read_text(), conn_id="arrival_service")
    with DAG("ended", schedule=[Asset("operation", watchers=[AssetWatcher(name="operation", trigger=trigger)])]):
        EmptyOperator(task_id="nothing")
