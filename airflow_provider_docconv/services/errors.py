"""What can go wrong with a conversion, one type per remedy."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar

_MAX_MESSAGE = 300
# Control characters, what changes the direction of writing, and lone surrogates, which JSON may contain and databases
# refuse.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
# How some libraries show objects in their messages.
_OBJECT = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>:? ?")


class Handling(StrEnum):
    """What an error calls for."""

    #: The document, the options or the operation must change first: another try would end in the same way.
    REJECT = "reject"
    #: Another try may succeed with nothing changed.
    RETRY = "retry"
    #: Every other document would fail, too, until a person acts.
    STOP = "stop"


class DocConvError(Exception):
    """
    Base of all errors of this package. Its text is one sentence: which document, what happened, what to do.

    :param what: what happened, as a clause such as "Aspose.Slides Cloud refused the document"
    :param service_message: the service's own words, if it sent any
    :param document: the document's name or URI, if known
    :param operation_id: the operation, if there is one
    :param remedy: what to do next; each type has a default
    :param conn_id: the connection, if one is concerned
    """

    handling: Handling = Handling.REJECT
    default_remedy: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        service_message: str | None = None,
        document: str | None = None,
        operation_id: str | None = None,
        remedy: str | None = None,
        conn_id: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.service_message = one_line(service_message) if service_message else None
        self.document = document
        self.operation_id = operation_id
        self.remedy = remedy or self.default_remedy
        self.conn_id = conn_id

    @property
    def retryable(self) -> bool:
        """Whether another try may succeed with nothing changed."""
        return self.handling is Handling.RETRY

    @property
    def summary(self) -> str:
        """What happened, with the service's own words."""
        return f'{self.what}, saying "{self.service_message}"' if self.service_message else self.what

    def __str__(self) -> str:
        text = f"{one_line(self.document)}: {self.summary}" if self.document else self.summary
        details = [f"operation {one_line(self.operation_id)}"] if self.operation_id else []
        connection = f"connection {self.conn_id!r}"
        if self.conn_id and connection not in f"{text} {self.remedy}":
            details.append(connection)
        if details:
            text += f" ({', '.join(details)})"
        if self.remedy:
            text += f"; {self.remedy}"
        return text.rstrip(".") + "."


class InvalidOptions(DocConvError):
    """The service does not have this target format or option."""

    default_remedy = "correct the task's target_format or options"


class ConnectionNotFound(DocConvError):
    """Airflow has no such connection, or could not look it up; it does not distinguish the two."""

    handling = Handling.RETRY
    default_remedy = "define it or correct conn_id; if it is defined, check the secrets backend"


class SourceNotFound(DocConvError):
    """The source document does not exist or can't be read."""

    default_remedy = "check the path, and that its connection may read it"


class NoDocumentsFound(DocConvError):
    """A batch has found no document."""

    handling = Handling.STOP
    default_remedy = "check source, include and exclude, or set on_no_documents to 'skip' or 'succeed'"


class StoreUnavailable(DocConvError):
    """A store can't be reached or is overloaded, or its credentials have expired; nothing is wrong with the address."""

    handling = Handling.RETRY
    default_remedy = "a retry may succeed; if not, check the store and the connection in the address"


class DocumentRejected(DocConvError):
    """The document can't be converted: it is empty, damaged, encrypted, misnamed or of an unknown kind."""

    default_remedy = "repair or replace the document"


class RefusedByService(DocumentRejected):
    """The service refused to start a conversion of the document."""

    default_remedy = "correct the document, the target format or the options accordingly"


class ConversionFailed(DocConvError):
    """The operation failed, as the service reports."""

    default_remedy = "correct the document or the options, then clear the task that started it"


class ConversionCanceled(DocConvError):
    """The operation was cancelled, by a person or by the service, which ends operations that take too long."""

    default_remedy = "clear the task that started it to convert the document again"


class OperationNotFound(DocConvError):
    """The service does not know the operation: it has expired, or it was started with another account."""

    default_remedy = (
        "check that conn_id is the connection that started it; "
        "if it has expired (results are kept for about 24 hours, by docling-serve for minutes), "
        "clear the task that started it"
    )


class ResultNotFound(DocConvError):
    """The vendor's storage has no result at the given address."""

    default_remedy = "correct remote_result: the address at which the start's options save the result"


class AuthenticationFailed(DocConvError):
    """The service refused the credentials of the connection, or has locked them for a while."""

    handling = Handling.STOP
    default_remedy = "check login and password of the connection"


class AccessDenied(DocConvError):
    """The credentials are valid, but the account may not do this: a quota is used up, or a right is missing."""

    handling = Handling.STOP
    default_remedy = "check plan and permissions at the vendor for the account of the connection"


class StartReplyLost(DocConvError):
    """The reply to a start was lost: the conversion may have begun, and may be billed."""

    default_remedy = (
        "clear the task to start again, at the risk of paying twice, or set on_lost_reply='start_again' to always do so"
    )


class ServiceUnavailable(DocConvError):
    """The service can't be reached, or asks for a later try; nothing is wrong with the document."""

    handling = Handling.RETRY
    default_remedy = "a retry may succeed; if not, check the host of the connection and the service"


class LoginUnavailable(ServiceUnavailable):
    """The login did not answer as the service's login does: something else may be at its address, or in between."""

    default_remedy = "check host and auth_url of the connection"


class ServiceNotFound(DocConvError):
    """There is something at the connection's address, but not the service."""

    handling = Handling.STOP
    default_remedy = "check the host of the connection"


class TLSFailed(DocConvError):
    """The service's certificate could not be verified."""

    handling = Handling.STOP
    default_remedy = (
        "check the host of the connection and this machine's clock, or set the connection's 'verify' to the file of "
        "the certificate authority"
    )


class UnexpectedReply(DocConvError):
    """The reply does not fit the protocol: it is, for example, the HTML page of a proxy."""

    handling = Handling.RETRY
    default_remedy = "check that the host of the connection is the service, and not a proxy or a login page"


class TruncatedResult(DocConvError):
    """A result broke off."""

    handling = Handling.RETRY
    default_remedy = "nothing was written; a retry downloads it again"


class ResultRejected(DocConvError):
    """A result is unsafe, or not what was asked for, so it was not delivered."""

    default_remedy = "nothing was written; check the host of the connection"


class ResultTooLarge(ResultRejected):
    """A result is larger than the task allows."""

    default_remedy = "nothing was written; raise max_result_size if so large a result is right"


class DestinationUnwritable(DocConvError):
    """The destination can't be written."""

    handling = Handling.STOP
    default_remedy = "check the path, and that its connection may write there"


class DeadlineExceeded(DocConvError):
    """The operation did not end before the deadline. Where the service can, it was cancelled."""

    default_remedy = "it may still end at the service: raise the timeout and clear this task to resume the wait"


class NamesCollide(DocConvError):
    """Two documents of a batch would be delivered under one name."""

    handling = Handling.STOP
    default_remedy = (
        "it was not sent; give destination as a template that distinguishes them, such as "
        "'…/{folder}{stem}-{extension}.{format}'"
    )


class RecordDamaged(DocConvError):
    """The batch's record of earlier runs can't be read."""

    handling = Handling.STOP
    default_remedy = "nothing was sent; restore the file, or delete it to convert its documents again"


class UnexpectedError(DocConvError):
    """An error of another kind, such as one that a hostile reply provokes in a library."""

    handling = Handling.RETRY
    default_remedy = "the next try or run tries the document again; if it fails again, report it with this text"

    @classmethod
    def of(cls, error: Exception) -> UnexpectedError:
        """
        Return an exception as one of ours.

        :param error: the exception
        """
        return cls(f"unexpected {type(error).__name__} ({explain(error)})")


class DocumentsFailed(DocConvError):
    """Some documents of a batch were not converted; all others were."""

    default_remedy = "the report names each of them, with its remedy"


def one_line(text: str) -> str:
    """Return a text from outside as one printable line of bounded length."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


def explain(error: BaseException) -> str:
    """Describe an exception by its innermost cause ("Connection refused")."""
    for _ in range(10):
        inner = _inner(error)
        if inner is None:
            break
        error = inner
    if message := getattr(error, "verify_message", None):
        return str(message)
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(_OBJECT.sub("", str(text))) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((inner for inner in candidates if isinstance(inner, BaseException)), None)


def scrub(error: DocConvError, *secrets: str | None) -> None:
    """
    Remove secrets from an error: a service may repeat what it was sent, and its text may have been cut or re-spaced.

    :param error: the error
    :param secrets: what must not be in its text
    """
    for secret in filter(None, secrets):
        error.what = _without(error.what, secret)
        error.service_message = _without(error.service_message, secret) if error.service_message else None
    error.args = (error.what,)


def _without(text: str, secret: str) -> str:
    for form in {secret, one_line(secret)} - {""}:
        text = text.replace(form, "***")
        if text.endswith("…"):
            # The text was cut, and may end with the beginning of the secret.
            kept = text[:-1]
            for length in range(min(len(form), len(kept)), 0, -1):
                if kept.endswith(form[:length]):
                    text = f"{kept[:-length]}***…"
                    break
    return text
