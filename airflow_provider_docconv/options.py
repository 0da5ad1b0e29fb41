"""
The options of each service as types, for annotations in Dags.

A type checker reads ``options: SlidesOptions = {"exportOptions": {"jpegQuality": 90}}`` while the Dag is written. Any
mapping of options, annotated or not, is checked when its task starts.
"""

from __future__ import annotations

from airflow_provider_docconv.services.docling.options import DoclingOptions
from airflow_provider_docconv.services.groupdocs.options import GroupDocsOptions
from airflow_provider_docconv.services.ocr.options import OcrSettings
from airflow_provider_docconv.services.slides.options import (
    MergeSource,
    SlidesMergeOptions,
    SlidesOptions,
    SlidesSplitOptions,
)

__all__ = [
    "DoclingOptions",
    "GroupDocsOptions",
    "MergeSource",
    "OcrSettings",
    "SlidesMergeOptions",
    "SlidesOptions",
    "SlidesSplitOptions",
]
