from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from dev.sandbox import Sandbox
from dev.stores import S3, AzureBlob, GoogleStorage
from tests.support.buckets import (
    AzureContainer,
    Folder,
    GoogleBucket,
    Place,
    S3Bucket,
    azure_reader,
    google_connection,
    s3_connection,
)
from tests.support.proxies import GOOGLE_DENIES, S3_DENIES, gate
from tests.support.tasks import starting

# A connection's filesystem is kept for the process: one server of each kind serves all tests.
Maker = Callable[[str], Place]


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def add(environment: pytest.MonkeyPatch, conn_id: str, values: dict[str, Any]) -> None:
    environment.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(values))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch) -> Iterator[Maker]:
    with S3(tmp_path_factory.mktemp("s3")) as server, gate(server.url, S3_DENIES) as reading:
        add(environment, "s3_owner", s3_connection(server, server.url))
        add(environment, "s3_reader", s3_connection(server, reading))
        yield lambda bucket: S3Bucket(server, bucket)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch) -> Iterator[Maker]:
    with AzureBlob(tmp_path_factory.mktemp("azure")) as server:
        for conn_id, text in {"azure_owner": server.connection_string, "azure_reader": azure_reader(server)}.items():
            add(environment, conn_id, {"conn_type": "wasb", "extra": {"connection_string": text}})
        yield lambda container: AzureContainer(server, container)


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch) -> Iterator[Maker]:
    if int(version("apache-airflow-providers-google").partition(".")[0]) < 20:
        pytest.skip("this provider for Google needs an account, which the server of the tests does not have")
    with GoogleStorage(tmp_path_factory.mktemp("google")) as server, gate(server.url, GOOGLE_DENIES) as reading:
        add(environment, "google_owner", google_connection(server.url))
        add(environment, "google_reader", google_connection(reading))
        yield lambda bucket: GoogleBucket(server, bucket)


@pytest.fixture(params=["file", "s3", "azure", "google"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return Folder(tmp_path / "documents")
    make: Maker = request.getfixturevalue(request.param)
    return make(f"documents-{secrets.token_hex(4)}")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox and point the connection ``docs`` to it."""
    with starting(tmp_path, monkeypatch) as start:
        yield lambda *options: start("--seconds", "0.1", *options)
