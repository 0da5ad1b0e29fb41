"""Nothing that a run leaves behind holds a secret."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from dev.airflow import Airflow
from dev.postgres import Postgres
from dev.run import Run
from tests.support.planted_secrets import CLIENT_SECRET, DOCUMENT_PASSWORD

JWT = re.compile(rb"eyJ[\w-]{10,}\.(eyJ[\w-]{10,})\.[\w-]{10,}")


@pytest.fixture(scope="module")
def trigger_rows() -> list[bytes]:
    return []


@pytest.fixture(scope="module", autouse=True)
def run(
    airflow: Airflow,
    postgres: Postgres,
    documents: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trigger_rows: list[bytes],
) -> Run:
    """Convert an encrypted deck, and look at the trigger's row meanwhile; then let a wrong document fail."""
    outbox = tmp_path_factory.mktemp("secret")
    conf = {"source": f"file://{documents}/encrypted.pptx", "destination": f"file://{outbox}/"}
    run = airflow.run("encrypted", conf)
    run.wait_for("wait", "deferred")
    trigger_rows += read_trigger_rows(postgres, run)
    assert run.wait() == "success"
    failed = airflow.run("encrypted", {**conf, "source": f"file://{documents}/damaged.pptx"})
    assert failed.wait() == "failed"
    return run


def read_trigger_rows(postgres: Postgres, run: Run) -> list[bytes]:
    query = "select kwargs from trigger join task_instance on trigger.id = trigger_id where run_id = :run_id"
    with sqlalchemy.create_engine(postgres.url).connect() as database:
        return [str(kwargs).encode() for (kwargs,) in database.execute(sqlalchemy.text(query), {"run_id": run.run_id})]


def test_the_trigger_row_holds_the_operation_and_no_secret(trigger_rows: list[bytes], run: Run) -> None:
    (row,) = trigger_rows
    assert run.xcom("start").encode() in row
    assert_clean(row, "the trigger's row")


def test_the_rendered_fields_mask_the_password(run: Run) -> None:
    fields = run.rest.get(f"{run.path}/taskInstances/start")["rendered_fields"]
    assert fields["options"] == {"password": "***"}


def test_the_database_holds_no_secret(postgres: Postgres, run: Run) -> None:
    dump = postgres.dump()
    assert run.xcom("start").encode() in dump
    assert_clean(dump, "the database")


def test_logs_and_results_hold_no_secret(airflow: Airflow, run: Run) -> None:
    files = [file for file in left_behind(airflow.home) if file.name != "airflow.cfg"]
    assert any("task_id=wait" in str(file) for file in files)
    for file in files:
        assert_clean(file.read_bytes(), str(file))


def test_the_search_would_find_a_secret() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"client_id": "sandbox"}).encode()).rstrip(b"=")
    for text in (
        CLIENT_SECRET.encode(),
        DOCUMENT_PASSWORD.encode(),
        b"eyJhbGciOiJIUzI1NiJ9." + payload + b".c2lnbmF0dXJl",
    ):
        with pytest.raises(AssertionError):
            assert_clean(b"before " + text + b" after", "a text")


def left_behind(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def assert_clean(content: bytes, where: str) -> None:
    assert CLIENT_SECRET.encode() not in content, f"the client secret is in {where}"
    assert DOCUMENT_PASSWORD.encode() not in content, f"the document's password is in {where}"
    for token in JWT.finditer(content):
        claims = json.loads(base64.urlsafe_b64decode(token[1] + b"=" * (-len(token[1]) % 4)))
        # Airflow's own processes have tokens, too.
        assert "client_id" not in claims, f"an access token of the service is in {where}"
