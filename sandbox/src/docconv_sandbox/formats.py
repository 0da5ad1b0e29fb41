"""Formats: their names, their media types, and telling them apart by content."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path, PurePosixPath

from docconv_sandbox.errors import Cause, ConversionError

PRESENTATIONS = frozenset({"pptx", "pptm", "ppsx", "ppsm", "potx", "potm", "ppt", "odp", "otp", "fodp"})
TEXTS = frozenset({"docx", "docm", "dotx", "doc", "odt", "rtf", "txt", "fodt"})
SHEETS = frozenset({"xlsx", "xlsm", "xltx", "xls", "ods", "csv", "fods"})
SOURCES = PRESENTATIONS | TEXTS | SHEETS | {"pdf", "djvu"}

IMAGES = frozenset({"png", "jpeg", "gif", "bmp", "tiff"})
DRAWINGS = frozenset({"svg", "emf"})
# Formats that are made page by page, so that a selection of pages means something.
PAGED = IMAGES | DRAWINGS | {"pdf"}
# Formats of which every page is a file of its own. A TIFF holds all of its pages.
ONE_FILE_PER_PAGE = PAGED - {"pdf", "tiff"}

ALIASES = {"jpg": "jpeg", "tif": "tiff", "htm": "html", "djv": "djvu"}

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "zip": "application/zip",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "svg": "image/svg+xml",
    "html": "text/html; charset=utf-8",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "ppt": "application/vnd.ms-powerpoint",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
}

# What [Content_Types].xml says of the main part.
_OOXML_MAIN_PARTS = {
    b"presentationml.presentation.main+xml": "pptx",
    b"ms-powerpoint.presentation.macroenabled.main+xml": "pptm",
    b"presentationml.slideshow.main+xml": "ppsx",
    b"ms-powerpoint.slideshow.macroenabled.main+xml": "ppsm",
    b"presentationml.template.main+xml": "potx",
    b"ms-powerpoint.template.macroenabled.main+xml": "potm",
    b"wordprocessingml.document.main+xml": "docx",
    b"ms-word.document.macroenabled.main+xml": "docm",
    b"wordprocessingml.template.main+xml": "dotx",
    b"spreadsheetml.sheet.main+xml": "xlsx",
    b"ms-excel.sheet.macroenabled.main+xml": "xlsm",
    b"spreadsheetml.template.main+xml": "xltx",
}
_OPENDOCUMENT = {
    b"presentation-template": "otp",
    b"presentation": "odp",
    b"text": "odt",
    b"spreadsheet": "ods",
}
_FLAT_OPENDOCUMENT = {b"presentation": "fodp", b"text": "fodt", b"spreadsheet": "fods"}
_OLE_STREAMS = {"PowerPoint Document": "ppt", "WordDocument": "doc", "Workbook": "xls", "Book": "xls"}

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SLIDE = re.compile(r"ppt/slides/slide\d+\.xml", re.IGNORECASE)
_SMALL_PART = 1 << 20
LARGEST_UNPACKED = 1 << 30

ENCRYPTED_OOXML = "encrypted-ooxml"


def canonical(name: str) -> str:
    """Give a format's one name: lower case, without a dot, ``jpeg`` for ``jpg``."""
    lowered = name.strip().lower().removeprefix(".")
    return ALIASES.get(lowered, lowered)


def extension(name: str) -> str:
    """Give the format a file's name claims."""
    return canonical(PurePosixPath(name).suffix)


def media_type(path: Path) -> str:
    """Give the media type to send a result with."""
    return MEDIA_TYPES.get(extension(path.name), "application/octet-stream")


def sniff(path: Path, name: str = "") -> str:
    """
    Tell a document's format by its content.

    :param path: the document.
    :param name: the name it came with; only plain text, which has no signature, is believed on it.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise ConversionError(Cause.DAMAGED, "The document is empty.")
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    if head.startswith(_OLE_MAGIC):
        return _sniff_ole(path)
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if re.match(rb"(AT&T)?FORM....DJV[UM]", head, re.DOTALL):
        return "djvu"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    flat = re.search(rb"office:mimetype=\"application/vnd\.oasis\.opendocument\.(\w+)", head)
    if flat and flat[1] in _FLAT_OPENDOCUMENT:
        return _FLAT_OPENDOCUMENT[flat[1]]
    if extension(name) in {"txt", "csv"} and b"\0" not in head:
        return extension(name)
    raise ConversionError(Cause.DAMAGED, "The file is damaged, or not a document that the sandbox knows.")


def count_pages(path: Path, source: str) -> int:
    """Count the pages of a document without converting it; 0 where that cannot be told cheaply."""
    if source in PRESENTATIONS and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return sum(1 for name in archive.namelist() if _SLIDE.fullmatch(name))
    return 0


def _sniff_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            # A bomb is refused before any engine unpacks it; the engine's memory limit stands behind this.
            if sum(info.file_size for info in archive.infolist()) > LARGEST_UNPACKED:
                raise ConversionError(Cause.DAMAGED, "The document unpacks to more than 1 GiB.")
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                return _match(_OOXML_MAIN_PARTS, _read(archive, "[Content_Types].xml").lower())
            if "mimetype" in names:
                kind = _read(archive, "mimetype").strip().removeprefix(b"application/vnd.oasis.opendocument.")
                if b"manifest:encryption-data" in _read(archive, "META-INF/manifest.xml"):
                    raise ConversionError(Cause.UNSUPPORTED, "The sandbox cannot open encrypted OpenDocument files.")
                if kind in _OPENDOCUMENT:
                    return _OPENDOCUMENT[kind]
    except ConversionError:
        raise
    except Exception as error:  # zipfile and zlib raise all kinds for an unsound archive; all mean the same.
        raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
    raise ConversionError(Cause.DAMAGED, "The file is an archive, not a document that the sandbox knows.")


def _sniff_ole(path: Path) -> str:
    try:
        import olefile  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise ConversionError(Cause.UNSUPPORTED, "Old Office files need the olefile package.") from error
    try:
        with olefile.OleFileIO(path) as ole:
            if ole.exists("EncryptedPackage"):
                return ENCRYPTED_OOXML
            for stream, source in _OLE_STREAMS.items():
                if ole.exists(stream):
                    return source
    except Exception as error:  # olefile reads hostile bytes with plain indexing: any exception means the same.
        raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error
    raise ConversionError(Cause.DAMAGED, "The file is damaged, or not a document that the sandbox knows.")


def _match(table: dict[bytes, str], text: bytes) -> str:
    for needle, found in table.items():
        if needle in text:
            return found
    raise ConversionError(Cause.DAMAGED, "The archive is an Office package without a document in it.")


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(_SMALL_PART)
