"""A document per mapped task, as in ``dags_examples/nightly_conversion.py``."""

from __future__ import annotations

from airflow.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

CONNECTION = "echo"

with DAG("mapped", schedule=None, params={"source": Param(type="string"), "destination": Param(type="string")}) as dag:

    @task
    def list_documents(params: dict[str, str]) -> list[dict[str, str]]:
        """List the documents."""
        paths = sorted(ObjectStoragePath(params["source"]).iterdir(), key=str)
        return [{"source": str(path), "destination": f"{params['destination']}{path.stem}.pdf"} for path in paths]

    @task_group
    def convert(source: str, destination: str) -> None:
        """Convert one document."""
        start = StartConversionOperator(task_id="start", source=source, conn_id=CONNECTION, target_format="pdf")
        wait = ConversionSensor(
            task_id="wait",
            operation_id=start.output,  # type: ignore[arg-type]  # Airflow fills it in.
            conn_id=CONNECTION,
            source=source,
            deferrable=True,
            poke_interval=2,
        )
        DownloadResultOperator(
            task_id="download",
            operation_id=wait.output,  # type: ignore[arg-type]  # Airflow fills it in.
            conn_id=CONNECTION,
            source=source,
            destination=destination,
        )

    convert.expand_kwargs(list_documents())  # type: ignore[call-arg, misc]  # Airflow fills in the params.
