"""A wrong secret is tried three times in ten minutes and no more, by all processes together."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.logins import Logins
from airflow_provider_docconv.services.errors import AuthenticationFailed, ServiceUnavailable
from docconv_sandbox import Sandbox
from tests.support.clients import SECRET, MakeCarrier, settings_for
from tests.support.hostile import Answer, Hostile

RUNNING = Answer({"status": "Started"})
REFUSED = Answer({"error": "invalid_client"}, 400)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_login_is_never_hammered(carrier: MakeCarrier, status: int) -> None:
    with Hostile(RUNNING, logins=[Answer({"error": "invalid_client"}, status)]) as server:
        for _ in range(3):
            with pytest.raises(AuthenticationFailed, match=r"refused the client id and secret .*invalid_client"):
                carrier(server.url).status()
        assert len(server.logins) == 3
        for _ in range(3):
            with pytest.raises(AuthenticationFailed, match=r"3 times in the last ten minutes.* or wait \d+ seconds"):
                carrier(server.url).status()
        assert (len(server.logins), len(server.calls)) == (3, 0)


def test_both_clients_count_together(carrier: MakeCarrier) -> None:
    with Hostile(RUNNING, logins=[REFUSED]) as server:
        for _ in range(2):
            with pytest.raises(AuthenticationFailed):
                Client(settings_for(server.url)).log_in()
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                carrier(server.url).status()
        assert len(server.logins) == 3


PROCESS = """
import sys
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import AuthenticationFailed
try:
    Client(Settings("aspose_slides", "my-client", sys.argv[2], sys.argv[1])).log_in()
except AuthenticationFailed as error:
    print(error)
"""


def test_all_processes_count_together() -> None:
    with Hostile(RUNNING, logins=[REFUSED]) as server:
        command = [sys.executable, "-c", PROCESS, server.url, SECRET]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
        said = [process.communicate()[0] for process in running]
        assert len(server.logins) == 3
    assert sum("invalid_client" in words for words in said) == 3
    assert sum("were not tried again" in words for words in said) == 2


def test_one_logs_in_at_a_time() -> None:
    with Hostile(RUNNING) as server, ThreadPoolExecutor(1) as other:
        settings = settings_for(server.url)
        with Logins(settings).turn():
            waiting = other.submit(Client(settings).log_in)
            time.sleep(0.3)
            assert server.logins == []
        waiting.result()
        assert len(server.logins) == 1


def test_a_correct_secret_is_tried_at_once() -> None:
    with Sandbox(engine="wheels", client_id="my-client", client_secret="right") as sandbox:
        for _ in range(5):
            with pytest.raises(AuthenticationFailed):
                Client(settings_for(sandbox.url)).log_in()
        Client(replace(settings_for(sandbox.url), client_secret="right")).log_in()
        stats = sandbox.stats()
    # Five refusals would have locked it.
    assert (stats["logins_refused"], stats["logins_ok"]) == (3, 1)


def test_ten_minutes_later_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = Logins(settings_for("http://x"))
    for _ in range(3):
        logins.record_refused()
    with pytest.raises(AuthenticationFailed):
        logins.require_allowed()
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    logins.require_allowed()


def test_a_login_that_is_out_of_order_is_no_refusal(carrier: MakeCarrier) -> None:
    with Hostile(RUNNING, logins=[Answer(b"", 502)]) as server:
        for _ in range(2):
            with pytest.raises(ServiceUnavailable):
                carrier(server.url).status()
        assert len(server.logins) == 8


def test_what_is_kept_tells_no_secret(own_temporary_folder: Path) -> None:
    logins = Logins(settings_for("http://x"))
    logins.record_refused()
    [folder] = own_temporary_folder.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    kept = "".join(f"{file} {file.read_text()}" for file in folder.iterdir())
    assert SECRET not in kept
    assert "my-client" not in kept


@pytest.mark.parametrize("damage", ["nonsense", "9e999", "", "\x00"])
def test_a_damaged_count_locks_nobody_out(tmp_path: Path, damage: str) -> None:
    logins = Logins(settings_for("http://x"), tmp_path)
    logins._file.write_text(damage)
    with logins.turn():
        logins.require_allowed()


def test_a_folder_that_can_not_be_written_locks_nobody_out(tmp_path: Path) -> None:
    logins = Logins(settings_for("http://x"), tmp_path / "file" / "folder")
    (tmp_path / "file").write_text("in the way")
    with logins.turn():
        logins.record_refused()
        logins.require_allowed()
