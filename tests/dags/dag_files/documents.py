"""The Dags that the tests run: one document through each mode, and tasks that are killed at bad moments."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

PARAMS = {
    "source": Param("", type="string"),
    "conn_id": Param("aspose_slides_default", type="string"),
    "destination": Param("", type="string"),
}
FIELDS = {"source": "{{ params.source }}", "conn_id": "{{ params.conn_id }}"}
ARGUMENTS = {"retries": 1, "retry_delay": timedelta(seconds=1)}


class KilledAfterStart(StartConversionOperator):
    """Its worker is killed in the first try, after the operation id was written down."""

    def execute(self, context: Any) -> str:
        operation_id = super().execute(context)
        kill_in_first_try(context)
        return operation_id


class KilledBeforeRecord(StartConversionOperator):
    """Its worker is killed in the first try, between the service's reply and the record of the operation id."""

    def execute(self, context: Any) -> str:
        from airflow_provider_docconv.hooks.docconv import DocConvHook

        start = DocConvHook.start

        def start_and_die(*arguments: Any) -> Any:
            started = start(*arguments)
            kill_in_first_try(context)
            return started

        DocConvHook.start = start_and_die
        return super().execute(context)


def kill_in_first_try(context: Any) -> None:
    if context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def one_document(dag_id: str, start: type[StartConversionOperator], deferrable: bool, **options: Any) -> DAG:
    with DAG(dag_id, schedule=None, params=PARAMS, default_args=ARGUMENTS) as dag:
        started = start(task_id="start", target_format="pdf", options=options, **FIELDS)
        wait = ConversionSensor(
            task_id="wait", operation_id=started.output, deferrable=deferrable, poke_interval=1, grace=1, **FIELDS
        )
        DownloadResultOperator(
            task_id="download", operation_id=wait.output, destination="{{ params.destination }}", **FIELDS
        )
    return dag


plain = one_document("plain", StartConversionOperator, deferrable=False)
deferrable = one_document("deferrable", StartConversionOperator, deferrable=True)
encrypted = one_document(
    "encrypted", StartConversionOperator, deferrable=True, password="{{ conn.document_password.password }}"
)
killed_after_start = one_document("killed_after_start", KilledAfterStart, deferrable=True)
killed_before_record = one_document("killed_before_record", KilledBeforeRecord, deferrable=True)
