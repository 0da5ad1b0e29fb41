"""Airflow's connections to a sandbox."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docconv_sandbox.settings import Settings

#: The connection type of each default connection.
TYPES = {
    "aspose_slides_default": "aspose_slides",
    "groupdocs_conversion_default": "groupdocs_conversion",
    "aspose_ocr_default": "aspose_ocr",
    "docling_serve_default": "docling_serve",
}


def connections(url: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """
    Give the fields of each connection, by its id.

    :param url: the sandbox's address.
    :param settings: its settings.
    """
    vendor = {"host": url, "login": settings.client_id, "password": settings.client_secret}
    docling = {"host": url, **({"password": settings.api_key} if settings.api_key else {})}
    return {
        conn_id: {"conn_type": kind, **(docling if kind == "docling_serve" else vendor)}
        for conn_id, kind in TYPES.items()
    }


def variables(url: str, settings: Settings) -> dict[str, str]:
    """Give them as the environment variables that Airflow reads; see :func:`connections`."""
    found = connections(url, settings)
    return {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields) for conn_id, fields in found.items()}


def commands(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Give the commands that add connections to Airflow's database."""
    for conn_id, fields in found.items():
        options = " ".join(f"--conn-{name.replace('conn_', '')} {shlex.quote(value)}" for name, value in fields.items())
        yield f"airflow connections add {conn_id} {options}"
