"""Counts and decodes a result while it streams; the same for the blocking and the asynchronous client."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_docconv.client.checksums import Checksum
from airflow_provider_docconv.client.disposition import file_name
from airflow_provider_docconv.client.resumption import Resumption
from airflow_provider_docconv.services.errors import ResultDamaged, TruncatedResult
from airflow_provider_docconv.services.operations import Plain, ResultFile


class ResultStream:
    """
    A result on its way.

    :param file: what was asked for
    :param headers: the reply's headers, with lower-case names
    :param service: the service's name, for messages
    """

    def __init__(self, file: ResultFile, headers: Mapping[str, str], service: str) -> None:
        self._file = file
        self._service = service
        self._decoder = file.decoder()
        self._received = self._given = 0
        length = headers.get("content-length", "")
        # With a content coding the length counts other bytes than those that arrive here.
        coded = headers.get("content-encoding", "identity").lower() not in ("", "identity")
        self._expected = int(length) if length.isascii() and length.isdigit() and not coded else None
        self._checksum = Checksum({} if coded else headers)
        # What is decoded can't be gone on with: the decoder has read the document's beginning.
        self._resumption = Resumption(headers if isinstance(self._decoder, Plain) and not coded else {})
        #: What the service calls the file; hostile.
        self.name = file_name(headers.get("content-disposition", "")) or file.name
        #: How often it broke off and was gone on with.
        self.resumed = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the body and return the document's bytes in it."""
        self._received += len(chunk)
        self._checksum.feed(chunk)
        data = self._decoder.feed(chunk)
        self._given += len(data)
        return data

    def resume_headers(self) -> Mapping[str, str] | None:
        """Return the headers that ask for the rest of the body, None if there is no way to go on."""
        return self._resumption.headers(self._received)

    def resume(self, status: int, headers: Mapping[str, str]) -> None:
        """
        Go on with the body of another reply.

        :param status: its status
        :param headers: its headers, with lower-case names
        :raises TruncatedResult: if it is not the rest of the same result
        """
        if not self._resumption.accepts(status, headers, self._received, self._expected):
            raise self.truncated("it broke off, and the service did not go on where it ended")
        self.resumed += 1

    def close(self) -> None:
        """
        Check that everything came.

        :raises TruncatedResult: if not
        :raises ResultDamaged: if it is not what the service announced
        """
        if self._expected is not None and self._received != self._expected:
            raise self.truncated(f"{self._received} of {self._expected} bytes came")
        self._decoder.close()
        if self._expected is None and self._file.size not in (None, self._given):
            raise self.truncated(f"{self._given} of {self._file.size} bytes came")
        if not self._given:
            raise self.truncated("it is empty")
        if not self._checksum.fits:
            raise ResultDamaged(
                f"the result from {self._service} is damaged: it does not fit the announced {self._checksum.name}",
                operation_id=self._file.operation_id,
            )

    def truncated(self, words: str) -> TruncatedResult:
        """Build the error for a result that broke off."""
        return TruncatedResult(
            f"the result from {self._service} is incomplete: {words}", operation_id=self._file.operation_id
        )
