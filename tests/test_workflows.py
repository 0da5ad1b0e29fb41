"""The workflows and hooks are valid, and name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))


def steps(workflow: dict[str, Any]) -> list[str]:
    return [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_every_target_of_a_workflow_is_in_the_makefile(file: Path) -> None:
    named = [target for step in steps(yaml.safe_load(file.read_text())) for target in re.findall(r"make (\w+)", step)]
    assert set(named) <= TARGETS


def test_there_are_constraints_for_every_python_of_the_tests() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    matrices = [job.get("strategy", {}).get("matrix", {}) for job in jobs.values()]
    pythons = {python for matrix in matrices for python in matrix.get("python", [])}
    assert pythons == {file.stem for file in (ROOT / "constraints").glob("*.txt")}


def test_the_hooks_are_the_linters_of_the_environment() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {repo["repo"] for repo in hooks} == {"local"}
    folders = re.findall(r"mypy (.*)", (ROOT / ".pre-commit-config.yaml").read_text())[0].split()
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
