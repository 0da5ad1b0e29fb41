"""What a file's first bytes say that it is."""

from __future__ import annotations

import struct

from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import DocumentRejected
from airflow_provider_docconv.services.packages import first_member, package_kind

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DJVU = b"AT&TFORM"

_OOXML = frozenset("docx docm dotx dotm pptx pptm ppsx ppsm potx potm xlsx xlsm xltx xltm xlsb".split())
_ZIP_BASED = _OOXML | frozenset("odt ott odp otp ods ots odg epub xps zip".split())
_MARKUP = frozenset("html htm xhtml xml svg xaml fodp fodt fods".split())
# TIFF 6.0 in either order of its bytes, and BigTIFF.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC: dict[str, tuple[bytes, ...]] = {
    "djvu": (DJVU,),
    "djv": (DJVU,),
    "png": (b"\x89PNG",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF8",),
    "tiff": _TIFF,
    "tif": _TIFF,
}
# The extension for what comes without one; the more telling first.
_KINDS = ("png", "jpg", "gif", "tiff", "djvu")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE_HEADER = 512
_HEAD = 4096


def extension(name: str) -> str:
    """Return a file name's extension, in lower case and without the dot."""
    stem, dot, end = name.rpartition(".")
    return end.lower() if dot and stem else ""


def is_image_archive(name: str, head: bytes) -> bool:
    """
    Tell whether a result is a ZIP of single pages although its name promises something else.

    The services answer with one whenever a format has one file a page (Aspose.Slides Cloud's documentation).
    """
    end = extension(name)
    if end == "zip" or not head.startswith(ZIP):
        return False
    first = first_member(head)
    # Where a page is such an archive itself, it shows by the file that lies there first.
    return end not in _ZIP_BASED or ("/" not in first and extension(first) in _ZIP_BASED)


def require_convertible(document: Document, service: str, has_password: bool) -> None:
    """
    Refuse what no service could convert, before anything is sent and paid.

    :param document: the document
    :param service: the service's name, for messages
    :param has_password: whether a password to open it is given
    :raises DocumentRejected: if it is empty, encrypted without a password, or surely not what its name says
    """
    name, end = document.name, extension(document.name)
    head = document.read_at(0, _HEAD)
    if not head:
        raise DocumentRejected(f"the document is empty, so it was not sent to {service}", document=name)
    if not fits(end, head):
        raise DocumentRejected(
            f"the document is no .{end} file ({looks_like(head)}), so it was not sent to {service}",
            document=name,
            remedy="give it its right name, or replace it",
        )
    if end in _OOXML and not has_password and _is_encrypted(document, head):
        raise DocumentRejected(
            f"the document is encrypted, so it was not sent to {service}",
            document=name,
            remedy="give its password in options, or decrypt it",
        )


def _is_encrypted(document: Document, head: bytes) -> bool:
    # An encrypted Office Open XML file is an OLE compound file; its directory names the stream (MS-OFFCRYPTO 2.3.4).
    if not head.startswith(OLE) or len(head) < _OLE_HEADER:
        return False
    (sector_shift,) = struct.unpack_from("<H", head, 30)
    (directory,) = struct.unpack_from("<I", head, 48)
    if sector_shift not in (9, 12):
        return False
    return _ENCRYPTED in document.read_at((directory + 1) << sector_shift, 4096)


def fits(end: str, head: bytes) -> bool:
    """
    Tell whether a file may be what its extension says; of an unknown extension, anything may be.

    :param end: the extension, in lower case
    :param head: the file's first bytes, at best 1 KiB
    """
    if end in _ZIP_BASED:
        # A legacy binary under a new name is common, and the services open it.
        return head.startswith((b"PK", OLE))
    if end == "pdf":
        return is_pdf(head)
    return head.startswith(_MAGIC.get(end, (b"",)))


def fits_result(end: str, head: bytes) -> bool:
    """Tell the same of a result, of which more is certain: a service begins HTML with a tag, a person need not."""
    return fits(end, head) and (end not in _MARKUP or _text(head).startswith(b"<"))


def is_pdf(head: bytes) -> bool:
    """Tell whether a file is a PDF, whose header may follow other bytes (ISO 32000-1, annex H)."""
    return b"%PDF-" in head[:1024]


def is_xml(head: bytes) -> bool:
    """Tell whether a file says that it is XML, or is an SVG picture that does not say so."""
    return _text(head).startswith((b"<?xml", b"<svg"))


def _text(head: bytes) -> bytes:
    # UTF-16 has a zero beside each of these characters.
    return head[:512].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").replace(b"\0", b"").lower()


def looks_like(head: bytes) -> str:
    """Say in a few words what a file's first bytes say that it is."""
    kinds = {ZIP: "a ZIP archive", OLE: "an old binary Office file", DJVU: "a DjVu file", b"%PDF-": "a PDF"}
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return f"it is {kind}"
    if head[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page"
    return f"it begins with {head[:8]!r}"


def kind_of(head: bytes) -> str:
    """Return the extension that a result's first bytes speak for, or an empty string."""
    if is_pdf(head):
        return "pdf"
    if head.startswith(ZIP):
        return package_kind(head)
    return next((kind for kind in _KINDS if fits(kind, head)), "")
