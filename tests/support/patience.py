"""Waiting for something real to come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0


def wait_until(answer: Callable[[], Any]) -> Any:
    """Wait until something is true, for as long as a loaded machine may need, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return found
