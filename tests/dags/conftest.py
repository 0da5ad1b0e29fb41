"""A real Airflow, a real sandbox and real documents, shared by all tests of this folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msoffcrypto.format.ooxml
import pytest
import requests

from dev import authoring
from dev.cluster import LocalAirflow, migrated
from dev.debian import NotInstalled
from dev.environment import DAGS, ROOT
from dev.postgres import Postgres
from dev.run import Run
from dev.sandbox import CONNECTIONS, Sandbox
from dev.table import table
from tests.support.planted_secrets import CLIENT_SECRET, DOCUMENT_PASSWORD
from tests.support.proxies import Interruption, forward_proxy

#: How the sandbox's statistics call what the vendors would bill as a conversion.
STARTS = {"slides.convert", "groupdocs.convert", "groupdocs.convert_and_save", "ocr.start"}
#: How many slides the encrypted deck has.
SLIDES = 30


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def sandbox(home: Path) -> Iterator[Sandbox]:
    # Slow enough that a deck of a few slides is deferred.
    options = ("--seconds-per-page", "0.7", "--client-secret", CLIENT_SECRET)
    with Sandbox(home.parent / "sandbox.log", *options) as sandbox:
        sandbox.wait_until_healthy()
        yield sandbox


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[Postgres]:
    # SQLite turns a write away when another one came first, which on a busy machine happens to a Clear, too.
    try:
        server = Postgres(home.parent / "postgres", migrated())
    except NotInstalled as error:
        pytest.skip(str(error))  # It says what is not installed, and how it would be.
    with server:
        yield server


@pytest.fixture(scope="session")
def proxied_hosts() -> dict[str, Interruption]:
    """Give the hosts beyond loopback, which Airflow reaches through a proxy; a module may add its own."""
    return {}


@pytest.fixture(scope="session")
def airflow(
    home: Path, sandbox: Sandbox, postgres: Postgres, proxied_hosts: dict[str, Interruption]
) -> Iterator[LocalAirflow]:
    folder = home.parent / "dags"
    folder.mkdir()
    for file in (*DAGS.glob("*.py"), *(Path(__file__).parent / "dag_files").glob("*.py")):
        (folder / file.name).write_text(file.read_text())
    with (
        forward_proxy(proxied_hosts) as proxy,
        LocalAirflow(home, folder, postgres, 8, {"http_proxy": proxy, "no_proxy": "127.0.0.1"}) as airflow,
    ):
        for conn_id, conn_type in CONNECTIONS.items():
            airflow.connect(conn_id, conn_type, host=sandbox.url, login="sandbox", password=CLIENT_SECRET)
        airflow.connect("document_password", "generic", password=DOCUMENT_PASSWORD)
        yield airflow


@pytest.fixture
def starts(sandbox: Sandbox) -> Callable[[], int]:
    """Count the calls that start a conversion, and are billed."""

    def count() -> int:
        calls: dict[str, int] = requests.get(f"{sandbox.url}/sandbox/stats", timeout=60).json()["methods"]
        return sum(number for call, number in calls.items() if call in STARTS)

    return count


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inbox")
    deck = authoring.deck(6, "Quarterly figures")
    encrypted = io.BytesIO()
    # So many slides that it is not converted yet when a worker begins to wait for it, on a busy machine, too.
    long = authoring.deck(SLIDES, "Yearly figures")
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(long)).encrypt(DOCUMENT_PASSWORD, encrypted)
    contents = {
        "deck.pptx": deck,
        "letter.docx": authoring.letter("One paragraph.\n\nAnother one.", "A letter"),
        "figures.xlsx": authoring.workbook(),
        "scan.djvu": (ROOT / "tests" / "data" / "project_scan.djvu").read_bytes(),
        "damaged.pptx": authoring.damaged(),
        "encrypted.pptx": encrypted.getvalue(),
        "notes.txt": b"not for conversion",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def convert(airflow: LocalAirflow, documents: Path, tmp_path: Path) -> Callable[..., Run]:
    """Run one of the Dags for one document, and return the run when it has ended."""

    def run(dag_id: str, name: str, conn_id: str = "aspose_slides_default") -> Run:
        conf = {"source": f"file://{documents}/{name}", "conn_id": conn_id, "destination": f"file://{tmp_path}/out/"}
        started = airflow.run(dag_id, conf)
        started.wait()
        return started

    return run


_rows: list[dict[str, Any]] = []


@pytest.fixture
def record() -> Callable[[Any], None]:
    """Take a dataclass as a row of the table that is printed when all tests are over."""
    return lambda row: _rows.append(asdict(row))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _rows:
        heads = list(_rows[0])
        terminalreporter.write_line("\n" + table(heads, [list(row.values()) for row in _rows], right=heads[1:]))
