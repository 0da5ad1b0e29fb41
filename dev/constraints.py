"""Writes ``constraints/<python>.txt``, one plain ``name==version`` per line, from ``pyproject.toml``."""

from __future__ import annotations

import subprocess
import tomllib

from dev.environment import ROOT, VENV, caches, program_environment

AIRFLOW = "apache-airflow==3.3.2"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def main() -> None:
    """Resolve everything the repository installs, for each Python, to the newest versions that go together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    sandbox = tomllib.loads((ROOT / "sandbox" / "pyproject.toml").read_text())["project"]["dependencies"]
    # The extra "sandbox" is our own distribution; what that needs is pinned in its place.
    names = [name for name in project["project"]["optional-dependencies"] if name != "sandbox"]
    extras = [part for name in names for part in ("--extra", name)]
    grouped = [requirement for group in project["dependency-groups"].values() for requirement in group]
    wanted = [AIRFLOW, "uv", *project["build-system"]["requires"], "editables", *sandbox, *grouped]
    for python in PYTHONS:
        file = ROOT / "constraints" / f"{python}.txt"
        options = ["--quiet", "--no-header", "--no-annotate", "--python-version", python, "--upgrade"]
        resolved = subprocess.run(
            [VENV / "bin" / "uv", "pip", "compile", *options, *extras, "pyproject.toml", "-"],
            cwd=ROOT,
            env=program_environment(**caches()),
            input="\n".join(wanted),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        file.write_text(resolved.stdout)
        print(f"{file.relative_to(ROOT)}: {len(resolved.stdout.splitlines())} packages")


if __name__ == "__main__":
    main()
