"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_dag_has_its_three_tasks() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), namespace)

    start, wait = namespace["start"], namespace["wait"]
    assert start.downstream_task_ids == {"wait"}  # type: ignore[attr-defined]
    assert wait.downstream_task_ids == {"download"}  # type: ignore[attr-defined]
    assert wait.conn_id == "aspose_slides_default"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
