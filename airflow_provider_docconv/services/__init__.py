"""
The vendors' protocols, pure: they build requests and read replies, without sockets, clock or Airflow.

A new service is a module here and a line in :mod:`~airflow_provider_docconv.services.registry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_docconv.services.registry import SERVICES

__all__ = ["SERVICES"]


def __getattr__(name: str) -> object:
    # Not at once: a trigger's module needs the errors only, and Airflow imports it in its event loop.
    if name == "SERVICES":
        from airflow_provider_docconv.services.registry import SERVICES

        return SERVICES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
