"""What the UI shows of a task: links to its report, results and service, and its document if it is mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_docconv.compat import AIRFLOW_VERSION, BaseOperator, BaseOperatorLink
from airflow_provider_docconv.services.filetypes import extension
from airflow_provider_docconv.transfer.addresses import address_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_docconv.compat import Context
    from airflow_provider_docconv.worker.lineage import Lineage

# The XCom of Airflow 2.
_URLS = "docconv_links"
# Never empty nor a Python literal: a Dag that renders templates to native objects would fail its tasks.
_DOCUMENT_NAME = "{{ task.document_name or '#%s' % ti.map_index }}"
# Airflow's column for it has 250 characters.
_LONGEST = 200


class _Link(BaseOperatorLink):
    """
    A link whose address a worker has published.

    Airflow 3 asks for it in the worker after each pass, so that the link is there while the task is deferred and after
    it has failed. Airflow 2 asks in the web server, which finds the address in an XCom.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the address, empty if the task did not get far enough to know it, or if no browser can open it.

        :param operator: the task's operator
        :param ti_key: the task instance
        """
        urls = getattr(operator, "link_urls", None)
        if urls is None and AIRFLOW_VERSION < (3, 0):
            from airflow.models.xcom import XCom  # Airflow 3 has it elsewhere, and does not come here.

            urls = XCom.get_value(ti_key=ti_key, key=_URLS)
        return str((urls or {}).get(self.name, ""))


class ReportLink(_Link):
    """Opens the report of a batch: in Airflow, or before Airflow 3.1.1 in the console of its store."""

    name = "Report"


class ResultsLink(_Link):
    """Opens the results: in the console of their store, or in the report, from which they can be downloaded."""

    name = "Results"


class ServiceLink(_Link):
    """Opens the vendor's dashboard, which shows the account's usage or, for another host, its base URL."""

    name = "Conversion service"


def publish_links(operator: Any, context: Context, **urls: str) -> None:
    """
    Make the addresses of a task's links known; runs in a worker.

    :param operator: the task's operator
    :param context: the task's context
    :param urls: the addresses: ``report``, ``results`` and ``service``; empty if no browser can open one
    """
    published = {link.name: urls[key] for key, link in _LINKS.items() if urls.get(key)}
    operator.link_urls = {**(getattr(operator, "link_urls", None) or {}), **published}
    if AIRFLOW_VERSION < (3, 0):
        try:
            context["ti"].xcom_push(key=_URLS, value=operator.link_urls)
        except Exception as error:  # Whatever the XCom backend raises: links are not worth a task.
            operator.log.warning("Could not write the XCom %r: %s", _URLS, error)


def report_url(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Return the address of a batch's report in Airflow, relative to Airflow's base URL; empty before Airflow 3.1.1.

    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: the instance of a mapped task, -1 for a plain task
    """
    if AIRFLOW_VERSION < (3, 1, 1):
        return ""
    # Not the path that the UI shows then: below a base path it has that twice, and a worker may not know it.
    query = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"plugin/conversions?{urlencode(query)}"


_LINKS: dict[str, type[_Link]] = {"report": ReportLink, "results": ResultsLink, "service": ServiceLink}


class DocumentOperator(BaseOperator):
    """
    Base of the operators with a ``source``: mapped tasks, and those in mapped task groups, are called by their
    documents instead of by numbers, unless ``map_index_template`` says otherwise. OpenLineage hears of their documents.
    """

    #: What the task has read and written, as soon as a worker knows.
    lineage: Lineage | None = None

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

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return what the task has read and written; OpenLineage's provider asks when the task has ended."""
        if self.lineage is None:
            return None
        from airflow_provider_docconv.worker.lineage import openlineage_facets

        return openlineage_facets(self.lineage)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return the same of a task that has failed."""
        return self.get_openlineage_facets_on_complete(task_instance)
