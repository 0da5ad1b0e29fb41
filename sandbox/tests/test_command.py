"""The command, its settings, and what it imports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from docconv_sandbox import Sandbox, Settings
from docconv_sandbox.__main__ import main, table
from docconv_sandbox.engines.libreoffice import LibreOffice
from docconv_sandbox.faults import KINDS
from tests.client import is_running
from tests.patience import PATIENCE, wait_until

COMMAND = [sys.executable, "-m", "docconv_sandbox"]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# Whatever tries to import one of these fails, installed or not.
BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('airflow', 'airflow_provider_docconv', 'requests')))\n"


def test_importing_it_is_cheap() -> None:
    heavy = ("aiohttp", "pypdfium2", "PIL", "office2pdf", "djvu_rs", "msoffcrypto", "pptx")
    loaded = run_python(
        f"{BLOCKED}import docconv_sandbox\nprint([m for m in sys.modules if m.partition('.')[0] in {heavy}])"
    )
    assert loaded == "[]"


def test_it_needs_neither_airflow_nor_the_provider() -> None:
    converted = run_python(
        f"{BLOCKED}import docconv_sandbox.worker, docconv_sandbox.__main__, json, urllib.request\n"
        "from docconv_sandbox import Sandbox\n"
        "def call(path, data, **headers):\n"
        "    return urllib.request.urlopen(urllib.request.Request(sandbox.url + path, data, headers)).read()\n"
        "with Sandbox(engine='echo') as sandbox:\n"
        "    form = b'grant_type=client_credentials&client_id=sandbox&client_secret=sandbox-secret'\n"
        "    token = 'Bearer ' + json.loads(call('/connect/token', form))['access_token']\n"
        "    id = call('/v3.0/slides/async/convert/pdf', b'PK', Authorization=token).decode()\n"
        "    print(call(f'/v3.0/slides/async/{id}/result', None, Authorization=token)[:5].decode())"
    )
    assert converted == "%PDF-"


@pytest.mark.parametrize("page", ["README.md", "../docs/sandbox.md"])
def test_every_kind_of_fault_is_documented(page: str) -> None:
    text = (Path(__file__).parents[1] / page).read_text()
    assert [kind for kind in KINDS if f"| `{kind}` |" not in text] == []


def test_every_option_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    table = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text().partition("\n## In tests")[0]
    assert options == set(re.findall(r"`(--[a-z-]+)`", table))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_it_with_all_its_children(
    number: signal.Signals, pids: Callable[[], list[int]], made: dict[str, Path], tmp_path: Path
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [*COMMAND, "--engine", "libreoffice", "--client-id", "me", "--client-secret", "it's me"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        printed = ""
        while "Listening on" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        url = re.search(r"Listening on (http://127\.0\.0\.1:\d+)", printed)[1]
        assert "LibreOffice" in printed
        assert "Client id: me" in printed
        form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "it's me"}
        token = requests.post(f"{url}/connect/token", data=form, timeout=30).json()["access_token"]
        answer = requests.post(
            f"{url}/v3.0/slides/async/convert/pdf",
            data=made["odp"].read_bytes(),
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 201
        running = pids()
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) == (-number if number == signal.SIGKILL else 0)
    wait_until(lambda: not any(map(is_running, running)))
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob("docconv-sandbox-*"))


def test_the_table_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("DOCCONV_SANDBOX_SOFFICE", raising=False)
    drawn = table(Settings())
    assert re.search(r"office2pdf +docm docx .* pdf$", drawn, re.MULTILINE)
    assert f"Not here: LibreOffice ({LibreOffice.remedy})" in drawn


def test_the_environment_chooses_the_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCCONV_SANDBOX_ENGINE", "wheels")
    assert Settings().engine == "wheels"
    monkeypatch.setenv("DOCCONV_SANDBOX_ENGINE", "steam")
    assert main([]) == 2
    assert "DOCCONV_SANDBOX_ENGINE=steam" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"storages": ()}, "storage"),
        ({"storages": ("a/b",)}, "storage"),
        ({"storages": ("..",)}, "storage"),
        ({"workers": 0}, "worker"),
        ({"engine": "steam"}, "engine"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"retention": -1}, "retention"),
        ({"max_upload": float("nan")}, "max_upload"),
        ({"job_timeout": float("inf")}, "job_timeout"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Sandbox(**settings)


def test_a_port_that_is_taken_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), Sandbox(port=port):
            pass
        assert main(["--port", str(port)]) == 1
        assert "in use" in capsys.readouterr().err


def test_a_sandbox_that_is_not_running_has_no_stats() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Sandbox().stats()


def test_a_sandbox_stops_with_a_client_connected() -> None:
    with requests.Session() as session:
        with Sandbox() as sandbox:
            session.get(f"{sandbox.url}/sandbox/health", timeout=30)
        with pytest.raises(requests.ConnectionError):
            session.get(f"{sandbox.url}/sandbox/health", timeout=30)
