from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION

if AIRFLOW_VERSION < (3, 1, 1):
    collect_ignore_glob = ["test_*.py"]
else:
    if find_spec("playwright") is None:
        collect_ignore = ["test_browser.py"]
    from tests.support.api_server import AuthManager, Database


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Airflow's own API server with the plugin, on an empty database of its own."""
    from airflow import settings
    from airflow.api_fastapi import app
    from airflow.utils import db
    from starlette.testclient import TestClient

    name = f"{AuthManager.__module__}.{AuthManager.__qualname__}"
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", name)
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{folder / 'airflow.db'}")
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "x" * 64)
        settings.configure_vars()
        settings.configure_orm()
        db.initdb()
        app.purge_cached_app()
        with TestClient(app.create_app(apps="core"), raise_server_exceptions=False) as client:
            yield client
        app.purge_cached_app()
        settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()


@pytest.fixture
def database(api: Any) -> Database:
    return Database()


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which the server may show files."""
    monkeypatch.setenv("AIRFLOW__DOCCONV__SHARED_FOLDERS", f"/nonexistent, {tmp_path}")
    return tmp_path
