"""Decks that are merged and delivered as a PDF, by one task group."""

from __future__ import annotations

from pathlib import Path

import pytest
from pypdfium2 import PdfDocument

from dev import authoring
from dev.airflow import Airflow
from dev.sandbox import Sandbox


@pytest.mark.parametrize("destination", ["all.pdf", "merged/"])
def test_two_decks_become_one_pdf(destination: str, airflow: Airflow, sandbox: Sandbox, tmp_path: Path) -> None:
    for name, slides in (("first.pptx", 2), ("second.pptx", 3)):
        (tmp_path / name).write_bytes(authoring.deck(slides, name))
    conf = {"first": f"file://{tmp_path}/first.pptx", "second": f"file://{tmp_path}/second.pptx"}
    run = airflow.run("merge_to_pdf", {**conf, "destination": f"file://{tmp_path}/{destination}"})
    assert run.wait() == "success"
    [result] = run.xcom("merge_presentations.download")
    assert result["uri"].endswith(".pdf")
    assert len(PdfDocument(result["uri"].removeprefix("file://"))) == 3
    assert not [path for path in sandbox.work.rglob("merge_presentations.pptx") if path.is_file()]
