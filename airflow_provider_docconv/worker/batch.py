"""Converts the documents of one task, in a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from airflow_provider_docconv.batch.batch import Batch, Connections
from airflow_provider_docconv.batch.estimate import estimate
from airflow_provider_docconv.batch.pipeline import End, Limits, Pipeline
from airflow_provider_docconv.batch.progress import Progress
from airflow_provider_docconv.batch.sources import (
    Naming,
    Patterns,
    check_quarantine,
    check_specs,
    read_rendered,
    read_specs,
)
from airflow_provider_docconv.compat import AirflowSkipException, TaskDeferred
from airflow_provider_docconv.exceptions import task_errors
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.links.docconv import publish_links, report_url
from airflow_provider_docconv.services.errors import DocConvError, InvalidOptions, NoDocumentsFound
from airflow_provider_docconv.services.service import create_service
from airflow_provider_docconv.task_state import task_key
from airflow_provider_docconv.transfer.addresses import address_of, read_folder
from airflow_provider_docconv.transfer.object_storage import console_url
from airflow_provider_docconv.triggers.batch import BatchEvent, BatchTrigger, fit_into_row
from airflow_provider_docconv.triggers.progress import PROGRESS, SUMMARY, push_xcom
from airflow_provider_docconv.worker.assets import announce, announce_batch
from airflow_provider_docconv.worker.lineage import Lineage
from airflow_provider_docconv.worker.metrics import BatchMetrics

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath


# How much later than the trigger Airflow's own timeout comes: the trigger ends by itself.
_BACKSTOP = timedelta(minutes=5)


class BatchOperator(Protocol):
    """What is read of a ``ConvertDocumentsOperator``."""

    source: Any
    target_format: str
    conn_id: str | Mapping[str, str]
    destination: str | ObjectStoragePath
    destination_as_written: str
    record: str | ObjectStoragePath | None
    options: Mapping[str, Any] | None
    on_document_error: Literal["fail", "ignore", "new"] | float
    on_lost_reply: Literal["start_again", "fail"]
    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    on_source_deleted: Literal["keep", "delete"]
    quarantine: str | ObjectStoragePath | None
    unpack: bool
    cleanup: bool
    on_no_documents: Literal["fail", "skip", "succeed"]
    full_refresh: bool
    plan: bool
    max_in_flight: int
    max_transfers: int
    max_result_size: int
    poke_interval: float
    max_poke_interval: float
    fault_tolerance: float
    timeout: float
    grace: float
    deferrable: bool
    fixed_folder: str | None
    outlets: list[Any]
    lineage: Lineage | None

    @property
    def log(self) -> Any:
        """The task's log."""

    def defer(self, *, trigger: Any, method_name: str, timeout: Any) -> Any:
        """Give the worker back."""


class ConvertDocuments:
    """
    One pass of a ``ConvertDocumentsOperator`` in a worker.

    :param operator: the operator
    :param context: the task's context
    """

    def __init__(self, operator: BatchOperator, context: Context) -> None:
        self._operator = operator
        self._context = context
        self._pipeline: Pipeline | None = None
        self._metrics: BatchMetrics | None = None

    def run(self, event: Mapping[str, Any] | None) -> dict[str, Any]:
        """
        Convert the documents, and return the summary.

        :param event: what the trigger has seen, None if the task did not come from it
        :raises TaskDeferred: to give the worker back
        :raises DocumentsFailed: if more documents could not be converted than are tolerated
        :raises DocConvError: if the batch had to stop
        """
        with task_errors(conn_id=self._operator.conn_id):
            hooks = {conn_id: DocConvHook.for_connection(conn_id) for conn_id in set(self._patterns.values())}
            batch = self._batch(hooks)
            self._publish_links(batch, next(iter(hooks.values())))
            batch.load(resumed=event is not None)
            if self._operator.plan:
                for error in batch.errors.values():
                    raise error  # What would be sent is not known.
                announce(self._operator, self._context, (), {}, {})
                return self._plan(batch, hooks)
            with BatchMetrics(batch, hooks, self._context["ti"]) as self._metrics:
                if not batch.documents:
                    self._require_documents(batch)
                try:
                    return self._convert(batch, hooks, event)
                finally:
                    self._operator.lineage = Lineage.of_batch(batch, hooks)

    def _plan(self, batch: Batch, hooks: Mapping[str, DocConvHook]) -> dict[str, Any]:
        plan, expected = batch.log_plan(), estimate(batch, hooks)
        self._operator.log.info("To be expected: %s", expected)
        return {**plan, "estimate": msgspec.to_builtins(expected)}

    def stop(self) -> None:
        """Stop, so that the next run knows what is in flight at the service; may be called from a signal handler."""
        if self._pipeline:
            self._pipeline.stop()

    def _publish_links(self, batch: Batch, hook: DocConvHook) -> None:
        report = report_url(*task_key(self._context["ti"])) or console_url(f"{batch.report}.html")
        publish_links(
            self._operator,
            self._context,
            report=report,
            results=console_url(batch.folder) or (f"{report}&state=delivered" if report else ""),
            service=hook.service_url,
        )

    def _require_documents(self, batch: Batch) -> None:
        what = f"no document was found in {', '.join(batch.sources)[:500]}"
        if batch.left_out:
            what += f"; left out: {batch.left_out_in_words()}"
        if self._operator.on_no_documents == "fail":
            raise NoDocumentsFound(what)
        if self._operator.on_no_documents == "skip":
            raise AirflowSkipException(what[:1].upper() + what[1:])

    @property
    def _patterns(self) -> Mapping[str, str]:
        given: Any = read_rendered(self._operator.conn_id)
        patterns = given if isinstance(given, Mapping) else {"*": given}
        if not patterns or not all(isinstance(each, str) and each.strip() for each in patterns.values()):
            raise InvalidOptions(
                f"conn_id is {given!r}: expected the id of a connection, or a mapping from patterns to ids",
                remedy="correct the task's conn_id",
            )
        return {pattern: conn_id.strip() for pattern, conn_id in patterns.items()}

    def _batch(self, hooks: Mapping[str, DocConvHook]) -> Batch:
        operator = self._operator
        specs = read_specs(operator.source, operator.target_format, operator.options)
        check_specs(specs, [create_service(hook.service) for hook in hooks.values()])
        naming = Naming(address_of(operator.destination))
        # As written in the Dag: a destination with the run's date is another folder in every run.
        folder = operator.fixed_folder or naming.folder
        if operator.record is not None:
            folder = read_folder(operator.record, "record")
        quarantine = read_folder(operator.quarantine, "quarantine") if operator.quarantine is not None else None
        check_quarantine(quarantine, specs)

        def list_formats(conn_id: str) -> Mapping[str, Collection[str]]:
            client = hooks[conn_id].get_conn()
            before = client.calls
            try:
                return hooks[conn_id].get_supported_formats()
            finally:
                batch.calls[conn_id] += client.calls - before

        settings = {conn_id: hook.get_conn().settings for conn_id, hook in hooks.items()}
        batch = Batch(
            specs,
            naming,
            record_folder=folder,
            destination_as_written=operator.destination_as_written,
            connections=Connections(self._patterns, settings, list_formats),
            context=self._context,
            log=operator.log,
            full_refresh=operator.full_refresh,
            start_again=operator.on_lost_reply == "start_again",
            quarantine=quarantine,
            include=_read_patterns(operator.include, "include"),
            exclude=_read_patterns(operator.exclude, "exclude"),
        )
        return batch

    def _convert(
        self, batch: Batch, hooks: Mapping[str, DocConvHook], event: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        operator = self._operator
        # The deadline travels with the trigger, because Airflow's in-process runs drop everything else.
        deadline = float(event["deadline"]) if event else time.time() + operator.timeout
        stopped: DocConvError | None = None
        to_do = len(batch.to_do())
        if to_do or (operator.cleanup and batch.to_clean_up()):
            started = len(batch.at_service())
            operator.log.info(
                "%s of %s documents to convert%s",
                f"{to_do:,}",
                f"{len(batch.documents):,}",
                f", of which {started:,} are at the service already" if started else "",
            )
            # Before anything is paid, this proves that the destination can be written.
            batch.fold()
            self._show(batch.summary(), batch.progress())
            try:
                self._run(batch, hooks, deadline, event)
            except DocConvError as error:
                stopped = error
            except TaskDeferred:
                raise
            except BaseException:
                # Airflow's own timeout: the next run has to know what is in flight.
                with suppress(DocConvError):
                    batch.fold()
                raise
        if operator.on_source_deleted == "delete":
            batch.delete_results_of_gone()
        if operator.quarantine:
            batch.put_aside()
        summary = batch.summary()
        # Before anything is raised: a failed task has no other result.
        self._show(summary, batch.progress())
        for write in (partial(batch.write_report, summary), batch.fold):
            try:
                write()
            except DocConvError as error:
                # The report must be tried even if the record can't be written, and the other way round.
                operator.log.error("%s", error)
                stopped = stopped or error
        batch.log_failures()
        batch.log_cost(summary)
        batch.raise_for_outcome(summary, operator.on_document_error, stopped)
        announce_batch(operator, self._context, batch, summary)
        return summary

    def _run(
        self, batch: Batch, hooks: Mapping[str, DocConvHook], deadline: float, event: Mapping[str, Any] | None
    ) -> None:
        limits = self._limits(deadline)
        pipeline = self._pipeline = Pipeline(batch, hooks, limits, self._tell)
        for conn_id, reason in batch.errors.items():
            pipeline.stop_connection(conn_id, reason)
        if event:
            seen = BatchEvent.read(event)
            for conn_id in hooks:
                batch.calls[conn_id]["status"] += seen.polls.get(conn_id, 0)
                succeeded, others = seen.succeeded.get(conn_id, {}), seen.others.get(conn_id, ())
                pipeline.add_seen(conn_id, succeeded, others, seen.typical.get(conn_id, 0.0))
                if error := seen.stopped_by(conn_id):
                    pipeline.stop_connection(conn_id, error)
        if asyncio.run(pipeline.run()) is End.WAITS:
            self._defer(batch, pipeline, limits)

    def _limits(self, deadline: float) -> Limits:
        operator = self._operator
        return Limits(
            in_flight=operator.max_in_flight,
            transfers=operator.max_transfers,
            poke_interval=operator.poke_interval,
            max_poke_interval=operator.max_poke_interval,
            max_result_size=operator.max_result_size,
            unpack=operator.unpack,
            cleanup=operator.cleanup,
            fault_tolerance=operator.fault_tolerance,
            deadline=deadline,
            grace=operator.grace if operator.deferrable else None,
        )

    def _tell(self, progress: Progress) -> None:
        """Say how far the batch is; runs in a thread."""
        if self._metrics:
            self._metrics.send()
        now = time.time()
        self._operator.log.info("%s", progress.sentence(now))
        push_xcom(self._context["ti"], PROGRESS, progress.values(now), self._operator.log)

    def _show(self, summary: dict[str, Any], progress: Progress) -> None:
        ti, log = self._context["ti"], self._operator.log
        push_xcom(ti, SUMMARY, summary, log)
        push_xcom(ti, PROGRESS, progress.values(time.time()), log)

    def _defer(self, batch: Batch, pipeline: Pipeline, limits: Limits) -> None:
        batch.fold()
        progress = batch.progress()
        self._show(batch.summary(), progress)
        in_flight = pipeline.in_flight
        operations = fit_into_row(
            (each.request.conn_id, str(each.entry.operation_id), each.entry.started or 0.0) for each in in_flight
        )
        count = sum(map(len, operations.values()))
        # If documents are waiting to be started, half a window is worth a worker; otherwise only a complete one is.
        share = 2 if pipeline.has_waiting else 1
        trigger = BatchTrigger(
            operations=operations,
            wake_after=-(-count // share),
            deadline=limits.deadline,
            poke_interval=limits.poke_interval,
            max_poke_interval=limits.max_poke_interval,
            typical={conn_id: pipeline.typical(conn_id) for conn_id in operations},
            fault_tolerance=limits.fault_tolerance,
            progress=msgspec.to_builtins(progress),
        )
        self._operator.log.info("Giving the worker back while %d operations are in flight", len(in_flight))
        timeout = timedelta(seconds=max(0.0, limits.deadline - time.time())) + _BACKSTOP
        self._operator.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)


def _read_patterns(given: object, what: str) -> Patterns | None:
    # What templates make of a missing value.
    return None if given in (None, "", "None") else Patterns(given, what)  # type: ignore[arg-type]  # It is checked there.
