"""One document in three tasks, and a folder of them in one; each defers at its first look."""

from __future__ import annotations

import pendulum

from airflow_provider_docconv.compat import DAG, Param
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.sensors.docconv import ConversionSensor

DECK = {"source": "{{ params.inbox }}/deck.pptx", "conn_id": "docs"}
AT_ONCE = {"deferrable": True, "grace": 0}

with DAG(
    "whole",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"inbox": Param("", type="string"), "outbox": Param("", type="string")},
):
    start = StartConversionOperator(task_id="start", target_format="pdf", **DECK)
    wait = ConversionSensor(task_id="wait", operation_id=start.output, **DECK, **AT_ONCE)
    download = DownloadResultOperator(
        task_id="download", operation_id=wait.output, destination="{{ params.outbox }}/one/", **DECK
    )
    download >> ConvertDocumentsOperator(
        task_id="convert",
        source="{{ params.inbox }}/",
        target_format="pdf",
        conn_id="docs",
        destination="{{ params.outbox }}/all/",
        **AT_ONCE,
    )
