"""
Makes the virtual environment from the pinned constraints: ``python3 -m dev.install demo|test``.

Runs before anything is installed, so it needs nothing but Python and its ``venv`` module.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from dev.environment import ROOT, VENV, caches, program_environment

# ``demo`` comes first and ``test`` adds to it: a newcomer's first demo does not wait for the vendors' SDKs.
EXTRAS = {"demo": "sandbox", "test": "sandbox,s3,azure,gcs,openlineage,redis"}
GROUPS = {"demo": ["demo"], "test": ["demo", "test", "stores", "cluster", "lint"]}


def main() -> None:
    """Bring the virtual environment up to what the named purpose needs, from scratch if it is not sound."""
    purpose = sys.argv[1]
    constraints = constraints_file()
    half_done = VENV / "installing"
    if half_done.exists() or not fits(VENV):
        shutil.rmtree(VENV, ignore_errors=True)
    print(f"Installing into {VENV.relative_to(ROOT)} (once; half a minute) …", flush=True)
    if not VENV.exists():
        venv.create(VENV, with_pip=True, symlinks=True)
    half_done.touch()
    install(purpose, constraints)
    half_done.unlink()
    (VENV / f"{purpose}.ready").touch()


def constraints_file() -> Path:
    """Return the pinned versions for this Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    file = ROOT / "constraints" / f"{version}.txt"
    if not file.exists():
        known = ", ".join(sorted(f.stem for f in file.parent.glob("*.txt")))
        sys.exit(f"This is Python {version}; there are constraints for {known}. Say which: make PYTHON=python3.12 …")
    return file


def fits(folder: Path) -> bool:
    """Tell whether ``folder`` is a virtual environment of this very Python version with a working pip."""
    python = folder / "bin" / "python"
    asked = "import sys, pip; print(sys.version_info[:2])"
    if not python.exists():
        return False
    answer = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == str(sys.version_info[:2])


def install(purpose: str, constraints: Path) -> None:
    """Install the package and what goes with it: with uv, which takes seconds, else with pip."""
    python = str(VENV / "bin" / "python")
    uv_version = re.search(r"(?m)^uv==.+$", constraints.read_text())
    ours = ["--editable", "./sandbox", "--editable", f".[{EXTRAS[purpose]}]"]
    wanted = [*ours, *requirements(purpose), "--constraint", str(constraints)]
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", python, "--build-constraints", str(constraints)]
    pip = [python, "-m", "pip", "install"]
    environment = program_environment(**caches())
    if uv_version:
        bootstrap = [python, "-m", "pip", "install", "--quiet", uv_version[0]]
        subprocess.run(bootstrap, cwd=ROOT, env=environment, check=False)
    for installer in (uv, pip):
        if Path(installer[0]).exists():
            done = subprocess.run([*installer, "--quiet", *wanted], cwd=ROOT, env=environment, check=False)
            if done.returncode == 0:
                return
    sys.exit("The packages could not be installed; the installer's own words are above.")


def requirements(purpose: str) -> list[str]:
    """Return the requirements of the dependency groups, which pip only learned to read itself in 25.1."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [requirement for group in GROUPS[purpose] for requirement in groups[group]]


if __name__ == "__main__":
    main()
