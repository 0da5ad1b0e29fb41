"""All operators: those that start an operation, the one that fetches its results, and the one for whole batches."""

from __future__ import annotations

from airflow_provider_docconv.operators.batch import ConvertDocumentsOperator
from airflow_provider_docconv.operators.download import DownloadResultOperator
from airflow_provider_docconv.operators.start import (
    MergePresentationsOperator,
    SplitPresentationOperator,
    StartConversionOperator,
)

__all__ = [
    "ConvertDocumentsOperator",
    "DownloadResultOperator",
    "MergePresentationsOperator",
    "SplitPresentationOperator",
    "StartConversionOperator",
]
