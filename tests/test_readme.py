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


def test_the_dag_converts_a_folder_and_the_other_way_has_three_tasks() -> None:
    batch, single = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(batch, "README.md", "exec"), namespace)
    assert namespace["dag"].task_dict["convert"].source == "s3://aws_default@documents/decks/"

    imports = {"deck": "s3://b/q3.pptx", "folder": "s3://b/pdf/", "conn_id": "aspose_slides_default"}
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


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
