"""What Airflow's plugin mechanism asks of a provider; read by every Airflow command, so it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_docconv import __version__
from airflow_provider_docconv.hooks.fields import CONNECTION_TYPES

_DOCS = "https://pypi.org/project/airflow-provider-docconv/"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, after Airflow's ``provider_info.schema.json``."""
    name = "Document conversion"
    module = "airflow_provider_docconv"
    return {
        "package-name": "airflow-provider-docconv",
        "name": name,
        "description": "Converts documents in bulk through asynchronous conversion services.",
        "versions": [__version__],
        "integrations": [{"integration-name": name, "external-doc-url": _DOCS, "tags": ["service"]}],
        "hooks": [{"integration-name": name, "python-modules": [f"{module}.hooks.docconv"]}],
        "operators": [{"integration-name": name, "python-modules": [f"{module}.operators.docconv"]}],
        "sensors": [{"integration-name": name, "python-modules": [f"{module}.sensors.docconv"]}],
        "triggers": [{"integration-name": name, "python-modules": [f"{module}.triggers.docconv"]}],
        "connection-types": [fields.provider_info() for fields in CONNECTION_TYPES],
        "config": {"docconv": {"description": "Document conversion.", "options": {"ledger_path": _LEDGER_PATH}}},
    }


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
