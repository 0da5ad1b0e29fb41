"""The connection forms, one for each service, in plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_HIDDEN = ["schema", "port"]


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """
    A connection type and its form.

    :param name: the connection type
    :param hook: class name of its hook
    :param label: what the user interface calls it
    :param host: the vendor's base URL, shown as a placeholder
    :param dashboard: the vendor's page of the account
    :param has_storage: whether the service has a storage that documents can lie in
    """

    name: str
    hook: str
    label: str
    host: str
    dashboard: str
    has_storage: bool

    def behaviour(self) -> dict[str, Any]:
        """Return the labels and placeholders of the standard fields."""
        return {
            "hidden-fields": _HIDDEN,
            "relabeling": {"host": "Base URL", "login": "Client ID", "password": "Client Secret"},
            "placeholders": {
                "host": f"{self.host} (the vendor's, if left empty)",
                "login": "from the vendor's dashboard, under Applications",
                "password": "from the vendor's dashboard, under Applications",
            },
        }

    def extra_fields(self) -> dict[str, dict[str, Any]]:
        """Return the fields that are stored in the connection's extra, in the form of ``conn-fields``."""
        fields: dict[str, dict[str, Any]] = {
            "auth_url": {
                "label": "Login URL",
                "description": "Only if the login is not at /connect/token of the base URL.",
                "schema": {"type": ["string", "null"]},
            },
            "storage_name": {
                "label": "Storage name",
                "description": "The vendor's storage to use, if not the account's default one.",
                "schema": {"type": ["string", "null"]},
            },
            "timeout": {
                "label": "Read timeout (s)",
                "description": "How long the service may be silent; 120 seconds if left empty.",
                "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600},
            },
            "connect_timeout": {
                "label": "Connect timeout (s)",
                "description": "How long a connection may take to stand; 10 seconds if left empty.",
                "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 600},
            },
            "max_concurrent_calls": {
                "label": "Calls at once",
                "description": "How many calls a process may have under way at once; 20 if left empty.",
                "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
            },
            "max_calls_per_second": {
                "label": "Calls per second",
                "description": "How many calls a process may send in a second; 1000 if left empty.",
                "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 10000},
            },
            "verify": {
                "label": "Verify TLS",
                "description": "true, false, or a file with the certificate authorities to trust.",
                "schema": {"type": ["string", "null"]},
            },
        }
        if not self.has_storage:
            del fields["storage_name"]
        return fields

    def provider_info(self) -> dict[str, Any]:
        """Return the entry of ``connection-types`` in the provider's description."""
        return {
            "connection-type": self.name,
            "hook-class-name": f"airflow_provider_docconv.hooks.docconv.{self.hook}",
            "hook-name": self.label,
            "ui-field-behaviour": self.behaviour(),
            "conn-fields": self.extra_fields(),
        }


ASPOSE_SLIDES = ConnectionType(
    "aspose_slides",
    "AsposeSlidesHook",
    "Aspose.Slides Cloud",
    "https://api.aspose.cloud",
    "https://dashboard.aspose.cloud",
    has_storage=True,
)
GROUPDOCS_CONVERSION = ConnectionType(
    "groupdocs_conversion",
    "GroupDocsConversionHook",
    "GroupDocs.Conversion Cloud",
    "https://api.groupdocs.cloud",
    "https://dashboard.groupdocs.cloud",
    has_storage=True,
)
ASPOSE_OCR = ConnectionType(
    "aspose_ocr",
    "AsposeOcrHook",
    "Aspose.OCR Cloud",
    "https://api.aspose.cloud",
    "https://dashboard.aspose.cloud",
    has_storage=False,
)
CONNECTION_TYPES = (ASPOSE_SLIDES, GROUPDOCS_CONVERSION, ASPOSE_OCR)
