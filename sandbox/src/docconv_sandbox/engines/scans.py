"""
What Aspose.OCR Cloud makes of scans, without recognising anything.

The text of a PDF is that of its text layer, and the text of a picture what its metadata describe it with (PNG
``Description``, TIFF and EXIF ``ImageDescription``), so that a test can put any text into a scan. Pictures are really
made better, within what Pillow does.
"""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docconv_sandbox import samples
from docconv_sandbox.engines.base import Work
from docconv_sandbox.errors import Cause, ConversionError

if TYPE_CHECKING:
    from PIL.Image import Image

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM")
_PDF = b"%PDF-"
_IMAGE_DESCRIPTION = 270
_LARGEST = 100_000_000


def is_scan(document: Path) -> bool:
    """Tell whether a document is a PDF or a picture."""
    with document.open("rb") as file:
        head = file.read(1024)
    return head.startswith(_PICTURES) or _PDF in head


def recognize(document: Path, method: str, target: str, work: Work) -> tuple[Path, int]:
    """
    Do what a call of the vendor does, and return the result with the number of pages.

    :param document: a PDF or a picture.
    :param method: the vendor's call, such as ``RecognizePdf``.
    :param target: the format of the result.
    :param work: where to do it.
    """
    with document.open("rb") as file:
        is_pdf = _PDF in file.read(1024)
    output = work.folder / f"result.{target}"
    if method in _BETTER:
        picture = _BETTER[method](_open(document).convert("RGB"))
        picture.save(output, "PNG")
        return output, 1
    texts = _texts_of_pdf(document, work) if is_pdf else [_description(_open(document))]
    work.report(len(texts), len(texts), "Recognized")
    if target == "pdf" and is_pdf:
        shutil.copyfile(document, output)
    elif target == "pdf":
        _open(document).convert("RGB").save(output, "PDF")
    elif target == "png":
        _first_picture(document, is_pdf, work).save(output, "PNG")
    else:
        output.write_bytes(_WRITERS[target]("\n".join(texts)))
    return output, len(texts)


def _open(document: Path) -> Image:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = _LARGEST
    try:
        picture = Image.open(document)
        picture.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise ConversionError(Cause.DAMAGED, f"The picture is damaged: {error}") from error
    return picture


def _description(picture: Image) -> str:
    found: Any = picture.info.get("Description") or picture.getexif().get(_IMAGE_DESCRIPTION) or ""
    return str(found)


def _texts_of_pdf(document: Path, work: Work) -> list[str]:
    from docconv_sandbox.engines.pages import open_pdf

    with open_pdf(document, work) as pdf:
        return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in pdf]


def _first_picture(document: Path, is_pdf: bool, work: Work) -> Image:
    from docconv_sandbox.engines.pages import open_pdf

    if not is_pdf:
        return _open(document).convert("RGB")
    with open_pdf(document, work) as pdf:
        picture: Image = pdf[0].render(scale=2).to_pil()
        return picture.convert("RGB")


def _hocr(text: str) -> bytes:
    lines = "".join(f"<span class='ocr_line'>{html.escape(line)}</span>" for line in text.splitlines())
    return f"<html><body><div class='ocr_page'>{lines}</div></body></html>".encode()


_WRITERS: dict[str, Callable[[str], bytes]] = {
    "txt": str.encode,
    "csv": lambda text: "".join('"' + line.replace('"', '""') + '"\r\n' for line in text.splitlines()).encode(),
    "hocr": _hocr,
    "json": lambda text: json.dumps({"text": text}, ensure_ascii=False).encode(),
    "xlsx": samples.workbook,
}
_BETTER: dict[str, Callable[[Any], Any]] = {
    "BinarizeImage": lambda picture: picture.convert("1"),
    "DeskewImage": lambda picture: picture,
    "DewarpImage": lambda picture: picture,
    "UpscaleImage": lambda picture: picture.resize((2 * picture.width, 2 * picture.height)),
}
