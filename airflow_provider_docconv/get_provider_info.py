"""The description of the provider. Every Airflow command loads it, so it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow_provider_docconv import __version__
from airflow_provider_docconv.hooks.connections import extra_fields, standard_fields
from airflow_provider_docconv.services.catalog import ServiceInfo, all_services

_MODULES = {
    "hooks": ("docconv",),
    "operators": ("docconv",),
    "sensors": ("docconv",),
    "triggers": ("docconv", "documents"),
}
_LINKS = ("ReportLink", "ResultsLink", "ServiceLink")
_TASK_STATE_PATH = {
    "description": (
        "Folder, as an object storage URI, where start tasks keep their operation ids on Airflow before 3.3, which has "
        "no task state store. All workers must reach it. Empty: docconv/task_state below AIRFLOW_HOME."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@bucket/docconv-task-state",
    "default": "",
}
_SHARED_FOLDERS = {
    "description": (
        "Folders of the API server's machine, separated by commas, from which its pages may show reports and results, "
        "because the workers see the same folders under the same names. Empty: none. Object stores need no permission."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "/mnt/documents",
    "default": "",
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as in Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-docconv",
        "name": "Document conversion",
        "description": "Converts documents in bulk through asynchronous conversion services.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": service.label, "external-doc-url": service.docs_url, "tags": ["service"]}
            for service in all_services().values()
        ],
        **{kind: _modules(kind) for kind in _MODULES},
        "connection-types": [_connection_type(service) for service in all_services().values()],
        "extra-links": [f"airflow_provider_docconv.links.docconv.{name}" for name in _LINKS],
        "config": {
            "docconv": {
                "description": "Document conversion.",
                "options": {"task_state_path": _TASK_STATE_PATH, "shared_folders": _SHARED_FOLDERS},
            }
        },
    }


def _modules(kind: str) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_docconv.{kind}.{name}" for name in _MODULES[kind]]
    return [{"integration-name": service.label, "python-modules": modules} for service in all_services().values()]


def _connection_type(service: ServiceInfo) -> dict[str, Any]:
    return {
        "connection-type": service.name,
        "hook-class-name": f"airflow_provider_docconv.hooks.docconv.{service.hook_class}",
        "hook-name": service.label,
        "ui-field-behaviour": standard_fields(service),
        "conn-fields": extra_fields(service),
    }
