"""
The options of docling-serve, by its own names.

Facts: ``ConvertDocumentsOptions`` of docling 2.143, which docling-serve 1.38 takes as form fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

PdfBackend = Literal["pypdfium2", "docling_parse"]


class DoclingOptions(TypedDict, total=False):
    """
    Options of a conversion.

    ``page_range``: the first and the last page, from 1. ``document_timeout``: seconds. ``image_export_mode``: images
    are left out, or become part of the text as base64; ``referenced`` is not supported, because it makes a ZIP. The
    options that are objects, such as the custom configurations of models, are those of the server.
    """

    image_export_mode: Literal["placeholder", "embedded"]
    do_ocr: bool
    force_ocr: bool
    ocr_engine: str
    ocr_lang: Sequence[str]
    ocr_preset: str
    pdf_backend: PdfBackend
    table_mode: Literal["fast", "accurate"]
    table_cell_matching: bool
    pipeline: Literal["legacy", "standard", "native", "vlm", "asr"]
    page_range: Sequence[int]
    document_timeout: float
    abort_on_error: bool
    do_table_structure: bool
    do_pdf_heading_hierarchy: bool
    include_images: bool
    images_scale: float
    md_page_break_placeholder: str
    md_compact_tables: bool
    do_code_enrichment: bool
    do_formula_enrichment: bool
    do_picture_classification: bool
    do_chart_extraction: bool
    do_picture_description: bool
    picture_description_area_threshold: float
    picture_description_preset: str
    vlm_pipeline_preset: str
