from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from docconv_sandbox import Sandbox
from docconv_sandbox.engines.libreoffice import LibreOffice
from tests import documents
from tests.client import NO_LIBREOFFICE, Client
from tests.patience import wait_until

# No files left behind, and the same examples every time: a failure that comes and goes helps nobody.
settings.register_profile("docconv", deadline=None, database=None, derandomize=True, max_examples=60)
settings.load_profile("docconv")

for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small document of each kind."""
    folder = tmp_path_factory.mktemp("documents")
    made = {
        "pptx": documents.pptx(folder / "deck.pptx"),
        "docx": documents.docx(folder / "letter.docx"),
        "xlsx": documents.xlsx(folder / "table.xlsx"),
        "odp": documents.odp(folder / "open.odp"),
        "odt": documents.odt(folder / "open.odt"),
        "djvu": documents.SCAN,
    }
    made["encrypted"] = documents.encrypted(made["pptx"], folder / "secret.pptx")
    made["truncated"] = documents.truncated(made["pptx"], folder / "broken.pptx")
    return made


@pytest.fixture(scope="session", params=["wheels", "libreoffice"])
def tier(request: pytest.FixtureRequest) -> str:
    """Each set of engines that this machine has."""
    if request.param == "libreoffice" and not LibreOffice().installed():
        pytest.skip(NO_LIBREOFFICE)  # The other engine's tests need none.
    return request.param


@pytest.fixture(scope="session")
def libreoffice() -> None:
    if not LibreOffice().installed():
        pytest.skip(NO_LIBREOFFICE)  # The other engine's tests need none.


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """A client of a sandbox that everyone shares. It has the wheels only: they are quick and always there."""
    with Sandbox(engine="wheels", storages=("Main", "MyStore", "MyStorage"), max_upload=8) as sandbox:
        yield Client(sandbox)


@pytest.fixture(scope="session")
def tier_client(tier: str) -> Iterator[Client]:
    """A client of a sandbox with one set of engines."""
    with Sandbox(engine=tier) as sandbox:
        yield Client(sandbox)


@pytest.fixture
def fake_soffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a script in LibreOffice's place."""

    def put(script: str) -> None:
        path = tmp_path / "soffice"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("DOCCONV_SANDBOX_SOFFICE", str(path))

    return put


@pytest.fixture
def hanging_soffice(tmp_path: Path, fake_soffice: Callable[[str], None]) -> Path:
    """Put something that never ends in LibreOffice's place. It leaves its process id, and that of its child."""
    fake_soffice(f'echo $$ > "{tmp_path}/pids"\nsleep 1000 &\necho $! >> "{tmp_path}/pids"\nwait')
    return tmp_path / "pids"


@pytest.fixture
def pids(hanging_soffice: Path) -> Callable[[], list[int]]:
    """Wait for the process ids of what hangs."""

    def read() -> list[int]:
        wait_until(lambda: hanging_soffice.exists() and len(hanging_soffice.read_text().split()) == 2)
        return list(map(int, hanging_soffice.read_text().split()))

    return read


@pytest.fixture
def stored(client: Client, made: dict[str, Path]) -> str:
    """Put a deck and a letter into both storages; give their folder."""
    folder = uuid.uuid4().hex
    for prefix in ("/v3.0/slides/storage", "/v2.0/conversion/storage"):
        for kind in ("pptx", "docx", "encrypted"):
            client("PUT", f"{prefix}/file/{folder}/{made[kind].name}", data=made[kind].read_bytes())
    return folder
