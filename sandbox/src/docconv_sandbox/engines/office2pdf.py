"""office2pdf: a wheel that lays out Office documents as PDF without an office suite."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from docconv_sandbox.engines.base import FONTS, Engine, Work, link_as
from docconv_sandbox.errors import Cause, ConversionError

# The flavours of one format differ in a content type, which this engine does not look at.
_READ_AS = {
    **dict.fromkeys(("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"), "pptx"),
    **dict.fromkeys(("docx", "docm", "dotx"), "docx"),
    **dict.fromkeys(("xlsx", "xlsm", "xltx"), "xlsx"),
}


class Office2Pdf(Engine):
    """Office Open XML to PDF."""

    name = "office2pdf"
    remedy = "pip install docconv-sandbox"

    def installed(self) -> bool:
        return find_spec("office2pdf") is not None

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"pdf"} if source in _READ_AS else ())

    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        import office2pdf

        options = office2pdf.ConvertOptions(
            font_paths=[FONTS, *work.fonts],
            # Without it a machine that has no fonts gets a monospaced one.
            last_resort_font_family="Liberation Sans",
            include_warnings=False,
        )
        link = link_as(document, work.folder, _READ_AS[source])
        try:
            result = office2pdf.convert_path(link, options=options)
        except office2pdf.UnsupportedEncryptionError as error:
            raise ConversionError(Cause.MISSING_PASSWORD, "The document is encrypted.") from error
        except office2pdf.Office2PdfError as error:
            raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
        output = work.folder / "office2pdf.pdf"
        output.write_bytes(result.pdf)
        return [output]
