"""What Airflow's plugin mechanism asks of a provider; read by every Airflow command, so it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_docconv import __version__
from airflow_provider_docconv.hooks.fields import CONNECTION_TYPES

# The vendors' documentation of each service.
_INTEGRATIONS = {
    "Aspose.Slides Cloud": "https://docs.aspose.cloud/slides/",
    "GroupDocs.Conversion Cloud": "https://docs.groupdocs.cloud/conversion/",
    "Aspose.OCR Cloud": "https://docs.aspose.cloud/ocr/",
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, after Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-docconv",
        "name": "Document conversion",
        "description": "Converts documents in bulk through asynchronous conversion services.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": name, "external-doc-url": url, "tags": ["service"]}
            for name, url in _INTEGRATIONS.items()
        ],
        **{kind: _modules(kind) for kind in ("hooks", "operators", "sensors", "triggers")},
        "connection-types": [fields.provider_info() for fields in CONNECTION_TYPES],
        "config": {"docconv": {"description": "Document conversion.", "options": {"ledger_path": _LEDGER_PATH}}},
    }


def _modules(kind: str) -> list[dict[str, Any]]:
    names = ("docconv", "documents") if kind == "triggers" else ("docconv",)
    modules = [f"airflow_provider_docconv.{kind}.{name}" for name in names]
    return [{"integration-name": name, "python-modules": modules} for name in _INTEGRATIONS]


_LEDGER_PATH = {
    "description": (
        "Folder, as an object storage URI, where operation ids are recorded on Airflow before 3.3, which has no "
        "task state store. All workers must reach it. Empty: docconv/ledger below AIRFLOW_HOME."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@bucket/docconv-ledger",
    "default": "",
}
