"""The two ways in which things go wrong: a request that is refused, and a conversion that fails."""

from __future__ import annotations

from enum import StrEnum


class ApiError(Exception):
    """
    A request that is refused. Each service puts it in its own words on the wire.

    :param status: the HTTP status.
    :param message: what the caller reads.
    :param code: the vendor's short word for it.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Cause(StrEnum):
    """Why a conversion failed."""

    MISSING_SOURCE = "missing_source"
    MISSING_PASSWORD = "missing_password"  # noqa: S105  # a word for an error, not a password
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # likewise
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    OUT_OF_RANGE = "out_of_range"
    DESTINATION = "destination"
    ENGINE = "engine"
    TIME_LIMIT = "time_limit"


class ConversionError(Exception):
    """
    A conversion that failed, or that was never possible.

    :param cause: the kind of failure; services map it to their own codes.
    :param message: what a person reads.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
