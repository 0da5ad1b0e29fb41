"""DjVu to PDF, by the djvu-rs wheel or by DjVuLibre's ddjvu."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from docconv_sandbox.engines.base import Engine, Work
from docconv_sandbox.errors import Cause, ConversionError


class DjVuRs(Engine):
    """The wheel. Keeps the text layer and the bookmarks."""

    name = "djvu-rs"
    remedy = "pip install docconv-sandbox"

    def installed(self) -> bool:
        return find_spec("djvu_rs") is not None

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"pdf"} if source == "djvu" else ())

    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        import djvu_rs

        output = work.folder / "djvu.pdf"
        try:
            book = djvu_rs.Document.open(str(document))
            work.report(0, book.page_count(), "Converting")
            book.write_pdf(str(output))
        except djvu_rs.Error as error:
            raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
        return [output]


class DjVuLibre(Engine):
    """The reference implementation. Its PDF has pictures only."""

    name = "DjVuLibre"
    remedy = "apt-get install djvulibre-bin"

    def installed(self) -> bool:
        return shutil.which("ddjvu") is not None

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"pdf"} if source == "djvu" else ())

    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        output = work.folder / "djvu.pdf"
        done = subprocess.run(  # noqa: S603  # a fixed program; the names are the sandbox's own
            [shutil.which("ddjvu") or "ddjvu", "-format=pdf", "-quality=80", str(document), str(output)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            errors="replace",
            check=False,
        )
        if done.returncode or not output.exists():
            detail = done.stderr.strip().splitlines()[:1]
            raise ConversionError(Cause.DAMAGED, f"The document is damaged: {' '.join(detail) or 'no output'}")
        return [output]
