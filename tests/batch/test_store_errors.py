"""What the stores' drivers raise, told apart: what passes is tried again, what a person must mend is not."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_docconv.exceptions import DestinationUnwritable, StoreUnavailable
from airflow_provider_docconv.transfer.object_storage import store_errors


def driver_error(name: str, text: str = "it failed", base: type[Exception] = Exception, **values: Any) -> Exception:
    """Make an error of a driver's own type, which is not imported here."""
    error = type(name, (base,), values)(text)
    error.__dict__.update(values)
    return error


def boto(code: str, status: int) -> Exception:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return driver_error("ClientError", code, response=response)


PASSING = {
    "S3 503": boto("SlowDown", 503),
    "S3 500": boto("InternalError", 500),
    "S3 expired token": boto("ExpiredToken", 400),
    "S3 skewed clock": boto("RequestTimeTooSkewed", 403),
    "Azure 503": driver_error("HttpResponseError", status_code=503),
    "Azure 429": driver_error("HttpResponseError", status_code=429),
    "Azure 401": driver_error("ClientAuthenticationError", status_code=401),
    "Azure 407": driver_error("HttpResponseError", status_code=407),
    "Azure expired signature": driver_error(
        "ClientAuthenticationError", "Signature not valid in the specified time frame: Start [...]", status_code=403
    ),
    "Azure skewed clock": driver_error("HttpResponseError", "Request date header too old", status_code=403),
    "Azure container being deleted": driver_error("HttpResponseError", "ContainerBeingDeleted", status_code=409),
    "Azure login page": driver_error("DecodeError", "XML is invalid"),
    "Google 503": driver_error("HttpError", code=503),
    "Google 503 that says invalid": ValueError("Bad Request: b/bucket/o\ninvalid state"),
    "Google rate limit": driver_error("HttpError", "rateLimitExceeded, 403", code=403),
    "Google login page": json.JSONDecodeError("Expecting value", "<html>", 0),
    "aiohttp 504": driver_error("ClientResponseError", status=504),
    "requests 502": driver_error("HTTPError", response=SimpleNamespace(status_code=502)),
    "reset": ConnectionResetError(errno.ECONNRESET, "reset"),
    "refused": ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    "timeout": TimeoutError(),
    "DNS": OSError(-3, "Temporary failure in name resolution"),
    "unknown": driver_error("SomethingNew"),
}
LASTING = {
    "S3 no such bucket": boto("NoSuchBucket", 404),
    "S3 denied": boto("AccessDenied", 403),
    "Azure 404": driver_error("ResourceNotFoundError", status_code=404),
    "Azure denied": driver_error("HttpResponseError", "AuthorizationPermissionMismatch", status_code=403),
    "Google denied": OSError("Forbidden: https://storage.googleapis.com/storage/v1/b/bucket/o"),
    "no credentials": driver_error("NoCredentialsError"),
    "no driver": ImportError("Install s3fs to access S3"),
    "not found": FileNotFoundError(errno.ENOENT, "no such file"),
    "no rights": PermissionError(errno.EACCES, "no rights"),
    "disk full": OSError(errno.ENOSPC, "no space"),
    "read-only": OSError(errno.EROFS, "read-only"),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_passes_is_tried_again(error: Exception, wrapped: bool) -> None:
    if wrapped:
        outer = OSError("the driver's own words")
        outer.__cause__ = error
        error = outer
    with pytest.raises(StoreUnavailable, match="could not do it"), store_errors("could not do it"):
        raise error


@pytest.mark.parametrize("error", LASTING.values(), ids=LASTING)
def test_what_a_person_must_mend_is_not(error: Exception) -> None:
    with pytest.raises(DestinationUnwritable, match="could not do it"), store_errors("could not do it"):
        raise error


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "s3"), ("gs", "gcs"), ("abfs", "azure"), ("hdfs", None)])
def test_a_missing_driver_says_what_to_install(scheme: str, extra: str | None) -> None:
    with pytest.raises(DestinationUnwritable) as raised, store_errors("could not do it"):
        raise ValueError(f"No filesystem registered for scheme {scheme}")
    assert ("pip install 'airflow-provider-docconv[" in str(raised.value)) is bool(extra)
    assert f"[{extra}]" in str(raised.value) or not extra
