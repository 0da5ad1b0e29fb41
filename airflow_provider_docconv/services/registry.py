"""All conversion services that there are; a new one is a module of its own and a line here."""

from __future__ import annotations

from airflow_provider_docconv.services.aspose_ocr import AsposeOcr
from airflow_provider_docconv.services.aspose_slides import AsposeSlides
from airflow_provider_docconv.services.groupdocs_conversion import GroupDocsConversion
from airflow_provider_docconv.services.service import ConversionService

SERVICES: dict[str, type[ConversionService]] = {
    service.name: service for service in (AsposeSlides, GroupDocsConversion, AsposeOcr)
}
