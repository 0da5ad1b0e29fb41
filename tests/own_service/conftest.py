from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import hatchling.build
import pytest

from airflow_provider_docconv.services.catalog import all_services
from airflow_provider_docconv.testing import no_delays
from tests.own_service.server import ToyServer

PACKAGE = Path(__file__).parent


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package of the toy is installed, as a wheel."""
    built, site = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("site")
    before = Path.cwd()
    os.chdir(PACKAGE)
    try:
        wheel = hatchling.build.build_wheel(str(built))
    finally:
        os.chdir(before)
    with ZipFile(built / wheel) as archive:
        archive.extractall(site)
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have the package on the path of this process, and nothing of it left afterwards."""
    monkeypatch.syspath_prepend(str(site))
    all_services.cache_clear()
    yield site
    all_services.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "docconv_toy"]:
        del sys.modules[name]


@pytest.fixture
def toy(installed: Path) -> Iterator[ToyServer]:
    with no_delays(), ToyServer() as server:
        yield server
