"""A whole Dag, as Airflow's own ``dags test`` runs it, on the Airflows of ``make compat``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION
from dev.environment import ROOT, program_environment
from docconv_sandbox import Sandbox

AIRFLOW = Path(sys.executable).with_name("airflow")
DAGS = Path(__file__).parent / "dag_files"


def airflow(home: Path, *command: str, **environment: str) -> str:
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    given = program_environment(AIRFLOW_HOME=str(home), PYTHONPATH=str(ROOT), **settings, **environment)
    done = subprocess.run([AIRFLOW, *command], env=given, capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.mark.skipif(AIRFLOW_VERSION >= (3, 3), reason="tests/dags has whole Dags on this one")
def test_one_document_and_a_folder_of_them_are_converted(tmp_path: Path, deck_bytes: bytes) -> None:
    inbox, outbox, home = tmp_path / "inbox", tmp_path / "outbox", tmp_path / "airflow"
    inbox.mkdir()
    for name in ("deck.pptx", "other.pptx"):
        (inbox / name).write_bytes(deck_bytes)
    conf = json.dumps({"inbox": f"file://{inbox}", "outbox": f"file://{outbox}"})
    airflow(home, "db", "migrate")
    # Slow enough that there is something to wait for.
    with Sandbox(engine="wheels", seconds_per_page=5) as sandbox:
        login = {"login": sandbox.client_id, "password": sandbox.client_secret}
        connection = {"conn_type": "aspose_slides", "host": sandbox.url, **login}
        said = airflow(home, "dags", "test", "whole", "--conf", conf, AIRFLOW_CONN_DOCS=json.dumps(connection))
    results = [path for path in outbox.rglob("*.pdf") if path.read_bytes().startswith(b"%PDF-")]
    assert {str(path.relative_to(outbox)) for path in results} == {"one/deck.pdf", "all/deck.pdf", "all/other.pdf"}
    assert "running trigger in line" in said, "nothing has deferred"
