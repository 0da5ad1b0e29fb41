"""Converts all of last night's documents in one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_docconv.worker.batch import ConvertDocuments

_MOST_IN_FLIGHT = 1000
# Results are kept for 24 hours: a longer wait would end with nothing to fetch.
_TIMEOUT = timedelta(hours=24)


class ConvertDocumentsOperator(BaseOperator):
    """
    Converts one document or ten thousand, each once, and returns a summary.

    It starts as many as the window allows, delivers each result as soon as it is there, and gives its worker back when
    there is nothing to do but to wait. Whatever ends the task, the next try, or the next night, goes on where it stood.
    A document that has not changed since its last conversion is skipped. Beside the results, in the folder
    ``.docconv``, lie the record of what was done and a report of each run, as JSON Lines and as a page.

    :param source: a path, a folder (with ``/`` at its end) or a glob, in anything that ``ObjectStoragePath`` takes; a
        mapping with ``source``, ``target_format`` and ``options``; a mapping with ``folder`` and ``documents`` (paths
        below it), as :func:`~airflow_provider_docconv.batch.sources.chunk_documents` makes them; or a list of these
        (templated)
    :param target_format: the format to convert to, as the vendor names it (templated)
    :param conn_id: connection to the service (templated)
    :param destination: a folder (with ``/`` at its end), which keeps the layout of the sources, or a template of the
        result's address such as ``s3://bucket/pdf/{folder}{stem}-{extension}.{format}`` (templated)
    :param options: options by the vendor's parameter names. Give passwords as templates of a connection (templated)
    :param on_document_error: what becomes of the task when documents could not be converted, after all others are
        done: ``"fail"``, ``"ignore"``, or the share of documents that is tolerated (``0.02``)
    :param on_lost_reply: what to do about a start that was sent and whose reply never came, so that nobody knows
        whether it is being converted (and billed): ``"start_again"`` at the risk of paying twice, or ``"fail"``. Either
        way the report names the document
    :param full_refresh: convert everything, whatever earlier runs have done
    :param plan: only say in the log what would be converted and what skipped, and send nothing
    :param max_in_flight: operations at the service at once, 1000 at the most
    :param max_transfers: uploads and downloads at once
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest one; the vendors bill polls
    :param fault_tolerance: seconds for which the service may be out of reach
    :param timeout: seconds until a try of the task stops; operations that are under way then are not lost
    :param grace: seconds without news after which the worker is given back
    :param deferrable: give the worker back while there is nothing to do but to wait
    """

    template_fields: Sequence[str] = ("source", "target_format", "conn_id", "destination", "options")
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "json", "options": "json"}
    ui_color = "#d5e8fa"

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath | Mapping[str, Any] | Sequence[str | ObjectStoragePath | Mapping[str, Any]],
        target_format: str,
        conn_id: str,
        destination: str | ObjectStoragePath,
        options: Mapping[str, Any] | None = None,
        on_document_error: Literal["fail", "ignore"] | float = "fail",
        on_lost_reply: Literal["start_again", "fail"] = "start_again",
        full_refresh: bool = False,
        plan: bool = False,
        max_in_flight: int = 100,
        max_transfers: int = 8,
        poke_interval: float = 1.0,
        max_poke_interval: float = 60.0,
        fault_tolerance: float = 900.0,
        timeout: timedelta | float = _TIMEOUT,
        grace: float = 5.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_sensible(on_document_error, on_lost_reply, max_in_flight, max_transfers)
        self.source = source
        self.target_format = target_format
        self.conn_id = conn_id
        self.destination = destination
        self.options = options
        self.on_document_error = on_document_error
        self.on_lost_reply = on_lost_reply
        self.full_refresh = full_refresh
        self.plan = plan
        self.max_in_flight = max_in_flight
        self.max_transfers = max_transfers
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.fault_tolerance = fault_tolerance
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.grace = grace
        self.deferrable = deferrable
        self._pass: ConvertDocuments | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """
        List the documents and convert those that need it, or resume where an earlier try stopped.

        :raises DocumentsFailed: if more documents could not be converted than is tolerated
        :raises DocConvError: if the batch can't go on, of the type that says what to do
        """
        return self._run(context, None)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """
        Continue with what the trigger has seen.

        :raises DocumentsFailed: if more documents could not be converted than is tolerated
        :raises DocConvError: if the batch can't go on, of the type that says what to do
        """
        return self._run(context, event)

    def on_kill(self) -> None:
        """Stop, so that the next run knows what is under way at the service."""
        if self._pass:
            self._pass.stop()

    def _run(self, context: Context, event: dict[str, Any] | None) -> dict[str, Any]:
        from airflow_provider_docconv.worker.batch import ConvertDocuments

        self._pass = ConvertDocuments(self, context)
        return self._pass.run(event)


def _require_sensible(on_document_error: object, on_lost_reply: str, max_in_flight: int, max_transfers: int) -> None:
    share = isinstance(on_document_error, int | float) and 0 <= on_document_error < 1
    if on_document_error not in ("fail", "ignore") and not share:
        raise ValueError(f"on_document_error is 'fail', 'ignore' or a share below 1, not {on_document_error!r}")
    if on_lost_reply not in ("start_again", "fail"):
        raise ValueError(f"on_lost_reply is 'start_again' or 'fail', not {on_lost_reply!r}")
    if not 1 <= max_in_flight <= _MOST_IN_FLIGHT:
        raise ValueError(f"max_in_flight is between 1 and {_MOST_IN_FLIGHT}, not {max_in_flight!r}")
    if max_transfers < 1:
        raise ValueError(f"max_transfers is at least 1, not {max_transfers!r}")
