"""Adds *Conversions* to Airflow's UI, from Airflow 3.1.1 on. Every Airflow process imports this, so it is light."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow_provider_docconv.compat import AIRFLOW_VERSION, AirflowPlugin

log = logging.getLogger(__name__)


class DocConvPlugin(AirflowPlugin):
    """Shows all conversions under *Browse*, and the report of each task."""

    name = "docconv"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow only reads it.
        """The pages. Only an API server asks for them, and so imports what they need."""
        if AIRFLOW_VERSION < (3, 1, 1):
            return []  # A page in one of the UI's frames would not know who is logged in.
        try:
            from airflow_provider_docconv.plugins.app import app
        except Exception:  # Whatever it is, the API server would not start.
            log.exception("The conversions can't be shown in Airflow's UI")
            return []
        return [{"app": app, "url_prefix": "/docconv", "name": "docconv"}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The entry of the menu, if there is something to show."""
        if not self.fastapi_apps:
            return []
        # Relative, so that it works below a base path; the tasks' links lead to this route.
        place = {"destination": "nav", "category": "browse", "url_route": "conversions"}
        return [{"name": "Conversions", "href": "docconv/conversions", **place}]
