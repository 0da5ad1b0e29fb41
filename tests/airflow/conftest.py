from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from airflow_provider_docconv.client.blocking import shared_client
from airflow_provider_docconv.testing import no_delays
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from dev.sandbox import Sandbox
from dev.stores import S3
from tests.support.batch_runs import BatchRuns
from tests.support.places import Place
from tests.support.tasks import TaskInstance, starting


@pytest.fixture(scope="session")
def deck_bytes() -> bytes:
    presentation = Presentation()
    for number in (1, 2):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


@pytest.fixture
def deck(deck_bytes: bytes, tmp_path: Path) -> str:
    path = tmp_path / "my deck.pptx"
    path.write_bytes(deck_bytes)
    return f"file://{path}"


@pytest.fixture(autouse=True)
def delays() -> Iterator[list[float]]:
    """Wait for nothing, and write down the delays that there would have been."""
    shared_client.cache_clear()
    with no_delays() as noted:
        yield noted


@pytest.fixture
def runs(tmp_path: Path) -> BatchRuns:
    return BatchRuns(tmp_path)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes, and point the connection to the newest."""
    with starting(tmp_path, monkeypatch) as start:
        yield start


@pytest.fixture
def trigger() -> Callable[..., ConversionTrigger]:
    """Make triggers of a wait, with the task that they belong to."""

    def make(**values: Any) -> ConversionTrigger:
        found = ConversionTrigger(operation_id="op-1", conn_id="docs", poke_interval=0.01, **values)
        found.task_instance = TaskInstance()
        return found

    return make


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3"), "results") as server:
        yield server


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "file":
        folder = tmp_path / "results"
        folder.mkdir()
        return Place(f"file://{folder}", folder)
    s3: S3 = request.getfixturevalue("s3")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(s3.connection))
    folder = s3.data / "results" / tmp_path.name
    folder.mkdir()
    return Place(f"s3://aws_default@results/{tmp_path.name}", folder)
