"""The machine that something was measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil


def describe() -> str:
    """Return a sentence about this machine, as it is now."""
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    memory = psutil.virtual_memory().total / (1 << 30)
    programs = f"Python {platform.python_version()}, Airflow {version('apache-airflow')}"
    cores = os.cpu_count()
    return f"{cores} cores ({_model()}), {memory:.0f} GiB of memory, {programs}; load before: {load}."


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
