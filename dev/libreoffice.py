"""``make libreoffice``: LibreOffice and DjVuLibre, for the whole machine where we may, else under ``.docconv``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev import debian
from dev.debian import run
from dev.environment import LIBREOFFICE, program_environment

# The fonts are named because without them pages break elsewhere than their authors saw.
PACKAGES = (
    "libreoffice-impress-nogui",
    "libreoffice-writer-nogui",
    "libreoffice-calc-nogui",
    "fonts-dejavu-core",
    "fonts-liberation2",
    "fonts-crosextra-carlito",
    "fonts-crosextra-caladea",
    "djvulibre-bin",
)
PROGRAMS = {"soffice": "usr/lib/libreoffice/program/soffice", "ddjvu": "usr/bin/ddjvu"}
TREE = LIBREOFFICE / "tree"
NotInstalled = debian.NotInstalled


def main() -> int:
    """Install what is missing and say where it is."""
    try:
        ensure(without_root=True)
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    for program in PROGRAMS:
        print(f"{program}: {found(program)}")
    return 0


def ensure(*, without_root: bool) -> None:
    """
    Install LibreOffice and DjVuLibre unless they are here.

    :param without_root: whether to unpack them under ``.docconv`` where we may not install them.
    """
    if all(map(found, PROGRAMS)):
        return
    if not shutil.which("apt-get"):
        raise NotInstalled("LibreOffice and DjVuLibre are not here, nor is apt-get; install them as your system does.")
    if root := privilege():
        print("Installing LibreOffice and DjVuLibre (about 150 MB) …", flush=True)
        run([*root, "apt-get", "update", "-qq"])
        run([*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES])
    elif without_root:
        print("No root here: unpacking LibreOffice and DjVuLibre (about 150 MB) below .docconv …", flush=True)
        unpack()
    else:
        raise NotInstalled(
            "LibreOffice and DjVuLibre are not here, and only root may install them (`make libreoffice`)."
        )


def found(program: str) -> str | None:
    """Return where a program is, if it is."""
    return shutil.which(program, path=program_environment()["PATH"])


def privilege() -> list[str]:
    """Return what to put before a command to run it as root; nothing if we may not."""
    if os.geteuid() == 0:
        return ["env", "DEBIAN_FRONTEND=noninteractive"]
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    return []


def unpack() -> None:
    """Download the packages and what they need that is not on this machine, and unpack them under ``.docconv``."""
    shutil.rmtree(LIBREOFFICE, ignore_errors=True)
    debian.unpack(PACKAGES, TREE)
    relocate()
    for name, program in PROGRAMS.items():
        wrap(name, TREE / program)


def relocate() -> None:
    """Point LibreOffice to where it lies now, and do what its packages would have done when installed."""
    office = TREE / "usr/lib/libreoffice"
    registry = TREE / "etc/libreoffice/registry"
    shutil.copytree(office / "share/.registry", registry, dirs_exist_ok=True)
    link = office / "share/registry"
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(registry, link.parent))
    shutil.rmtree(office / "share/prereg/bundled", ignore_errors=True)
    for name in ("fundamentalrc", "sofficerc", "lounorc", "redirectrc"):
        file = office / "program" / name
        if file.exists():
            text = file.read_text()
            for folder in ("/usr/lib/libreoffice", "/etc/libreoffice"):
                text = text.replace(f"file://{folder}", (TREE / folder[1:]).as_uri())
            # Many of these are links into /etc, which would be the machine's own.
            file.unlink()
            file.write_text(text)


def wrap(name: str, program: Path) -> None:
    """Write a script that runs an unpacked program with its libraries, fonts and font settings."""
    libraries = [TREE / "usr/lib/libreoffice/program", *debian.libraries(TREE)]
    fonts = f'export FONTCONFIG_PATH="{TREE}/etc/fonts"\n' if not Path("/etc/fonts/fonts.conf").exists() else ""
    script = LIBREOFFICE / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        "#!/bin/sh\n"
        f'export LD_LIBRARY_PATH="{":".join(map(str, libraries))}"\n'
        f'export XDG_DATA_HOME="{TREE}/usr/share"\n'
        f'{fonts}exec "{program}" "$@"\n'
    )
    script.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
