"""A batch that has two documents at the service at once, for whoever wants to watch it."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

with DAG("watched", schedule=None, params={"inbox": Param("", type="string"), "outbox": Param("", type="string")}):
    ConvertDocumentsOperator(
        task_id="convert",
        source="{{ params.inbox }}/",
        target_format="pdf",
        conn_id="aspose_slides_default",
        destination="{{ params.outbox }}/",
        max_in_flight=2,
        max_poke_interval=2,
        grace=1,
        deferrable=True,
    )
