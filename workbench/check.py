"""``make test``: every test with both engine tiers, then the linters; ``make lint``: the linters only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from workbench import libreoffice
from workbench.documents import prepare
from workbench.environment import CACHE, HOME, ROOT, VENV, program_environment

TOOLS = VENV / "bin"
CODE = ("airflow_provider_docconv", "dags_examples", "tests", "workbench")
PYTEST = ("pytest", "-o", f"cache_dir={CACHE / 'pytest'}")
# These mostly wait for Airflow's processes, so that the others can run beside them.
AIRFLOWS = ("tests/dags", "tests/cluster")
LINTERS = (
    ("ruff", "check", "--quiet", "--cache-dir", str(CACHE / "ruff"), "."),
    ("ruff", "format", "--check", "--quiet", "--cache-dir", str(CACHE / "ruff"), "."),
    ("mypy", "--cache-dir", str(CACHE / "mypy"), "airflow_provider_docconv", "workbench", "sandbox/src"),
)


def main() -> int:
    """Run what was asked for and return 0 if all of it is well."""
    only_lint = sys.argv[1:] == ["lint"]
    results = {} if only_lint else {"tests": tests()}
    results |= {f"{linter[0]} {linter[1]}".removesuffix(" --cache-dir"): tool(*linter) for linter in LINTERS}
    results["git diff --check"] = whitespace()
    failed = [name for name, well in results.items() if not well]
    print(f"Not well: {', '.join(failed)}." if failed else f"All is well: {', '.join(results)}.")
    return 1 if failed else 0


def tests() -> bool:
    """Run the tests, with LibreOffice and DjVuLibre where they can be had."""
    try:
        libreoffice.ensure(without_root=True)
    except libreoffice.NotInstalled as error:
        print(f"Tests of those engines will be skipped: {error}", flush=True)
    prepare()
    (HOME / "tmp").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(quietly, *PYTEST, f"--basetemp={HOME / 'tmp' / 'airflows'}", *AIRFLOWS)
        ignored = [f"--ignore={folder}" for folder in AIRFLOWS]
        well = tool(*PYTEST, f"--basetemp={HOME / 'tmp' / 'pytest'}", *ignored)
        well &= tool(*PYTEST, f"--basetemp={HOME / 'tmp' / 'pytest'}", "sandbox/tests")
        also_well, text = beside.result()
    print(text, flush=True)
    return well and also_well


def tool(*command: str) -> bool:
    """Run a tool of the virtual environment and tell whether it was content."""
    return content([str(TOOLS / command[0]), *command[1:]])


def quietly(*command: str) -> tuple[bool, str]:
    """Run a tool of the virtual environment, and tell whether it was content and what it printed."""
    began = time.monotonic()
    done = subprocess.run(
        [str(TOOLS / command[0]), *command[1:]],
        cwd=ROOT,
        env=program_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return (
        done.returncode == 0,
        f"{done.stdout}— {command[0]} of {' '.join(AIRFLOWS)}: {time.monotonic() - began:.0f} s",
    )


def whitespace() -> bool:
    """Let git look for trailing blanks and conflict marks in everything that is committed or about to be."""
    empty_tree = subprocess.run(
        ["git", "hash-object", "-t", "tree", "/dev/null"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return content(["git", "diff", "--check", empty_tree.stdout.strip()])


def content(command: Sequence[str]) -> bool:
    """Run a command and tell whether it ended with 0."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=program_environment(), check=False)
    print(f"— {command[0].rpartition('/')[2]}: {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
