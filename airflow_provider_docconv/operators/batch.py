"""Converts all documents of a batch in one task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_docconv.compat import conf
from airflow_provider_docconv.links.docconv import DocumentOperator, ReportLink, ResultsLink, ServiceLink
from airflow_provider_docconv.transfer.addresses import address_of, as_folder, names_files

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath
    from airflow_provider_docconv.worker.batch import ConvertDocuments

_MOST_IN_FLIGHT = 1000
# Results are kept for 24 hours: a longer wait would find nothing to fetch.
ONE_DAY = timedelta(hours=24)
# Where a template or a field of a result's name begins.
_VARIABLE = re.compile(r"\{")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# A folder in a store or on this machine, with the store's bucket.
_FOLDER = re.compile(r"(?:(?:file|local)://)?/(?:.*/)?|[a-z][a-z0-9+.-]*://[^/]+/(?:.*/)?", re.IGNORECASE)
# What Airflow calls the parts of a run's date and name in templates.
_NAMES_RUN = re.compile(
    r"\b(?:ds|ds_nodash|ts|ts_nodash|ts_nodash_with_tz|logical_date|execution_date|data_interval_(?:start|end)|run_id|"
    r"dag_run|(?:prev|next|yesterday|tomorrow)_\w+|utcnow|now)\b"
)


class ConvertDocumentsOperator(DocumentOperator):
    """
    Convert one document or ten thousand, each once, and return a summary.

    It keeps up to ``max_in_flight`` operations at the service, delivers each result as soon as it is ready, and gives
    its worker back when there is nothing to do but wait. Whatever ends the task, the next try or run resumes where it
    stopped. A document that has not changed since its last conversion is skipped. The folder ``.docconv`` in ``record``
    holds the batch's record, and a report of each run as a page and as JSON Lines.

    :param source: a path, a folder (ending with ``/``) or a glob, in anything that ``ObjectStoragePath`` takes; a
        mapping with ``source``, ``target_format`` and ``options``; a mapping with ``folder`` and ``documents`` (paths
        below it), as :func:`~airflow_provider_docconv.batch.sources.chunk_documents` makes them; or a list of these
        (templated)
    :param target_format: the format to convert to, as the vendor names it (templated)
    :param conn_id: connection to the service; or, for a folder of mixed documents, a mapping from patterns to
        connections, of which the first that fits a document converts it: ``{"*.{ppt,pptx}": "aspose_slides_default",
        "*.djvu": "aspose_ocr_default"}``. A pattern without a slash is about the name alone; letter case does not
        matter. What fits no pattern is left out (templated)
    :param destination: a folder, which keeps the layout of the sources; or, if its last part has an extension or a
        field, a template of the result's address such as ``s3://bucket/pdf/{folder}{stem}-{extension}.{format}``
        (templated)
    :param record: the folder of the batch's record, which must be the same in every run, because it shows what has
        already been paid for (templated). By default, the part of ``destination`` before its first template or field:
        ``s3://bucket/pdf/{{ ds }}/`` has its record in ``s3://bucket/pdf/``
    :param unpack: unpack a ZIP of page images, or of other single pages, into a folder of the document's name: the
        pages of ``deck.pptx`` are in ``deck/``, where its result would be
    :param options: options under the vendor's names. Give passwords as templates of a connection (templated)
    :param include: patterns of the documents in folders and globs, such as ``"*.{ppt,pptx}"`` or ``["2026/**"]``; a
        pattern without a slash is about the name alone, and letter case does not matter. By default, the documents are
        those whose extension the service converts (templated)
    :param exclude: patterns of what is left out of folders and globs (templated)
    :param on_no_documents: what to do if there is no document at all: ``"skip"`` the task, ``"fail"`` or ``"succeed"``
    :param on_document_error: what to do about documents that could not be converted, after all others are done:
        ``"fail"``, ``"ignore"``, the share of documents that is tolerated (``0.02``), or ``"new"``: fail unless all of
        them were already rejected, as they are, in an earlier run
    :param on_lost_reply: what to do about a start whose reply never came, so that the conversion may or may not have
        begun (and been billed): ``"start_again"`` at the risk of paying twice, or ``"fail"``. Either way the report
        names the document
    :param cleanup: delete what a conversion has left at the service once its result is delivered: the upload and the
        result in GroupDocs' storage, the operation at Aspose.OCR Cloud. Documents that were in the vendor's storage
        before are never deleted. What could not be deleted is in the report, and the next run tries again
    :param on_source_deleted: what becomes of the results of documents that are no longer in their folder: ``"keep"``,
        or ``"delete"`` once two runs have missed them. The report lists them
    :param quarantine: a folder to which rejected documents are copied, each with a JSON file that says why (templated)
    :param full_refresh: convert everything, including what earlier runs have converted
    :param plan: only log what would be converted and skipped and what that would cost, and send nothing
    :param max_in_flight: operations at each service at once, at most 1000
    :param max_transfers: uploads and downloads at once
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest time between two polls; the vendors bill polls
    :param max_result_size: the most bytes that a result may have
    :param fault_tolerance: seconds for which the service may be unreachable
    :param timeout: seconds until a try of the task stops; operations in flight are not lost
    :param grace: seconds without a change after which the worker is given back
    :param deferrable: give the worker back while there is nothing to do but wait
    :raises ValueError: if a parameter has no sensible value, or every run would have a new record
    """

    template_fields: Sequence[str] = (
        "source",
        "target_format",
        "conn_id",
        "destination",
        "record",
        "options",
        "include",
        "exclude",
        "quarantine",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "json", "options": "json"}
    operator_extra_links = (ReportLink(), ResultsLink(), ServiceLink())
    ui_color = "#d5e8fa"

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath | Mapping[str, Any] | Sequence[str | ObjectStoragePath | Mapping[str, Any]],
        target_format: str,
        conn_id: str | Mapping[str, str],
        destination: str | ObjectStoragePath,
        record: str | ObjectStoragePath | None = None,
        options: Mapping[str, Any] | None = None,
        unpack: bool = False,
        include: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] | None = None,
        on_no_documents: Literal["fail", "skip", "succeed"] = "skip",
        on_document_error: Literal["fail", "ignore", "new"] | float = "fail",
        on_lost_reply: Literal["start_again", "fail"] = "start_again",
        cleanup: bool = True,
        on_source_deleted: Literal["keep", "delete"] = "keep",
        quarantine: str | ObjectStoragePath | None = None,
        full_refresh: bool = False,
        plan: bool = False,
        max_in_flight: int = 100,
        max_transfers: int = 8,
        poke_interval: float = 1.0,
        max_poke_interval: float = 60.0,
        max_result_size: int = 16 << 30,
        fault_tolerance: float = 900.0,
        timeout: timedelta | float = ONE_DAY,
        grace: float = 5.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_sensible(on_document_error, on_lost_reply, max_in_flight, max_transfers)
        _require_choices(on_no_documents, on_source_deleted)
        _require_lasting_record(destination, record)
        _require_names(source, destination)
        self.source = source
        self.target_format = target_format
        self.conn_id = conn_id
        self.destination = destination
        # Before Airflow renders its templates: the documents' identity must not change with the run's date.
        self.destination_as_written = as_folder(str(destination))
        self.fixed_folder = _fixed_folder(destination)
        self.record = record
        self.options = options
        self.unpack = unpack
        self.include = include
        self.exclude = exclude
        self.on_no_documents = on_no_documents
        self.on_document_error = on_document_error
        self.on_lost_reply = on_lost_reply
        self.cleanup = cleanup
        self.on_source_deleted = on_source_deleted
        self.quarantine = quarantine
        self.full_refresh = full_refresh
        self.plan = plan
        self.max_in_flight = max_in_flight
        self.max_transfers = max_transfers
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.max_result_size = max_result_size
        self.fault_tolerance = fault_tolerance
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.grace = grace
        self.deferrable = deferrable
        self._pass: ConvertDocuments | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """
        List the documents and convert those that need it, or resume where an earlier try stopped.

        :raises DocumentsFailed: if more documents could not be converted than are tolerated
        :raises DocConvError: if the batch had to stop
        """
        return self._run(context, None)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """
        Resume with what the trigger has seen.

        :raises DocumentsFailed: if more documents could not be converted than are tolerated
        :raises DocConvError: if the batch had to stop
        """
        return self._run(context, event)

    def on_kill(self) -> None:
        """Stop, so that the next run knows what is in flight at the service."""
        if self._pass:
            self._pass.stop()

    def _run(self, context: Context, event: dict[str, Any] | None) -> dict[str, Any]:
        from airflow_provider_docconv.worker.batch import ConvertDocuments

        self._pass = ConvertDocuments(self, context)
        return self._pass.run(event)


def _require_sensible(on_document_error: object, on_lost_reply: str, max_in_flight: int, max_transfers: int) -> None:
    share = isinstance(on_document_error, int | float) and 0 <= on_document_error < 1
    if on_document_error not in ("fail", "ignore", "new") and not share:
        raise ValueError(
            f"on_document_error must be 'fail', 'ignore', 'new' or a share below 1, not {on_document_error!r}"
        )
    if on_lost_reply not in ("start_again", "fail"):
        raise ValueError(f"on_lost_reply must be 'start_again' or 'fail', not {on_lost_reply!r}")
    if not 1 <= max_in_flight <= _MOST_IN_FLIGHT:
        raise ValueError(f"max_in_flight must be between 1 and {_MOST_IN_FLIGHT}, not {max_in_flight!r}")
    if max_transfers < 1:
        raise ValueError(f"max_transfers must be at least 1, not {max_transfers!r}")


def _require_choices(on_no_documents: str, on_source_deleted: str) -> None:
    if on_no_documents not in ("fail", "skip", "succeed"):
        raise ValueError(f"on_no_documents must be 'fail', 'skip' or 'succeed', not {on_no_documents!r}")
    if on_source_deleted not in ("keep", "delete"):
        raise ValueError(f"on_source_deleted must be 'keep' or 'delete', not {on_source_deleted!r}")


def _require_lasting_record(destination: object, record: object) -> None:
    """Refuse a record that would be empty in every run: the whole folder would be converted and paid for every time."""
    if record is not None:
        if _NAMES_RUN.search(_templates(record)):
            raise ValueError(f"record must be the same folder in every run, not {str(record)!r}")
    elif _fixed_folder(destination) is None and _NAMES_RUN.search(_templates(destination)):
        raise ValueError(
            f"destination {str(destination)!r} has no fixed folder before its first template, so every run would have "
            "a new record and pay for everything again; set record to a folder that stays the same"
        )


def _require_names(source: object, destination: object) -> None:
    """Refuse one name for many results, as far as that can be seen before templates are rendered."""
    written = _TEMPLATE.sub("x", address_of(destination))
    if not names_files(written) or "{name}" in written or "{stem}" in written:
        return
    one = source[0] if isinstance(source, list | tuple) and len(source) == 1 else source
    if isinstance(one, Mapping):
        one = one.get("source", "folder/")
    address = _TEMPLATE.sub("x", address_of(one)).strip()
    several = isinstance(one, list | tuple) and "{" not in written
    if several or address.endswith("/") or "*" in address:
        raise ValueError(
            f"destination {str(destination)!r} names a single file, but there may be several documents; give a folder "
            "(with / at its end), or a name with a field such as {stem}.{format}"
        )


def _templates(value: object) -> str:
    text = str(value)
    return text[text.find("{") :] if "{" in text else ""


def _fixed_folder(destination: object) -> str | None:
    """
    Return the part of a destination that is the same in every run, as a folder; None if there is none.

    :param destination: the destination as written in the Dag
    """
    if not isinstance(destination, str) and not hasattr(destination, "protocol"):
        return None  # The output of a task.
    folder = _FOLDER.match(_VARIABLE.split(as_folder(str(destination)), maxsplit=1)[0])
    return folder[0] if folder else None
