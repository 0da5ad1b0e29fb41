"""What the UI shows of a task: a link to its conversion service, and its document if it is mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, BaseOperatorLink

from airflow_provider_docconv.services.filetypes import extension
from airflow_provider_docconv.transfer.addresses import address_of

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from airflow.sdk.types import TaskInstanceKey

# Never empty nor a Python literal: a Dag that renders templates to native objects would fail its tasks.
_DOCUMENT_NAME = "{{ task.document_name or '#%s' % ti.map_index }}"
# Airflow's column for it has 250 characters.
_LONGEST = 200


class ServiceLink(BaseOperatorLink):
    """
    Opens the vendor's dashboard, which shows the account's usage or, for another host, the connection's base URL.

    Airflow 3 gets the address from the worker after each pass, so that the link is there while the task is deferred.
    Airflow 2 looks for it in the web server, which does not know it.
    """

    name = "Conversion service"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the address, empty if the task did not get far enough to know it.

        :param operator: the task's operator
        :param ti_key: the task instance
        """
        return str(getattr(operator, "service_url", ""))


class DocumentOperator(BaseOperator):
    """
    Base of the operators with a ``source``: mapped tasks, and those in mapped task groups, are called by their
    documents instead of by numbers, unless ``map_index_template`` says otherwise.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.map_index_template is None and next(iter(self.iter_mapped_task_groups()), None):
            self.map_index_template = _DOCUMENT_NAME

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Map the operator."""
        # Airflow asks the mapped operator, which has what is given here.
        partial: OperatorPartial = super().partial(**{"map_index_template": _DOCUMENT_NAME, **kwargs})
        return partial

    @property
    def document_name(self) -> str:
        """The document's name, or a folder's with ``/`` and how many of its documents; empty if there is neither."""
        source, number = getattr(self, "source", None), ""
        if isinstance(source, list | tuple) and len(source) == 1:
            source = source[0]
        if isinstance(source, Mapping):
            if isinstance(source.get("documents"), list | tuple):
                number = f" ({len(source['documents'])})"
            source = source.get("source", source.get("folder"))
        address = address_of(source).strip()
        name = address.rstrip("/").rpartition("/")[2]
        if not name or address.endswith("/") or number:
            return f"{name[:_LONGEST]}/{number}" if name else ""
        # Where templates are rendered to native objects, a bare "2026" would be a number.
        return name[-_LONGEST:] if extension(name)[:1].isalpha() else f"{name[:_LONGEST]}/"
