"""The example Dag from documents to chunks, with a sandbox for docling-serve."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION
from dev.environment import ROOT
from docconv_sandbox import Sandbox
from tests.support.tasks import connect, context

pytestmark = pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="the examples are those of Airflow 3")


@pytest.fixture
def example() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "dags_examples" / "documents_for_retrieval.py"))


def test_documents_become_chunks(
    example: dict[str, Any], deck_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = example["dag"]
    assert dag.get_task("convert").downstream_task_ids == {"load"}
    assert dag.get_task("load").downstream_task_ids == {"chunk"}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deck.pptx").write_bytes(deck_bytes)
    (tmp_path / "in" / "page.html").write_text(f"<h1>A</h1><p>{'b ' * 900}</p><p>{'c ' * 900}</p>")
    convert = dag.get_task("convert")
    convert.source, convert.destination = f"file://{tmp_path}/in/", f"file://{tmp_path}/out/{{stem}}.{{format}}"
    convert.deferrable = False
    with Sandbox(engine="wheels") as sandbox:
        connect(monkeypatch, sandbox.url, "docling_serve", "docling_serve_default", login=None, password=None)
        convert.execute(context())
    documents = example["read_texts"].function(f"file://{tmp_path}/out/")
    chunks = example["chunk"].function(documents)
    assert [each["text"][:9].strip() for each in chunks] == ["# Slide 1", "# Slide 2", "# A\n\nb b", "c c c c c"]
    assert [each["metadata"]["chunk"] for each in chunks] == [1, 2, 1, 2]
    assert all(each["metadata"]["file_path"].endswith(".md") for each in chunks)
