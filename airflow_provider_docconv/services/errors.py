"""What can go wrong with a conversion, one type per remedy."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar

_MAX_WORDS = 300
# Lone surrogates too: JSON can carry them, and no log or database takes them. And what turns the direction of writing.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def quote_words(text: str) -> str:
    """Make a text from outside fit for a one-line message: printable and of bounded length."""
    words = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


class Handling(StrEnum):
    """What an error asks for."""

    #: The document, the options or the operation must change first: a later try would end alike.
    REJECT = "reject"
    #: Nothing is wrong with them: a later try may succeed with nothing changed.
    RETRY = "retry"
    #: Nothing else will succeed either until a person has acted.
    STOP = "stop"


class DocConvError(Exception):
    """
    Base of every error of this package; its text is one sentence: which document, what happened, what to do.

    :param what: what happened, as a clause ("Aspose.Slides Cloud refused the document")
    :param service_message: the service's own words, if it sent any
    :param document: name or URI of the document concerned, if known
    :param operation_id: the operation concerned, if there is one
    :param remedy: what to do next; each type has a default
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
    ) -> None:
        super().__init__(what)
        self.what = what
        self.service_message = quote_words(service_message) if service_message else None
        self.document = document
        self.operation_id = operation_id
        self.remedy = remedy or self.default_remedy

    @property
    def retryable(self) -> bool:
        """Whether a later try may succeed with nothing changed."""
        return self.handling is Handling.RETRY

    @property
    def summary(self) -> str:
        """What happened, with the service's own words."""
        return f'{self.what}, saying "{self.service_message}"' if self.service_message else self.what

    def __str__(self) -> str:
        text = f"{quote_words(self.document)}: {self.summary}" if self.document else self.summary
        if self.operation_id:
            text += f" (operation {quote_words(self.operation_id)})"
        if self.remedy:
            text += f"; {self.remedy}"
        return text.rstrip(".") + "."


class InvalidOptions(DocConvError):
    """The target format or an option is not one that the service has."""

    default_remedy = "correct the task's target_format or options"


class ConnectionNotFound(DocConvError):
    """Airflow has no such connection, or could not look it up: it does not tell these apart."""

    handling = Handling.RETRY
    default_remedy = "define it, or correct conn_id; if it is defined, look at the secrets backend"


class SourceNotFound(DocConvError):
    """The source document does not exist or can't be read."""

    default_remedy = "check the path and that its connection may read it"


class DocumentRejected(DocConvError):
    """The document itself can't be converted: empty, damaged, encrypted, misnamed or of an unknown kind."""

    default_remedy = "repair or replace the document"


class RefusedByService(DocumentRejected):
    """The service refused to start a conversion of the document."""

    default_remedy = "correct the document, the target format or the options as it says"


class ConversionFailed(DocConvError):
    """The operation ended, and the service says that it failed."""

    default_remedy = "correct the document or the options, then clear the task that started it"


class ConversionCanceled(DocConvError):
    """The operation was cancelled, by a person or by the service (it ends operations that take too long)."""

    default_remedy = "clear the task that started it to convert the document again"


class OperationNotFound(DocConvError):
    """The service does not know the operation: it expired or was made with another account."""

    default_remedy = (
        "check that conn_id is the one that started it; "
        "if it expired (results are kept for about 24 hours), clear the task that started it"
    )


class ResultNotFound(DocConvError):
    """There is no result where it was said to lie in the vendor's storage."""

    default_remedy = "correct stored: it is where the start's options say that the result is saved"


class AuthenticationFailed(DocConvError):
    """The service refused the client id and secret, or locked them for a while."""

    handling = Handling.STOP
    default_remedy = "check login (client id) and password (client secret) of the connection"


class AccessDenied(DocConvError):
    """The credentials are good, but the account may not do this: a quota is used up or a right is missing."""

    handling = Handling.STOP
    default_remedy = "check the account's plan and rights at the vendor"


class StartReplyLost(DocConvError):
    """A start was sent and its reply never came: the conversion may or may not have begun (and been billed)."""

    default_remedy = (
        "clear the task to start it again, which may pay twice, or set on_lost_reply='start_again' to always do so"
    )


class ServiceUnavailable(DocConvError):
    """The service can't be reached or asks to come back later; nothing is wrong with the document."""

    handling = Handling.RETRY
    default_remedy = "the next try of the task may succeed; if not, check the connection's host and the service"


class TLSFailed(DocConvError):
    """The service's certificate could not be verified."""

    handling = Handling.STOP
    default_remedy = (
        "check the connection's host and this machine's clock, or name the certificate authority's file "
        "in the connection's 'verify'"
    )


class UnexpectedReply(DocConvError):
    """The reply is not what the protocol promises, for example an HTML page of a proxy."""

    handling = Handling.RETRY
    default_remedy = "check that the connection's host is the service and not a proxy or a login page"


class TruncatedResult(DocConvError):
    """A result ended before it was complete."""

    handling = Handling.RETRY
    default_remedy = "nothing was kept; the next try of the task downloads it again"


class ResultRejected(DocConvError):
    """A result is unsafe or not what was asked for, so it was not stored."""

    default_remedy = "nothing was stored; check the host of the connection"


class DestinationUnwritable(DocConvError):
    """The destination can't be written."""

    handling = Handling.STOP
    default_remedy = "check the path and that its connection may write there"


class DeadlineExceeded(DocConvError):
    """The operation did not end before the deadline; where the service can, it was cancelled then."""

    default_remedy = "it may still end at the service: raise the timeout and clear this task to go on waiting for it"


class NamesCollide(DocConvError):
    """Two documents of a batch would be stored under one name."""

    handling = Handling.STOP
    default_remedy = (
        "nothing was sent; give destination as a template that tells them apart, such as '…/{folder}{stem}-{extension}."
        "{format}'"
    )


class RecordDamaged(DocConvError):
    """The record of earlier conversions can't be read."""

    handling = Handling.STOP
    default_remedy = "nothing was sent; restore the file, or delete it to convert its documents anew"


class UnexpectedError(DocConvError):
    """Something that no other error describes, for example an error of a library that a hostile reply provoked."""

    handling = Handling.RETRY
    default_remedy = "the next try or run takes the document up again; if it ends alike, report it with this text"

    @classmethod
    def of(cls, error: Exception) -> UnexpectedError:
        """
        Return an exception of another kind as one of ours.

        :param error: the exception
        """
        return cls(f"unexpected {type(error).__name__} ({explain(error)})")


class DocumentsFailed(DocConvError):
    """Some documents of a batch were not converted; all others are delivered."""

    default_remedy = "the report names each with what to do"


_OBJECT = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>:? ?")


def explain(error: BaseException) -> str:
    """Describe an exception by its innermost cause ("Connection refused")."""
    for _ in range(10):
        inner = _inner(error)
        if inner is None:
            break
        error = inner
    if message := getattr(error, "verify_message", None):
        return str(message)
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return quote_words(_OBJECT.sub("", str(words))) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((inner for inner in candidates if isinstance(inner, BaseException)), None)


def scrub(error: DocConvError, *secrets: str | None) -> None:
    """
    Remove secrets from an error: a service may repeat what it was sent, and its words may have been cut or re-spaced.

    :param error: the error
    :param secrets: what must not be in its text
    """
    for secret in filter(None, secrets):
        error.what = _without(error.what, secret)
        error.service_message = _without(error.service_message, secret) if error.service_message else None
    error.args = (error.what,)


def _without(text: str, secret: str) -> str:
    for form in {secret, quote_words(secret)} - {""}:
        text = text.replace(form, "***")
        if text.endswith("…"):
            # The text was cut, and may end with the beginning of the secret.
            kept = text[:-1]
            for length in range(min(len(form), len(kept)), 0, -1):
                if kept.endswith(form[:length]):
                    text = f"{kept[:-length]}***…"
                    break
    return text
