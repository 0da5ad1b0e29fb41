"""Where things lie, and what of it the programs we start get to see. Needs nothing but the standard library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".docconv"
VENV = HOME / "venv"
CACHE = HOME / "cache"
LIBREOFFICE = HOME / "libreoffice"
DOCUMENTS = HOME / "documents"
AIRFLOW_HOME = HOME / "airflow"
INBOX = HOME / "inbox"
OUTBOX = HOME / "output"
LOGS = HOME / "logs"
DAGS = ROOT / "dags_examples"


def program_environment(**variables: str) -> dict[str, str]:
    """
    Return this process's environment for a program of ours, with what lies under ``.docconv`` first on its path.

    :param variables: what the program needs beside that.
    """
    folders = [VENV / "bin", LIBREOFFICE / "bin", Path(sys.executable).parent]
    path = os.pathsep.join([*dict.fromkeys(map(str, folders)), os.environ.get("PATH", os.defpath)])
    # Settings for another Airflow must not leak into ours.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    # Without cached bytecode every component of Airflow would take twice as long to start.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | {"PATH": path, "PYTHONUNBUFFERED": "1"} | variables


def caches() -> dict[str, str]:
    """Return variables that keep what the installers download under ``.docconv``."""
    return {
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(CACHE / "uv"),
    }
