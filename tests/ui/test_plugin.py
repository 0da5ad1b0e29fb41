"""How Airflow gets the plugin, and what that costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

PLUGIN = "airflow_provider_docconv.plugins.docconv"


def run(code: str, folder: Path, **environment: str) -> Any:
    """Run Python with an Airflow of its own, and return what it prints as JSON."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    own |= {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_finds_it_by_its_entry_point_only() -> None:
    [entry] = [each for each in metadata.entry_points(group="airflow.plugins") if each.value.startswith(f"{PLUGIN}:")]
    assert entry.name == "docconv"
    assert entry.load().name == "docconv"


def test_it_loads_nothing_that_airflows_own_plugins_do_not(tmp_path: Path) -> None:
    code = f"""
import json, sys
import airflow.plugins_manager
try:
    import airflow.sdk.plugins_manager
except ImportError:
    pass  # Airflow before 3.2 has one plugins manager.
before = set(sys.modules)
import {PLUGIN}
print(json.dumps(sorted(set(sys.modules) - before)))"""
    loaded = run(code, tmp_path)
    ours = [name for name in loaded if name.startswith("airflow_provider_docconv")]
    assert set(ours) - {"airflow_provider_docconv"} == {
        "airflow_provider_docconv.compat",
        "airflow_provider_docconv.plugins",
        PLUGIN,
    }
    others = [name for name in loaded if name not in ours]
    assert all(name.startswith("airflow.providers") for name in others), others


BROKEN = """
import json, sys
sys.modules["airflow_provider_docconv.plugins.app"] = None
from airflow.utils import db
db.initdb()
from airflow.api_fastapi.app import create_app
from starlette.testclient import TestClient
from airflow import plugins_manager
with TestClient(create_app(apps="core")) as client:
    health = client.get("/api/v2/monitor/health").status_code
    token = client.get("/auth/token").json()["access_token"]
    login = {"Authorization": f"Bearer {token}"}
    plugins = client.get("/api/v2/plugins", headers=login).json()["plugins"]
    errors = client.get("/api/v2/plugins/importErrors", headers=login).json()["import_errors"]
views = [view["name"] for plugin in plugins for view in plugin["external_views"]]
print(json.dumps([health, views, errors]))
"""


@pytest.mark.parametrize(("code", "views"), [(BROKEN, []), (BROKEN.replace("sys.modules[", "{}["), ["Conversions"])])
def test_the_server_runs_without_its_pages_if_they_can_not_be_loaded(
    tmp_path: Path, code: str, views: list[str]
) -> None:
    everybody = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True", "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64}
    database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}
    assert run(code, tmp_path, **everybody, **database) == [200, views, []]
