"""A batch and a single conversion whose results others can see: as assets, as lineage, as metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param

from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.sensors.docconv import ConversionSensor

PARAMS = {name: Param("", type="string") for name in ("source", "destination")}
SERVICE: dict[str, Any] = {"conn_id": "results_service"}

with DAG("results", schedule=None, params=PARAMS, default_args={"retries": 1, "retry_delay": timedelta(0)}):
    ConvertDocumentsOperator(
        task_id="convert",
        source="{{ params.source }}",
        target_format="pdf",
        destination="{{ params.destination }}",
        on_document_error="ignore",
        grace=1,
        deferrable=True,
        outlets=[Asset("converted_documents"), AssetAlias("converted_folders")],
        **SERVICE,
    )

with DAG("single_result", schedule=None, params=PARAMS):
    start = StartConversionOperator(task_id="start", source="{{ params.source }}", target_format="pdf", **SERVICE)
    wait = ConversionSensor(
        task_id="wait", operation_id=start.output, source="{{ params.source }}", grace=0, deferrable=True, **SERVICE
    )
    DownloadResultOperator(
        task_id="download",
        operation_id=wait.output,
        source="{{ params.source }}",
        destination="{{ params.destination }}",
        outlets=[Asset("downloaded_document")],
        **SERVICE,
    )
