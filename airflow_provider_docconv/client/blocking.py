"""The blocking client, for the worker."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import requests

from airflow_provider_docconv.client.account import account_of
from airflow_provider_docconv.client.conversation import converse, current_token, open_result
from airflow_provider_docconv.client.results import ResultStream
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.client.steps import Stream
from airflow_provider_docconv.client.transport import Transport
from airflow_provider_docconv.services.errors import DocConvError, TruncatedResult, explain
from airflow_provider_docconv.services.http import Flow
from airflow_provider_docconv.services.service import ResultFile

T = TypeVar("T")
_CHUNK = 1 << 20
# Lengths, ranges and checksums are easy to compare only without a coding, and documents are compressed as they are.
_UNCODED = {"Accept-Encoding": "identity"}
# How often one result is gone on with after it broke off.
_RESUMPTIONS = 5


class Client:
    """
    Runs flows over one session and with the connection's one token; threads may share it.

    :param settings: the connection
    :param on_token: is told every new access token, for example to mask it in logs
    """

    def __init__(self, settings: Settings, on_token: Callable[[str], object] | None = None) -> None:
        self.settings = settings
        self.service = settings.service()
        self._account = account_of(settings)
        self._transport = Transport(self._account)
        if on_token:
            self._account.tokens.tell(on_token)

    @property
    def calls(self) -> Counter[str]:
        """How many requests this process has sent over the connection so far, by kind; the vendors bill them."""
        return self._account.calls

    def run(self, flow: Flow[T]) -> T:
        """
        Run a flow to its end and return what it returns.

        :raises DocConvError: if the flow or the transport fails
        """
        return self._transport.drive(converse(flow, self._account))

    @contextmanager
    def open_result(self, file: ResultFile) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result for streaming: what is known of it, and its decoded bytes.

        Where it breaks off, it is gone on with if the service offers that and it is surely still the same.

        :raises DocConvError: if the service refuses, or the result breaks off while it is read
        """
        with ExitStack() as responses:
            opened = self._open(file, _UNCODED)
            responses.enter_context(opened.response)
            stream = ResultStream(file, opened.headers, self.settings.label)
            yield stream, self._decoded(file, stream, opened.response, responses)

    def log_in(self) -> None:
        """
        Log in with the connection's credentials, whatever token there is.

        :raises DocConvError: if that fails
        """
        self._account.tokens.forget()
        self._transport.drive(current_token(self._account))

    def _open(self, file: ResultFile, headers: Mapping[str, str]) -> Stream:
        request = replace(file.request, headers={**file.request.headers, **headers})
        return self._transport.drive(open_result(replace(file, request=request), self._account))

    def _decoded(
        self, file: ResultFile, stream: ResultStream, response: requests.Response, responses: ExitStack
    ) -> Iterator[bytes]:
        while True:
            try:
                for chunk in response.iter_content(_CHUNK):
                    if data := stream.feed(chunk):
                        yield data
                break
            except requests.RequestException as error:
                response.close()
                response = self._resumed(file, stream, error)
                responses.enter_context(response)
        stream.close()

    def _resumed(self, file: ResultFile, stream: ResultStream, broken: requests.RequestException) -> requests.Response:
        headers = stream.resume_headers()
        if headers is None or stream.resumed >= _RESUMPTIONS:
            raise stream.truncated(explain(broken)) from broken
        try:
            opened = self._open(file, {**_UNCODED, **headers})
        except DocConvError as error:
            raise stream.truncated(f"it broke off, and the rest was refused: {error.summary}") from error
        try:
            stream.resume(opened.status, opened.headers)
        except TruncatedResult:
            opened.response.close()
            raise
        response: requests.Response = opened.response
        return response


@lru_cache(maxsize=64)
def shared_client(settings: Settings, on_token: Callable[[str], object] | None = None) -> Client:
    """Return this process's one client for a connection."""
    return Client(settings, on_token)


# A socket must not be used by two processes.
os.register_at_fork(after_in_child=shared_client.cache_clear)
