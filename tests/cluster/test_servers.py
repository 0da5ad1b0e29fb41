"""PostgreSQL and Redis for the tests keep to themselves, and end with whoever has started them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest

from dev.debian import NotInstalled
from dev.environment import ROOT
from dev.postgres import Postgres
from dev.processes import wait_until
from dev.redis import Redis

PARENT = """
import sys, time
from pathlib import Path
from dev.postgres import Postgres
from dev.redis import Redis
with Postgres(Path(sys.argv[1]) / "postgres"), Redis(Path(sys.argv[1]) / "redis"):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True, scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Unpack them before the tests start any."""
    folder = tmp_path_factory.mktemp("servers")
    try:
        Postgres(folder), Redis(folder)
    except NotInstalled as error:
        pytest.skip(str(error))  # It says what is not installed, and how it would be.


def connect(postgres: Postgres, password: str = "") -> psycopg2.extensions.connection:
    url = postgres.url.replace("+psycopg2", "")
    return psycopg2.connect(url.replace((postgres.folder / "password").read_text(), password) if password else url)


def running(folder: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if str(folder) in " ".join(process.info["cmdline"] or [])]


def test_a_copy_starts_with_what_its_template_holds(tmp_path: Path) -> None:
    with Postgres(tmp_path / "first") as first, connect(first) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS number")
    with Postgres(tmp_path / "copy", tmp_path / "first") as copy, connect(copy).cursor() as cursor:
        cursor.execute("SELECT number FROM kept")
        assert cursor.fetchall() == [(42,)]


def test_only_who_knows_the_password_gets_in(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres") as postgres, pytest.raises(psycopg2.OperationalError, match="password"):
        connect(postgres, "guessed")
    with Redis(tmp_path / "redis") as redis, socket.create_connection(("127.0.0.1", redis.port)) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_they_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        wait_until(lambda: len(running(tmp_path / "postgres")) >= 1, "PostgreSQL", 60)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not running(tmp_path), "The end", 60)
