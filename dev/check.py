"""
``make lint``: the linters, and the documentation without a warning. ``make docs``: the documentation alone. ``make
check``: the linters and the tests that need no servers. ``make test``: everything.

Linters and tests run beside each other, and so do the tests that mostly wait for Airflow's processes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from dev import libreoffice
from dev.documents import prepare
from dev.environment import CACHE, HOME, ROOT, VENV, program_environment

# In a fraction of a minute, and without servers, Airflow's processes or converters.
PURE = (
    "tests/services",
    "tests/polling",
    "tests/batch",
    "tests/test_docs.py",
    "tests/test_readme.py",
    "tests/test_workflows.py",
)
AIRFLOWS = ("tests/dags", "tests/cluster", "tests/ui/test_browser.py")
LINTERS = (
    ("ruff", "check", "--quiet", "--cache-dir", str(CACHE / "ruff"), "."),
    ("ruff", "format", "--check", "--quiet", "--cache-dir", str(CACHE / "ruff"), "."),
    ("mypy", "--cache-dir", str(CACHE / "mypy"), "airflow_provider_docconv", "dev", "sandbox/src"),
    ("lint-imports", "--cache-dir", str(CACHE / "import-linter")),
    ("deptry", "."),
    ("deptry", "sandbox/src", "--config", "sandbox/pyproject.toml"),
)


DOCS = ("sphinx-build", "-W", "--keep-going", "--quiet", "--fresh-env", "-b", "html", "docs", str(HOME / "docs"))


class Result(NamedTuple):
    """
    What came of one command.

    :param name: the command in a word or two
    :param passed: whether it ended with 0
    """

    name: str
    passed: bool


def main() -> int:
    """Run what was asked for, and return 0 if all of it passed."""
    lanes: dict[str, list[Callable[[], list[Result]]]] = {
        "docs": [lambda: [documentation()]],
        "lint": [linters],
        "check": [linters, lambda: [pytest("pure tests", "-m", "not servers", *PURE)]],
        "test": [airflows, lambda: [*tests(), *linters()]],
    }
    (HOME / "tmp").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        results = [result for lane in pool.map(lambda run: run(), lanes[sys.argv[1]]) for result in lane]
    failed = [result.name for result in results if not result.passed]
    print(f"Failed: {', '.join(failed)}." if failed else f"All passed: {', '.join(result.name for result in results)}.")
    return 1 if failed else 0


def linters() -> list[Result]:
    """Run the linters."""
    results = [run(f"{linter[0]} {linter[1]}" if linter[0] == "ruff" else linter[0], linter) for linter in LINTERS]
    return [*results, whitespace(), documentation()]


def documentation() -> Result:
    """Build the documentation site; a warning is an error."""
    return run("documentation", DOCS)


def tests() -> list[Result]:
    """Run the tests that start no Airflow, with LibreOffice and DjVuLibre where they can be had."""
    try:
        libreoffice.ensure(without_root=True)
    except libreoffice.NotInstalled as error:
        print(f"Tests of those engines will be skipped: {error}", flush=True)
    prepare()
    ignored = [f"--ignore={each}" for each in AIRFLOWS]
    return [pytest("tests", *ignored, "tests"), pytest("tests of the sandbox", "sandbox/tests")]


def airflows() -> list[Result]:
    """Run the tests in Airflow's own processes."""
    return [pytest("tests in Airflow", *AIRFLOWS)]


def pytest(name: str, *arguments: str) -> Result:
    """Run some tests."""
    own = HOME / "tmp" / name.replace(" ", "-")
    options = ("-o", f"cache_dir={CACHE / own.name}", f"--basetemp={own}")
    return run(name, ("pytest", *options, *arguments))


def whitespace() -> Result:
    """Let git look for trailing blanks and conflict marks in everything that is committed or about to be."""
    if not (ROOT / ".git").exists():  # a source archive
        return Result("git diff --check", passed=True)
    empty_tree = subprocess.run(
        ["git", "hash-object", "-t", "tree", "/dev/null"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run("git diff --check", ("git", "diff", "--check", empty_tree.stdout.strip()))


def run(name: str, command: Sequence[str]) -> Result:
    """Run a command, and print what it printed when it has ended: others run beside it."""
    tool = VENV / "bin" / command[0]
    began = time.monotonic()
    done = subprocess.run(
        [str(tool) if tool.exists() else command[0], *command[1:]],
        cwd=ROOT,
        env=program_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(f"{done.stdout}— {name}: {time.monotonic() - began:.0f} s", flush=True)
    return Result(name, done.returncode == 0)


if __name__ == "__main__":
    sys.exit(main())
