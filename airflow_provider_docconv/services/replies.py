"""What a reply's status means, the same for all services."""

from __future__ import annotations

from airflow_provider_docconv.services.errors import (
    AccessDenied,
    AuthenticationFailed,
    DocConvError,
    DocumentRejected,
    OperationNotFound,
    ServiceUnavailable,
    StartReplyLost,
    UnexpectedReply,
)
from airflow_provider_docconv.services.messages import Reply
from airflow_provider_docconv.services.operations import clean_operation_id

# Not implemented, and unavailable: the only breakdowns after which nothing can have begun. Proxies have more of
# their own (520 to 524), which say that the service took the request and did not answer in time.
_NOTHING_DONE = (501, 503)


def require_success(reply: Reply, service: str, operation_id: str | None = None) -> Reply:
    """
    Return the reply if its status is one of success.

    :param reply: the reply
    :param service: the service's name, for the message
    :param operation_id: the operation that was asked about, if any
    :raises DocConvError: of the type that says what to do about the status
    """
    if reply.ok:
        return reply
    raise refusal(reply, service, operation_id)


def read_started_id(reply: Reply, service: str) -> str:
    """
    Return the operation id out of the reply to a start.

    :raises StartReplyLost: if the service may have begun, but the reply does not say as what
    :raises DocConvError: if the service refused
    """
    if reply.status >= 500 and reply.status not in _NOTHING_DONE:
        raise StartReplyLost(f"{service} broke down over the start (HTTP {reply.status})", said=reply.said())
    require_success(reply, service)
    try:
        return clean_operation_id(reply.text())
    except ValueError as error:
        raise StartReplyLost(
            f"{service} answered the start with {reply.kind()} instead of an operation id", said=reply.said()
        ) from error


def refusal(reply: Reply, service: str, operation_id: str | None) -> DocConvError:
    """Build the error that says what to do about a reply whose status is not one of success."""
    status, said = reply.status, reply.said()
    if status == 401:
        return AuthenticationFailed(f"{service} refused a new access token", said=said)
    if status in (402, 403):
        return AccessDenied(f"{service} denied the request (HTTP {status})", said=said)
    if status == 404 and reply.is_page:
        return UnexpectedReply(f"{service} answered with {reply.kind()} (HTTP 404)", said=said)
    if status == 404 and operation_id:
        return OperationNotFound(f"{service} does not know the operation", said=said, operation_id=operation_id)
    if 300 <= status < 400:
        return ServiceUnavailable(
            f"{service} redirected the request, which it never should (HTTP {status})",
            remedy="check the connection's host: it must be the service's own address",
        )
    if status in (408, 429) or status >= 500:
        return ServiceUnavailable(f"{service} is not able to answer now (HTTP {status})", said=said)
    return DocumentRejected(
        f"{service} refused the request (HTTP {status})",
        said=said,
        operation_id=operation_id,
        remedy="check that conn_id is the one that started it, and the connection's host"
        if operation_id
        else "correct the document, the target format or the options as it says",
    )
