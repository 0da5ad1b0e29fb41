"""A night in chunks, one mapped task each, for a worker to be lost in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_docconv.batch.sources import chunk_documents
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

PARAMS = {
    "source": Param(type="string"),
    "destination": Param(type="string"),
    "conn_id": Param("echo", type="string"),
    "size": Param(30, type="integer"),
}

with DAG(
    "chunks", schedule=None, params=PARAMS, default_args={"retries": 3, "retry_delay": timedelta(seconds=1)}
) as dag:

    @task
    def cut(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Cut the folder into chunks."""
        return chunk_documents(params["source"], params["size"])

    ConvertDocumentsOperator.partial(
        task_id="convert",
        target_format="pdf",
        conn_id="{{ params.conn_id }}",
        destination="{{ params.destination }}",
        # Few at once, so that a chunk takes long enough to lose its worker in the middle.
        max_in_flight=8,
        max_transfers=4,
        deferrable=True,
    ).expand(source=cut())
