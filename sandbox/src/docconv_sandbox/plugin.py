"""
Fixtures for tests of Dags: a sandbox with its connections, sample documents, and runs of Dags and operators.

pytest loads this module by its entry point, in every run, so it imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from docconv_sandbox.background import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "docconv_sandbox(**settings): settings of the fixture docconv_sandbox")


@pytest.fixture
def docconv_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """
    Run a sandbox for one test, to which the services' default connections lead.

    The marker ``docconv_sandbox`` takes its settings: ``@pytest.mark.docconv_sandbox(engine="echo", seconds=2)``.
    """
    from docconv_sandbox.background import Sandbox
    from docconv_sandbox.connections import variables

    marker = request.node.get_closest_marker("docconv_sandbox")
    with Sandbox(**(marker.kwargs if marker else {})) as sandbox:
        for name, value in variables(sandbox.url, sandbox.settings).items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def docconv_samples(tmp_path: Path) -> Path:
    """Write tiny documents of each kind into a folder, and return it: ``deck.pptx``, ``text.docx``, ``scan.djvu``, …"""
    from docconv_sandbox.samples import write_samples

    folder = tmp_path / "samples"
    write_samples(folder)
    return folder


@pytest.fixture
def _airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    pytest.importorskip("airflow", reason="run_dag and run_operator need Airflow")
    from docconv_sandbox.dag_runs import airflow_database

    with airflow_database(tmp_path_factory.mktemp("airflow")):
        yield


@pytest.fixture
def run_dag(_airflow: None) -> Callable[..., Any]:
    """Run a Dag with a database of its own: ``run_dag(dag, conf={...})["task_id"].state``."""
    from docconv_sandbox.dag_runs import run_dag

    return run_dag


@pytest.fixture
def run_operator(_airflow: None) -> Callable[..., Any]:
    """Run one operator with a database of its own: ``run_operator(ConvertDocumentsOperator(...)).returned``."""
    from docconv_sandbox.dag_runs import run_operator

    return run_operator
