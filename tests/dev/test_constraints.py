"""The pinned versions are plain lines that any index can serve."""

from __future__ import annotations

import re

import pytest

from dev.constraints import AIRFLOW, PYTHONS
from dev.environment import ROOT


@pytest.mark.parametrize("python", PYTHONS)
def test_only_names_and_versions(python: str) -> None:
    lines = (ROOT / "constraints" / f"{python}.txt").read_text().splitlines()
    assert AIRFLOW in lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line)] == []
