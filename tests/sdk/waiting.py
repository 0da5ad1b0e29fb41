"""What the SDKs' tests share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 120.0
SCAN = Path(__file__).parent.parent / "data" / "project_scan.djvu"
PASSWORD = "pw"


def wait_until(answer: Callable[[], Any]) -> Any:
    """Wait until something is true, for as long as a loaded machine may need."""
    deadline = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return found
