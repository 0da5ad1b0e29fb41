"""Waits that no worker begins or ends, in every form in which Airflow 3.3 has them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

SOURCE, CONN_ID = "{{ params.source }}", "{{ params.conn_id }}"
FROM_TRIGGER = {"start_from_trigger": True, "end_from_trigger": True, "poke_interval": 1}


with DAG(
    "from_trigger",
    schedule=None,
    params={name: Param("", type="string") for name in ("source", "conn_id", "destination")},
    default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
) as dag:
    start = StartConversionOperator(task_id="start", source=SOURCE, target_format="pdf", conn_id=CONN_ID)

    # The output of a task, and what follows a wait.
    wait = ConversionSensor(
        task_id="wait",
        operation_id=start.output,
        conn_id=CONN_ID,
        source=SOURCE,
        **FROM_TRIGGER,
    )
    DownloadResultOperator(
        task_id="download", operation_id=wait.output, conn_id=CONN_ID, destination="{{ params.destination }}"
    )

    # A template.
    start >> ConversionSensor(
        task_id="template",
        operation_id="{{ ti.xcom_pull(task_ids='start', map_indexes=-1) }}",
        conn_id=CONN_ID,
        **FROM_TRIGGER,
    )

    # A mapped sensor: begun by a worker, ended in the triggerer.
    @task
    def twice(operation_id: str) -> list[str]:
        return [operation_id, operation_id]

    ConversionSensor.partial(
        task_id="mapped", conn_id=CONN_ID, deferrable=True, end_from_trigger=True, grace=0.0, poke_interval=1
    ).expand(operation_id=twice(start.output))

    # A mapped group.
    @task
    def sources(params: Any) -> list[str]:
        return [params["source"]] * 2

    @task_group
    def convert(source: str) -> None:
        own = StartConversionOperator(task_id="start", source=source, target_format="pdf", conn_id=CONN_ID)
        ConversionSensor(task_id="wait", operation_id=own.output, conn_id=CONN_ID, **FROM_TRIGGER)

    convert.expand(source=sources())
