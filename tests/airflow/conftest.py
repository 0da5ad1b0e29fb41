from __future__ import annotations

import io
from pathlib import Path

import pytest
from pptx import Presentation

from airflow_provider_docconv.client import retries
from airflow_provider_docconv.client.blocking import shared_client


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_DELAY", 0.0)
    shared_client.cache_clear()


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
