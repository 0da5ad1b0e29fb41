"""LibreOffice: every Office format there is, one process and one fresh profile per job."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from docconv_sandbox.engines.base import FONTS, Engine, Work, link_as
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.formats import DRAWINGS, PRESENTATIONS, SHEETS, TEXTS

VARIABLE = "DOCCONV_SANDBOX_SOFFICE"

_PRESENTATION_TARGETS = frozenset("pdf odp otp fodp ppt pps pot pptx ppsx potx pptm html".split())
_TEXT_TARGETS = frozenset("pdf docx dotx doc odt fodt rtf txt html epub".split())
_SHEET_TARGETS = frozenset("pdf xlsx xls ods fods csv html".split())
# A PDF is read by another filter for each kind of document it is to become.
_PDF_FILTERS = {
    **dict.fromkeys(("docx", "doc", "odt", "rtf"), "writer_pdf_import"),
    **dict.fromkeys(("pptx", "odp"), "impress_pdf_import"),
    **dict.fromkeys(DRAWINGS, "draw_pdf_import"),
}
# The plain filter writes pictures into files beside the page.
_WRITER_HTML = "html:HTML (StarWriter):EmbedImages"


class LibreOffice(Engine):
    """``soffice --convert-to``."""

    name = "LibreOffice"
    remedy = "apt-get install libreoffice-impress-nogui libreoffice-writer-nogui libreoffice-calc-nogui"

    def installed(self) -> bool:
        return _program() is not None

    def targets(self, source: str) -> frozenset[str]:
        if source in PRESENTATIONS:
            return _PRESENTATION_TARGETS
        if source in TEXTS:
            return _TEXT_TARGETS
        if source in SHEETS:
            return _SHEET_TARGETS
        return frozenset(_PDF_FILTERS if source == "pdf" else ())

    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        documents = [link_as(document, work.folder, source)]
        if target in DRAWINGS:
            # The drawing filters write the first page only, so each page becomes a document.
            from docconv_sandbox.engines.pages import split_pdf

            documents = split_pdf(document, work)
        work.wait_for(self.name)
        return self._run(documents, source, target, work)

    def _run(self, documents: Sequence[Path], source: str, target: str, work: Work) -> list[Path]:
        profile = work.folder / "profile"
        results = work.folder / "libreoffice"
        convert_to = _WRITER_HTML if target == "html" and source in TEXTS else target
        command = [
            _program() or "soffice",
            f"-env:UserInstallation={profile.absolute().as_uri()}",
            "--headless",
            "--norestore",
            "--nolockcheck",
            *([f"--infilter={_PDF_FILTERS[target]}"] if source == "pdf" else []),
            "--convert-to",
            convert_to,
            "--outdir",
            str(results),
            *map(str, documents),
        ]
        done = subprocess.run(  # noqa: S603  # a fixed program; the names are the sandbox's own
            command,
            cwd=work.folder,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            check=False,
        )
        outputs = [results / f"{document.stem}.{target}" for document in documents]
        # It exits with 0 when it could not load the document: only the files tell.
        if all(output.is_file() for output in outputs):
            return outputs
        if "could not be loaded" in done.stdout:
            raise ConversionError(Cause.DAMAGED, "The document is damaged: LibreOffice could not load it.")
        detail = (done.stdout.strip().splitlines() or ["no message"])[-1]
        raise ConversionError(Cause.ENGINE, f"LibreOffice made no {target} (exit code {done.returncode}): {detail}")


def _program() -> str | None:
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return shutil.which(chosen)
    return shutil.which("soffice") or shutil.which("libreoffice")


def _environment(work: Work) -> dict[str, str]:
    """Keep LibreOffice out of the user's home, and show it the fonts that the sandbox has."""
    system = Path("/etc/fonts/fonts.conf")
    fonts = work.folder / "fonts.conf"
    folders = "".join(f"<dir>{_escape(str(folder))}</dir>" for folder in (FONTS, *work.fonts))
    fonts.write_text(
        f'<?xml version="1.0"?><fontconfig><include ignore_missing="yes">{system}</include>{folders}</fontconfig>',
        encoding="utf-8",
    )
    return {**os.environ, "HOME": str(work.folder), "FONTCONFIG_FILE": str(fonts)}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
