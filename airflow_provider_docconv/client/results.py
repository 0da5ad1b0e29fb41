"""A result while it streams: its length, its decoding, and the name that the service gives it."""

from __future__ import annotations

from collections.abc import Mapping
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value

from airflow_provider_docconv.services.errors import ResultRejected, TruncatedResult
from airflow_provider_docconv.services.operations import PlainDecoder, ResultFile


class ResultStream:
    """
    A result while it streams.

    :param file: the requested file
    :param headers: the reply's headers, with lower-case names
    :param service: the service's name, for messages
    :raises ResultRejected: if it has a content coding, which was not asked for
    """

    def __init__(self, file: ResultFile, headers: Mapping[str, str], service: str) -> None:
        self._file = file
        self._service = service
        self._decoder = file.decoder()
        self._received = self._given = 0
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity"):
            # Its length could not be checked, and a few bytes may become very many.
            raise ResultRejected(
                f"{service} sent the result with the content coding {coding!r}, which was not asked for",
                operation_id=file.operation_id,
            )
        length = headers.get("content-length", "")
        # Python refuses to read a number of thousands of digits.
        length = length.lstrip("0") or length[:1]
        self._expected = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        #: Its length in bytes, as far as the service says it in advance.
        self.announced = self._expected if file.decoder is PlainDecoder else file.size
        #: The service's name for the file; hostile.
        self.name = file_name(headers.get("content-disposition", "")) or file.name

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the body and return the document's bytes in it."""
        self._received += len(chunk)
        data = self._decoder.feed(chunk)
        self._given += len(data)
        return data

    def close(self) -> None:
        """
        Check that everything arrived.

        :raises TruncatedResult: if not
        """
        if self._expected is not None and self._received != self._expected:
            raise self.truncated(f"{self._received} of {self._expected} bytes came")
        self._decoder.close()
        if self._expected is None and self._file.size not in (None, self._given):
            raise self.truncated(f"{self._given} of {self._file.size} bytes came")
        if not self._given:
            raise self.truncated("it is empty")

    def truncated(self, words: str) -> TruncatedResult:
        """Build the error for a result that broke off."""
        return TruncatedResult(
            f"the result from {self._service} is incomplete: {words}", operation_id=self._file.operation_id
        )


def file_name(disposition: str) -> str | None:
    """
    Return the file name in a ``Content-Disposition`` header (RFC 6266), as servers write it in practice; hostile.

    :param disposition: the header's value, as HTTP clients give it: each byte a character
    :return: the name, or None if there is none or it can't be read
    """
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        parameters = message.get_params([], "content-disposition")
        names = [value for key, value in parameters if key.lower() == "filename"]
        # The extended form, a tuple, states its encoding, and takes precedence.
        if extended := [name for name in names if isinstance(name, tuple)]:
            return collapse_rfc2231_value(extended[0]) or None
        return _decoded(names[0]) or None if names else None
    except (ValueError, LookupError):
        return None


def _decoded(name: str) -> str:
    """Read a plain name in one of two non-standard encodings: that of .NET (RFC 2047), or bare UTF-8."""
    try:
        if name.startswith("=?"):
            return str(make_header(decode_header(name)))
        return name.encode("latin-1").decode()
    except (ValueError, LookupError, MessageError):
        return name
