"""Debian's packages below ``.docconv``, for programs that the machine lacks: unpacked only, which needs no root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dev.environment import CACHE, ROOT


class NotInstalled(RuntimeError):
    """A program is not here and could not be had."""


def unpack(packages: Sequence[str], tree: Path) -> None:
    """
    Download packages with what they need that is not on this machine, and unpack them.

    :param packages: their names.
    :param tree: the folder that stands for their root; it appears whole or not at all.
    """
    if not shutil.which("apt-get"):
        raise NotInstalled(f"{packages[0]} is not here, nor is apt-get; install it as your system does.")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="apt-") as work:
        state, unpacked = Path(work) / "state", Path(work) / "tree"
        for folder in (state / "lists" / "partial", state / "cache" / "archives" / "partial", unpacked):
            folder.mkdir(parents=True)
        download(packages, state)
        for package in sorted((state / "cache" / "archives").glob("*.deb")):
            run(["dpkg-deb", "--extract", str(package), str(unpacked)])
        tree.parent.mkdir(parents=True, exist_ok=True)
        if not tree.exists():  # else somebody was quicker
            unpacked.rename(tree)


def download(packages: Sequence[str], state: Path) -> None:
    """
    Download packages with what they need that is not on this machine.

    :param packages: their names.
    :param state: the folder for apt's own files; the packages end up in its ``cache/archives``.
    """
    own = [f"Dir::State={state}", f"Dir::State::status={Path('/var/lib/dpkg/status')}", f"Dir::Cache={state / 'cache'}"]
    settings = [*own, "APT::Sandbox::User=", "Debug::NoLocking=true"]
    options = [part for setting in settings for part in ("-o", setting)]
    run(["apt-get", *options, "update", "-qq"])
    run(["apt-get", *options, "install", "-y", "-qq", "--download-only", "--no-install-recommends", *packages])


def libraries(tree: Path) -> list[Path]:
    """Return the folders of unpacked packages in which their programs must look for libraries."""
    return [*(tree / "usr/lib").glob("*-linux-gnu*"), *(tree / "lib").glob("*-linux-gnu*")]


def library_path(tree: Path) -> dict[str, str]:
    """Return the variable with which a program of unpacked packages finds its libraries."""
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries(tree)))}


def run(command: Sequence[str]) -> None:
    """Run a command, showing what it prints only if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"'{' '.join(command[:6])} …' failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
