"""
A real PostgreSQL: the machine's own if it has one, else Debian's, unpacked below ``.docconv``.

.. code-block:: python

    with Postgres(tmp_path / "postgres") as postgres:
        sqlalchemy.create_engine(postgres.url)
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dev import debian
from dev.environment import HOME, program_environment
from dev.processes import Process, Processes, free_ports, wait_until

TREE = HOME / "postgresql"
PROGRAMS = "usr/lib/postgresql/*/bin"
USER = "airflow"
# Nothing of it is to outlive a crash of the machine, and a kill of ours must leave nothing in /dev/shm.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
}


@dataclass(frozen=True)
class Programs:
    """
    Where PostgreSQL's programs are.

    :param folder: the folder that they are in.
    :param environment: the environment to run them in.
    """

    folder: Path
    environment: dict[str, str]

    @property
    def version(self) -> str:
        """Their version."""
        command = [str(self.folder / "postgres"), "--version"]
        told = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout
        return told.split()[2]

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return what to run for one of them, as somebody whom it takes."""
        return [*unprivileged(), str(self.folder / program), *arguments]


class Postgres:
    """
    A PostgreSQL on a free loopback port, with a password that nobody else knows.

    :param folder: its folder: data, password, log; made when missing, taken over when not.
    :param template: the folder of another one, not running, whose data it starts with.
    """

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        self.folder = folder
        self.template = template
        self.data = folder / "data"
        (self.port,) = free_ports(1)
        self.programs = programs()
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": self.port}.items()]
        command = self.programs.command("postgres", "-D", str(self.data), *settings)
        self.process = Process("PostgreSQL", command, folder / "postgres.log", self.programs.environment)
        self.processes = Processes()

    def __enter__(self) -> Postgres:
        try:
            if not self.data.exists():
                self._make_data()
            self.processes.start(self.process)
            wait_until(self._ready, "Starting PostgreSQL", 60, [self.process])
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: object) -> None:
        # The polite signal would wait for its clients.
        self.process.signal(signal.SIGINT)
        with suppress(TimeoutError):
            wait_until(lambda: not self.process.alive, "Ending PostgreSQL", 10)
        self.processes.__exit__(*error)

    @property
    def url(self) -> str:
        """The database's address, for SQLAlchemy with the driver psycopg2."""
        password = (self.folder / "password").read_text()
        return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{self.port}/postgres"

    def dump(self) -> bytes:
        """Return every row of every table as text."""
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "--data-only", "--inserts", "postgres"]
        # Else bytes would come as hexadecimal digits, in which no search finds a word.
        secret = {"PGPASSWORD": (self.folder / "password").read_text(), "PGOPTIONS": "-c bytea_output=escape"}
        command = self.programs.command("pg_dump", *options)
        return subprocess.run(
            command, env=self.programs.environment | secret, stdout=subprocess.PIPE, check=True
        ).stdout

    def _make_data(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self.folder / "password"
        if self.template:
            shutil.copyfile(self.template / "password", password)
            shutil.copytree(self.template / "data", self.data, symlinks=True)
            give(self.data)
            return
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(16))
        self.data.mkdir(mode=0o700)
        give(self.data)
        access = ["-U", USER, "-A", "scram-sha-256", f"--pwfile={password}"]
        options = ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        command = self.programs.command("initdb", "-D", str(self.data), *access, *options)
        with self.process.log.open("ab") as log:
            subprocess.run(command, env=self.programs.environment, stdout=log, stderr=log, check=True)

    def _ready(self) -> bool:
        # What pg_ctl looks at, too; a file that a killed server left behind names another process.
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().split()
            return lines[:1] == [str(self.process.pid)] and lines[-1] == "ready"
        return False


def programs() -> Programs:
    """Find PostgreSQL's programs; unpack them when the machine has none."""
    on_path = filter(None, [shutil.which("postgres")])
    for folder in (*(Path(program).resolve().parent for program in on_path), *sorted(Path("/").glob(PROGRAMS))):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return Programs(folder, program_environment())
    if not TREE.exists():
        debian.unpack(["postgresql"], TREE)
    tree = reachable(TREE)
    return Programs(max(tree.glob(PROGRAMS)), program_environment(**debian.library_path(tree)))


def reachable(tree: Path) -> Path:
    """
    Return a folder with the unpacked packages that PostgreSQL's user can look at.

    Its programs ask access(2) for each other, which counts no capabilities: below /root they would find nothing.
    """
    if os.geteuid() != 0 or all(folder.stat().st_mode & stat.S_IXOTH for folder in tree.parents):
        return tree
    copy = Path("/var/tmp") / f"docconv-{tree.name}"  # noqa: S108 - root's own, and nobody else can write to it
    if not copy.exists() or copy.stat().st_uid != 0:
        with tempfile.TemporaryDirectory(dir=copy.parent) as work:
            Path(work).chmod(0o755)
            made = Path(shutil.copytree(tree, Path(work) / tree.name, symlinks=True))
            shutil.rmtree(copy, ignore_errors=True)
            made.rename(copy)
    return copy


def unprivileged() -> list[str]:
    """Return what to put before a command for PostgreSQL, which refuses to run as root; nothing if we are not."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    # Without this capability it could not reach what lies below folders of root's, such as /root or pytest's.
    capability = "-all,+dac_override"
    groups = [f"--regid={nobody.pw_gid}", "--clear-groups"]
    return ["setpriv", f"--reuid={nobody.pw_uid}", *groups, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


def give(folder: Path) -> None:
    """Let PostgreSQL own a folder with all that is in it."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
