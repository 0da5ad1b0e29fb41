"""``make compat``: the tests that need no cluster on older Airflows, on one with ``AIRFLOW=…``, else on all."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

from dev.environment import HOME, ROOT, VENV, caches, program_environment

# The newest release of each line before the one that everything else runs on, and the day after it. Nothing younger is
# installed with it: Airflow's own constraints are of that day, and 3.0 does not work with what has come out since.
AIRFLOWS = {"2.11.2": "2026-03-14", "3.0.6": "2025-08-29", "3.1.8": "2026-03-11", "3.2.2": "2026-05-29"}
# Except what the package needs younger than that; of these, the oldest that it allows.
YOUNGER = ("apache-airflow-providers-common-compat", "djvu-rs", "office2pdf-python")
NEEDED = (
    "apache-airflow-providers-amazon>=9.10",
    "apache-airflow-providers-openlineage",
    "s3fs>=2024.6",
    "cryptography",
    "hypothesis",
    "pytest",
)
DOCUMENTS = ("openpyxl", "python-docx", "python-pptx")
TESTS = ("tests/services", "tests/client", "tests/polling", "tests/batch", "tests/airflow", "tests/ui")
BROWSER = "tests/ui/test_browser.py"
OLDEST_WITH_PAGES = "3.1.1"


def main() -> int:
    """Test on each Airflow, or on those that were named, and return 0 if all of it is well."""
    results = {version: well(version, AIRFLOWS[version]) for version in sys.argv[1:] or AIRFLOWS}
    for version, result in results.items():
        print(f"Airflow {version}: {'well' if result else 'not well'}")
    return 0 if all(results.values()) else 1


def well(version: str, day: str) -> bool:
    """Install an Airflow beside the others, and run the tests on it."""
    print(f"Airflow {version} …", flush=True)
    folder = HOME / "compat" / version
    venv.create(folder, clear=True)
    python = folder / "bin" / "python"
    install = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python), "--exclude-newer", day]
    install += [f"--exclude-newer-package={name}=false" for name in YOUNGER]
    wanted = [f"apache-airflow=={version}", *map(oldest, YOUNGER), *NEEDED, *DOCUMENTS, "--editable", "./sandbox"]
    wanted += ["--editable", ".[sandbox]"]
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={HOME / 'tmp' / f'compat-{version}'}")
    if not run([*install, *wanted]) or not run([str(python), "-m", "pytest", *options, *TESTS], folder):
        return False
    # The browser's driver is in our own environment.
    watch = [str(VENV / "bin" / "python"), "-m", "pytest", *options, BROWSER]
    return version < OLDEST_WITH_PAGES or run(watch, DOCCONV_AIRFLOW=str(folder))


def oldest(name: str) -> str:
    """Return a requirement of the oldest release of a package that ours allows."""
    projects = (ROOT / "pyproject.toml", ROOT / "sandbox" / "pyproject.toml")
    bound = re.search(rf'"{name}>=([\d.]+)', "".join(file.read_text() for file in projects))
    if not bound:
        raise LookupError(f"Neither pyproject.toml names the oldest {name}.")
    return f"{name}=={bound[1]}"


def run(command: list[str], folder: Path = VENV, **variables: str) -> bool:
    """Run a command with an environment's programs first on its path, and tell whether it ended with 0."""
    environment = program_environment(**caches(), AIRFLOW_HOME=str(folder / "home"), **variables)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
