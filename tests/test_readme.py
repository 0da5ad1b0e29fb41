"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_docconv.operators import docconv
from airflow_provider_docconv.sensors import docconv as sensors

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_dag_converts_a_folder_and_the_other_ways_have_a_task_or_three_for_each_document() -> None:
    batch, mapped, single = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(batch, "README.md", "exec"), namespace)
    assert namespace["dag"].task_dict["convert"].source == "s3://aws_default@documents/inbox/"

    imports = {"deck": "s3://b/q3.pptx", "folder": "s3://b/pdf/", "conn_id": "aspose_slides_default"}
    with DAG("mapped", schedule=None) as dag:
        exec(compile(mapped, "README.md", "exec"), vars(docconv) | imports | {"decks": ["s3://b/q3.pptx"]})
    assert dag.task_dict["convert"].partial_kwargs["target_format"] == "pdf"
    with DAG("single", schedule=None):
        exec(compile(single, "README.md", "exec"), namespace | vars(docconv) | vars(sensors) | imports, namespace)
    assert namespace["start"].downstream_task_ids == {"wait"}
    assert namespace["wait"].downstream_task_ids == {"download"}


def test_the_dag_of_the_events_watches_the_folder_that_it_converts() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(code, "events.md", "exec"), namespace)
    [watcher] = namespace["incoming"].watchers
    assert watcher.trigger.folder == namespace["dag"].task_dict["convert"].source == "s3://aws_default@documents/inbox/"


PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for file, heading in re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        target = page.parent / file if file else page
        assert target.exists(), f"{page.name} links to {file}"
        assert not heading or heading in anchors(target), f"{page.name} links to {file}#{heading}"


def anchors(page: Path) -> set[str]:
    """Return what links to the headings of a page are called."""
    headings = (line.lstrip("#").strip().lower() for line in page.read_text().splitlines() if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def test_every_decision_has_an_id_and_three_lines_at_most() -> None:
    _, *parts = (ROOT / "docs" / "decisions.md").read_text().split("\n\n")
    decisions = [part for part in parts if not part.startswith("#")][1:]
    ids = [re.match(r"\*\*([A-Z]-\d+) ", decision) for decision in decisions]
    assert all(ids)
    assert len({found[1] for found in ids if found}) == len(ids)
    assert [decision for decision in decisions if len(decision.splitlines()) > 3] == []
