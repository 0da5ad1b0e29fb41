"""``make compat``: the tests that need no running Airflow, on older Airflows, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from workbench.environment import HOME, ROOT, VENV, caches, program_environment

# The newest release of each line before the one that everything else runs on, and what it needs held back.
AIRFLOWS = {"2.11.2": [], "3.0.6": ["universal-pathlib<0.3"], "3.1.8": [], "3.2.2": []}
NEEDED = ("apache-airflow-providers-amazon>=9.10", "s3fs>=2024.6", "cryptography", "hypothesis", "pytest")
DOCUMENTS = ("openpyxl", "python-docx", "python-pptx")
TESTS = ("tests/services", "tests/client", "tests/batch", "tests/airflow")


def main() -> int:
    """Test on each Airflow and return 0 if all of it is well."""
    results = {version: well(version, held_back) for version, held_back in AIRFLOWS.items()}
    for version, result in results.items():
        print(f"Airflow {version}: {'well' if result else 'not well'}")
    return 0 if all(results.values()) else 1


def well(version: str, held_back: list[str]) -> bool:
    """Install an Airflow beside the others, and run the tests on it."""
    print(f"Airflow {version} …", flush=True)
    folder = HOME / "compat" / version
    if not folder.exists():
        venv.create(folder)
    wanted = [f"apache-airflow=={version}", *NEEDED, *DOCUMENTS, *held_back, "--editable", ".[sandbox]"]
    python = folder / "bin" / "python"
    install = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python), *wanted]
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={HOME / 'tmp' / f'compat-{version}'}")
    return run(install) and run([str(python), "-m", "pytest", *options, *TESTS], folder)


def run(command: list[str], folder: Path = VENV) -> bool:
    """Run a command with an environment's programs first on its path, and tell whether it ended with 0."""
    environment = program_environment(**caches(), AIRFLOW_HOME=str(folder / "home"))
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
