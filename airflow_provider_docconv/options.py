"""
The options of each service as types, for annotations that a type checker checks.

A Dag that says ``options: SlidesOptions = {"exportOptions": {"jpegQuality": 90}}`` is checked while it is written; any
other mapping is checked when its task starts.
"""

from __future__ import annotations

from airflow_provider_docconv.services.groupdocs.options import GroupDocsOptions
from airflow_provider_docconv.services.ocr.options import OcrSettings
from airflow_provider_docconv.services.slides.options import SlidesMergeOptions, SlidesOptions, SlidesSplitOptions

__all__ = ["GroupDocsOptions", "OcrSettings", "SlidesMergeOptions", "SlidesOptions", "SlidesSplitOptions"]
