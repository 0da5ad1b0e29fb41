"""Every example of docs/testing.md passes as it stands there, in a project that has set up nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from airflow import __version__

PAGE = (Path(__file__).parent.parent.parent / "docs" / "testing.md").read_text()
NAMED = re.compile(r"^`(\w+\.py)`[^\n]*\n\n```python\n(.*?)```", re.DOTALL | re.MULTILINE)


def test_the_examples_pass(tmp_path: Path) -> None:
    examples = dict(NAMED.findall(PAGE))
    assert len(examples) == PAGE.count("```python") - 1  # The other one shows the imports on Airflow 2.
    if __version__.startswith("2."):
        [instead] = re.findall(r"On Airflow 2.11[^`]*\n\n```python\n(.*?)```", PAGE, re.DOTALL)
        examples["nightly.py"] = examples["nightly.py"].replace("from airflow.sdk import DAG, Param\n", instead)
    for name, code in examples.items():
        (tmp_path / name).write_text(code)
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment | {"HOME": str(tmp_path / "home")}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = re.findall(r"^def (test_\w+)", "\n".join(examples.values()), re.MULTILINE)
    assert {name for name in tests if f"::{name}" in done.stdout} == set(tests)
    assert f"{len(tests)} passed" in done.stdout
    assert not list((tmp_path / "home").rglob("airflow.db"))
