"""How a flow becomes HTTP: the token, its renewal after a 401, the turns and the retries, once for both clients."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_docconv import __version__
from airflow_provider_docconv.client.retries import BROKEN, LONGEST_DELAY, NOT_DONE, Attempts, Failure, retry_after
from airflow_provider_docconv.client.steps import Await, Open, Send, Sleep, Stream, Talk
from airflow_provider_docconv.client.turns import Turn
from airflow_provider_docconv.services.errors import OperationNotFound
from airflow_provider_docconv.services.http import Flow, Reply, Request, Token, hide, read_token, refusal, token_request
from airflow_provider_docconv.services.service import ResultFile

if TYPE_CHECKING:
    from airflow_provider_docconv.client.account import Account

T = TypeVar("T")
USER_AGENT = f"airflow-provider-docconv/{__version__}"
#: The longest reply that is read into memory, in bytes; results are streamed.
MAX_REPLY = 8 << 20
_LOGINS = 3


def converse(flow: Flow[T], account: Account) -> Talk[T]:
    """Run a flow and return what it returns."""
    try:
        request = next(flow)
        while True:
            reply = yield from _authorized(Send, request, account)
            request = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def open_result(file: ResultFile, account: Account) -> Talk[Stream]:
    """
    Ask for a result and return it opened.

    :raises DocConvError: if the service refuses
    """
    answer: Stream | Reply = yield from _authorized(Open, file.request, account)
    if isinstance(answer, Stream):
        return answer
    error = refusal(answer, account.settings.label, file.operation_id)
    if file.remote and isinstance(error, OperationNotFound):
        error.what = f"{account.settings.label} has no file {file.remote.path!r} in its storage any more"
    raise error


def current_token(account: Account, refused: Token | None = None) -> Talk[Token]:
    """
    Return the connection's token, and a new one if this one was refused.

    :raises DocConvError: if there is none to be had
    """
    outcome = account.tokens.ask(refused)
    if isinstance(outcome, Future):
        outcome = yield Await(outcome)
    if isinstance(outcome, Token):
        return outcome
    raise copy.copy(outcome)  # Each who waited adds the document and the operation of its own.


def log_in(account: Account, now: float) -> Talk[Token]:
    """
    Ask for a token, and never again after a refusal or a lock.

    :raises AuthenticationFailed: if the credentials are refused
    :raises DocConvError: if the endpoint does not answer
    """
    settings = account.settings
    request = token_request(settings.client_id, settings.client_secret)
    for _ in range(_LOGINS):
        reply = yield from _attempt(Send, request, settings.token_url, {}, account, BROKEN - {429})
        pause = retry_after(reply.headers.get("retry-after")) if reply.status == 429 else None
        # The lock after refused logins asks for ten minutes; less than one is mere overload.
        if not pause or pause > LONGEST_DELAY:
            break
        yield Sleep(pause)
    return read_token(reply if reply.ok else hide(reply, settings.client_secret), settings.label, now)


def _authorized(how: type[Send], request: Request, account: Account) -> Talk[Any]:
    url, again = account.settings.base_url + request.path, BROKEN if request.repeatable else NOT_DONE
    refused: Token | None = None
    while True:
        token = yield from current_token(account, refused)
        headers = {"Authorization": f"Bearer {token.value}"}
        answer = yield from _attempt(how, request, url, headers, account, again)
        if answer.status != 401 or refused:
            return hide(answer, token.value) if isinstance(answer, Reply) else answer
        refused = token


def _attempt(
    how: type[Send],
    request: Request,
    url: str,
    authorization: Mapping[str, str],
    account: Account,
    again: Collection[int],
) -> Talk[Any]:
    attempts = Attempts(request, account.settings.label, url.removesuffix(request.path), again)
    headers = {"User-Agent": USER_AGENT, **request.headers, **authorization}
    if request.body is not None:
        headers["Content-Type"] = request.body.content_type
    while True:
        # A result's turn ends with its headers: how long its bytes take depends on the destination, too.
        with Turn(account.turns) as turn:
            yield from turn.come()
            answer = yield how(request, url, headers)
            delay, busy = _verdict(answer, attempts)
            if busy is not None:
                account.turns.pause(busy)
        if delay is None:
            return answer
        if busy is None:
            yield Sleep(delay)


def _verdict(answer: Stream | Reply | Failure, attempts: Attempts) -> tuple[float | None, float | None]:
    """Return the seconds until this request is sent again, and those for which nobody of the connection may send."""
    if isinstance(answer, Failure):
        return attempts.after_failure(answer), None
    delay = attempts.after_reply(answer.status, answer.headers)
    return delay, attempts.busy(answer.status, answer.headers, delay)
