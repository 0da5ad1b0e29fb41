from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workbench.standin_calls import standing_in
from workbench.standin import StandIn


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    with standing_in(tmp_path) as running:
        yield running
