from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msoffcrypto
import pytest
from docx import Document
from pptx import Presentation

from docconv_sandbox import Sandbox
from tests.sdk.waiting import PASSWORD


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with the credentials and storages of the recordings."""
    with Sandbox(
        engine="wheels",
        client_id="my-client",
        client_secret="my-secret",
        storages=("Main", "MyStore", "MyStorage"),
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    presentation = Presentation()
    for number in range(1, 5):
        slide = presentation.slides.add_slide(presentation.slide_layouts[0])
        slide.shapes.title.text = f"Slide number {number}"
    path = tmp_path_factory.mktemp("deck") / "My Pres.pptx"
    presentation.save(path)
    return path


@pytest.fixture(scope="session")
def secret_deck(deck: Path) -> Path:
    path = deck.with_name("secret.pptx")
    with deck.open("rb") as source, path.open("wb") as target:
        msoffcrypto.OfficeFile(source).encrypt(PASSWORD, target)
    return path


@pytest.fixture(scope="session")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    document = Document()
    for number in range(1, 5):
        document.add_heading(f"Page number {number}")
        if number < 4:
            document.add_page_break()
    path = tmp_path_factory.mktemp("letter") / "four pages.docx"
    document.save(path)
    return path
