"""The pages of a PDF: choosing some of them, and making pictures of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from docconv_sandbox.engines.base import Engine, Work
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.formats import IMAGES

if TYPE_CHECKING:
    import pypdfium2  # type: ignore[import-untyped]  # it has no types
    from PIL.Image import Image

_POINTS_PER_INCH = 72
_SCREEN_DPI = 96
# A page can claim to be 200 inches wide; its picture must still fit into the memory of one job.
_LARGEST_PICTURE = 64_000_000


class Pages(Engine):
    """PDF to pictures, by pypdfium2 and Pillow."""

    name = "pdfium"
    remedy = "pip install docconv-sandbox"

    def installed(self) -> bool:
        return find_spec("pypdfium2") is not None and find_spec("PIL") is not None

    def targets(self, source: str) -> frozenset[str]:
        return IMAGES if source == "pdf" else frozenset()

    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        with open_pdf(document, work) as pdf:
            if target == "tiff":
                return [_tiff(pdf, work)]
            options = {"quality": work.quality} if target == "jpeg" else {}
            outputs = []
            for number, image in enumerate(_pictures(pdf, work), 1):
                output = work.folder / f"page-{number}.{target}"
                image.save(output, target, **options)
                outputs.append(output)
                work.report(number, len(pdf), f"Page {number} of {len(pdf)}")
            return outputs


@contextmanager
def open_pdf(document: Path, work: Work) -> Iterator[pypdfium2.PdfDocument]:
    """
    Open a PDF, with the password of the work where it needs one.

    :param document: the PDF.
    :param work: the work it belongs to.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(document, password=work.password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD:
            cause = Cause.WRONG_PASSWORD if work.password else Cause.MISSING_PASSWORD
            raise ConversionError(cause, "The document needs its password.") from error
        raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
    with closing(pdf):
        yield pdf


def select_pages(document: Path, numbers: Sequence[int], work: Work) -> Path:
    """
    Make a PDF of some of a PDF's pages.

    :param document: the PDF.
    :param numbers: the pages to take, from 1.
    :param work: the work it belongs to.
    """
    import pypdfium2

    output = work.folder / "selected.pdf"
    with open_pdf(document, work) as pdf, closing(pypdfium2.PdfDocument.new()) as selected:
        selected.import_pages(pdf, [number - 1 for number in numbers])
        selected.save(output)
    return output


def split_pdf(document: Path, work: Work) -> list[Path]:
    """
    Make a PDF of each page of a PDF.

    :param document: the PDF.
    :param work: the work it belongs to.
    """
    import pypdfium2

    outputs = []
    with open_pdf(document, work) as pdf:
        for index in range(len(pdf)):
            output = work.folder / f"page-{index + 1}.pdf"
            with closing(pypdfium2.PdfDocument.new()) as single:
                single.import_pages(pdf, [index])
                single.save(output)
            outputs.append(output)
    return outputs


def _tiff(pdf: pypdfium2.PdfDocument, work: Work) -> Path:
    output = work.folder / "document.tiff"
    pictures = _pictures(pdf, work)
    first = next(pictures)
    work.report(1, len(pdf), f"Page 1 of {len(pdf)}")

    def rest() -> Iterator[Image]:
        for number, image in enumerate(pictures, 2):
            work.report(number, len(pdf), f"Page {number} of {len(pdf)}")
            yield image

    # Pillow takes the pages from the generator one by one, so that only one is in memory.
    first.save(output, "tiff", save_all=True, append_images=rest(), compression="tiff_deflate")
    return output


def _pictures(pdf: pypdfium2.PdfDocument, work: Work) -> Iterator[Image]:
    for page in pdf:
        width, height = page.get_size()
        scale = _SCREEN_DPI / _POINTS_PER_INCH
        if work.width or work.height:
            scale = min(size / own for size, own in ((work.width, width), (work.height, height)) if size)
        if width * height * scale * scale > _LARGEST_PICTURE:
            raise ConversionError(Cause.UNSUPPORTED, "The page is too large to make a picture of.")
        yield page.render(scale=scale).to_pil().convert("RGB")
        page.close()
