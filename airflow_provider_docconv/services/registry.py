"""All conversion services that there are; a new one is a module of its own and a line here."""

from __future__ import annotations

from airflow_provider_docconv.services.groupdocs.service import GroupDocsConversion
from airflow_provider_docconv.services.ocr.service import AsposeOcr
from airflow_provider_docconv.services.service import ConversionService
from airflow_provider_docconv.services.slides.service import AsposeSlides

SERVICES: dict[str, type[ConversionService]] = {
    service.name: service for service in (AsposeSlides, GroupDocsConversion, AsposeOcr)
}
