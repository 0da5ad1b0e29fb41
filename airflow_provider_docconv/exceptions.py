"""The errors of tasks: those of :mod:`~airflow_provider_docconv.services.errors`, in forms that Airflow understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_docconv.compat import AirflowException, AirflowFailException, AirflowSensorTimeout
from airflow_provider_docconv.services import errors
from airflow_provider_docconv.services.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionNotFound,
    ConversionCanceled,
    ConversionFailed,
    DeadlineExceeded,
    DestinationUnwritable,
    DocConvError,
    DocumentRejected,
    DocumentsFailed,
    InvalidOptions,
    LoginUnavailable,
    NamesCollide,
    NoDocumentsFound,
    OperationNotFound,
    RecordDamaged,
    RefusedByService,
    ResultNotFound,
    ResultRejected,
    ResultTooLarge,
    ServiceNotFound,
    ServiceUnavailable,
    SourceNotFound,
    StartReplyLost,
    StoreUnavailable,
    TLSFailed,
    TruncatedResult,
    UnexpectedError,
    UnexpectedReply,
)

__all__ = [
    "AccessDenied",
    "AuthenticationFailed",
    "ConnectionNotFound",
    "ConversionCanceled",
    "ConversionFailed",
    "DeadlineExceeded",
    "DestinationUnwritable",
    "DocConvError",
    "DocumentRejected",
    "DocumentsFailed",
    "InvalidOptions",
    "LoginUnavailable",
    "NamesCollide",
    "NoDocumentsFound",
    "OperationNotFound",
    "RecordDamaged",
    "RefusedByService",
    "ResultNotFound",
    "ResultRejected",
    "ResultTooLarge",
    "ServiceNotFound",
    "ServiceUnavailable",
    "SourceNotFound",
    "StartReplyLost",
    "StoreUnavailable",
    "TLSFailed",
    "TruncatedResult",
    "UnexpectedError",
    "UnexpectedReply",
    "deserialize",
    "serialize",
    "task_errors",
]

_COMBINED: dict[tuple[type[DocConvError], type[AirflowException]], type[AirflowException]] = {}


@contextmanager
def task_errors(document: object = None, conn_id: object = None) -> Iterator[None]:
    """
    Raise errors so that Airflow retries the task only if a retry can help.

    :param document: the document, for the message
    :param conn_id: the task's connection, for the message; several are none
    """
    try:
        yield
    except DocConvError as error:
        error.document = str(document) if document else error.document
        error.conn_id = error.conn_id or (conn_id if isinstance(conn_id, str) else None)
        form = _form_of(error)
        if isinstance(error, form):
            raise
        raised = form.__new__(form)
        raised.__dict__.update(error.__dict__)
        raised.args = error.args
        # One traceback is enough, except for an error that nobody expected.
        raise raised from (error.__cause__ if isinstance(error, UnexpectedError) else None)


def serialize(error: DocConvError) -> dict[str, str | None]:
    """Return plain JSON values for an error, for a trigger's event."""
    return {
        "type": type(error).__name__,
        "what": error.what,
        "service_message": error.service_message,
        "operation_id": error.operation_id,
        "remedy": error.remedy,
        "conn_id": error.conn_id,
    }


def deserialize(values: dict[str, str | None]) -> DocConvError:
    """Return the error that :func:`serialize` was given."""
    kind = getattr(errors, str(values["type"]), DocConvError)
    error: DocConvError = kind(
        str(values["what"]),
        service_message=values["service_message"],
        operation_id=values["operation_id"],
        remedy=values["remedy"],
        conn_id=values.get("conn_id"),
    )
    return error


def _form_of(error: DocConvError) -> type[AirflowException]:
    """Return the type that tells Airflow whether to retry. An error that has one may have been judged anew since."""
    kinds = (each for each in type(error).__mro__ if issubclass(each, DocConvError))
    kind = next(each for each in kinds if not issubclass(each, AirflowException))
    if isinstance(error, DeadlineExceeded):
        return _combined(kind, AirflowSensorTimeout)
    return _combined(kind, AirflowException if error.retryable else AirflowFailException)


def _combined(kind: type[DocConvError], base: type[AirflowException]) -> type[AirflowException]:
    # Airflow decides by the type whether to retry, and the services' errors don't know Airflow.
    if (kind, base) not in _COMBINED:
        namespace = {"__module__": kind.__module__, "__doc__": kind.__doc__}
        _COMBINED[kind, base] = type(kind.__name__, (kind, base), namespace)
    return _COMBINED[kind, base]
