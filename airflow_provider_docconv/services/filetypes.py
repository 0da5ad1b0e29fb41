"""What kind of file some bytes are, by their beginning, and whether they are complete, by their end."""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING

from airflow_provider_docconv.services.errors import DocumentRejected, TruncatedResult

if TYPE_CHECKING:
    from airflow_provider_docconv.services.documents import Document

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DJVU = b"AT&TFORM"
PNG = b"\x89PNG"
JPEG = b"\xff\xd8\xff"
# TIFF 6.0 in either byte order, and BigTIFF.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC: dict[str, tuple[bytes, ...]] = {
    "djvu": (DJVU,),
    "djv": (DJVU,),
    "png": (PNG,),
    "jpg": (JPEG,),
    "jpeg": (JPEG,),
    "gif": (b"GIF8",),
    "tiff": _TIFF,
    "tif": _TIFF,
}
# The extensions for files that come without a name.
_KINDS = ("png", "jpg", "gif", "tiff", "djvu")

_OOXML = frozenset("docx docm dotx dotm pptx pptm ppsx ppsm potx potm xlsx xlsm xltx xltm xlsb".split())
_ZIP_BASED = _OOXML | frozenset("odt ott odp otp ods ots odg epub xps zip".split())
_MARKUP = frozenset("html htm xhtml xml svg xaml fodp fodt fods".split())

# Extensions that are as good as the format's own name, which is what they stand for here.
_SAME = {"jpeg": "jpg", "tif": "tiff", "htm": "html", "html5": "html", "hocr": "html", "mpeg4": "mp4", "djv": "djvu"}
# Never a ZIP of pages.
_ONE_FILE = frozenset({"pdf", "xps", "mpeg4", "mp4", "swf"})

# The header of an archive's member has 30 bytes (APPNOTE 4.3.7). Its name follows, and then its content.
_NAME_LENGTH, _NAME = 26, 30
# The first member has the media type, uncompressed (OpenDocument 1.3, part 2, 3.3; EPUB OCF 3.3, 4.3).
_LONGEST_MEDIA_TYPE = 100
_MEDIA_TYPE = rb"mimetypeapplication/(?:vnd\.oasis\.opendocument\.([a-z-]+)|epub\+zip)(?![a-z-])"
_OPEN_DOCUMENT = {
    b"text": "odt",
    b"text-template": "ott",
    b"presentation": "odp",
    b"presentation-template": "otp",
    b"spreadsheet": "ods",
    b"spreadsheet-template": "ots",
    b"graphics": "odg",
    None: "epub",
}
# The folders in which programs put the parts of Office Open XML documents; no standard requires them.
_PARTS = rb"(?s)PK\x03\x04.{26}(word|ppt|xl)/"
_OFFICE = {b"word": "docx", b"ppt": "pptx", b"xl": "xlsx"}
_BEFORE_PARTS = ("[Content_Types].xml", "_rels/", "docProps/", "word/", "ppt/", "xl/")

# An encrypted Office Open XML file is an OLE compound file with a stream of this name (MS-OFFCRYPTO 2.3.4).
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE_HEADER = 512

# How many of a document's first bytes are looked at, and of a result's.
_DOCUMENT_HEAD = 4096
_RESULT_HEAD = 1024
#: How many of a file's last bytes are looked at: the end record of a ZIP archive and the longest comment after it.
TAIL = 22 + 0xFFFF
_NEAR_END = 1024
_ZIP_END = b"PK\x05\x06"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"


def require_convertible(document: Document, service: str, has_password: bool) -> None:
    """
    Refuse a document that no service could convert, before it is sent and paid.

    :param document: the document
    :param service: the service's name, for messages
    :param has_password: whether a password for it is given
    :raises DocumentRejected: if it is empty, encrypted without a password, or certainly not what its name says
    """
    name, end = document.name, extension(document.name)
    head = document.read_at(0, _DOCUMENT_HEAD)
    if not head:
        raise DocumentRejected(f"the document is empty, so it was not sent to {service}", document=name)
    if not fits(end, head):
        raise DocumentRejected(
            f"the document is not a .{end} file ({looks_like(head)}), so it was not sent to {service}",
            document=name,
            remedy="rename or replace it",
        )
    if end in _OOXML and not has_password and _is_encrypted(document, head):
        raise DocumentRejected(
            f"the document is encrypted, so it was not sent to {service}",
            document=name,
            remedy="give its password in options, or decrypt it",
        )


def _is_encrypted(document: Document, head: bytes) -> bool:
    if not head.startswith(OLE) or len(head) < _OLE_HEADER:
        return False
    (sector_shift,) = struct.unpack_from("<H", head, 30)
    (directory,) = struct.unpack_from("<I", head, 48)
    if sector_shift not in (9, 12):
        return False
    return _ENCRYPTED in document.read_at((directory + 1) << sector_shift, 4096)


def extension(name: str) -> str:
    """Return a file name's extension, in lower case and without the dot."""
    stem, dot, end = name.rpartition(".")
    return end.lower() if dot and stem else ""


def fits(end: str, head: bytes) -> bool:
    """
    Tell whether a file may be what its extension says. Anything fits an unknown extension.

    :param end: the extension, in lower case
    :param head: the file's first bytes, preferably 1 KiB
    """
    if end in _ZIP_BASED:
        # Old binary files under a new extension are common, and the services open them.
        return head.startswith((b"PK", OLE))
    if end == "pdf":
        return is_pdf(head)
    return head.startswith(_MAGIC.get(end, (b"",)))


def fits_format(end: str, target_format: str) -> bool:
    """
    Tell whether a result in a target format may have an extension.

    :param end: the extension, in lower case; none fits any format
    :param target_format: the format, as the vendor names it. Where it has one file per page, the result is a ZIP
    """
    target = target_format.lower()
    return not end or _SAME.get(end, end) == _SAME.get(target, target) or (end == "zip" and target not in _ONE_FILE)


def fits_result(end: str, head: bytes) -> bool:
    """Tell the same of a result, more strictly: a service's HTML begins with a tag, a person's need not."""
    return fits(end, head) and (end not in _MARKUP or _markup(head).startswith(b"<"))


def fits_package(end: str, head: bytes) -> bool:
    """
    Tell whether a result may have an extension, if it is a document in the form of a ZIP, such as a pptx.

    :param end: the extension, in lower case; none fits, nor does any but ``zip`` tell less than the result is
    :param head: the result's first bytes, preferably 1 KiB
    """
    kind = package_kind(head) if head.startswith(ZIP) else "zip"
    if kind == "zip" or end in ("", "zip", kind):
        return True
    # Templates, shows and the like: docx and dotm; ods and ots.
    alike = (end[0] == kind[0]) if kind in _OOXML else (end[-1] == kind[-1])
    return alike and end in _ZIP_BASED and (end in _OOXML) == (kind in _OOXML)


def is_picture(head: bytes) -> bool:
    """Tell whether a file is a picture: PNG, JPEG, TIFF, GIF or BMP."""
    return head.startswith((PNG, JPEG, *_TIFF, b"GIF8", b"BM"))


def is_pdf(head: bytes) -> bool:
    """Tell whether a file is a PDF, whose header may follow other bytes (ISO 32000-1, annex H)."""
    return b"%PDF-" in head[:1024]


def is_xml(head: bytes) -> bool:
    """Tell whether a file has an XML declaration, or is an SVG picture without one."""
    return _markup(head).startswith((b"<?xml", b"<svg"))


def _markup(head: bytes) -> bytes:
    # UTF-16 has a zero beside each of these characters.
    return head[:512].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").replace(b"\0", b"").lower()


def is_image_archive(name: str, head: bytes) -> bool:
    """
    Tell whether a result is a ZIP of single pages, although its name says something else.

    The services return one for formats with one file per page (Aspose.Slides Cloud's documentation).
    """
    end = extension(name)
    if end in {"zip", *_ONE_FILE} - {"xps"} or not head.startswith(ZIP) or package_kind(head) != "zip":
        return False
    first = _first_member(head)
    # Where a page is an archive itself, the first member's extension shows it.
    return end not in _ZIP_BASED or ("/" not in first and extension(first) in _ZIP_BASED)


def kind_of(head: bytes) -> str:
    """Return the extension that fits a result's first bytes, or an empty string."""
    if is_pdf(head):
        return "pdf"
    if head.startswith(ZIP):
        return package_kind(head)
    return next((kind for kind in _KINDS if fits(kind, head)), "")


def package_kind(head: bytes) -> str:
    """
    Return the extension that fits an archive's first members; ``zip`` if they are just files.

    :param head: the archive's first bytes, the more the better
    """
    if media_type := re.match(_MEDIA_TYPE, head[_NAME : _NAME + _LONGEST_MEDIA_TYPE]):
        return _OPEN_DOCUMENT.get(media_type[1], "zip")
    if _first_member(head).startswith(_BEFORE_PARTS) and (part := re.search(_PARTS, head)):
        return _OFFICE[part[1]]
    return "zip"


def _first_member(head: bytes) -> str:
    """Return the name of an archive's first member, as far as it is there."""
    if len(head) < _NAME:
        return ""
    (length,) = struct.unpack_from("<H", head, _NAME_LENGTH)
    return head[_NAME : _NAME + length].decode("utf-8", "replace")


def looks_like(head: bytes) -> str:
    """Say in a few words what a file is, judging by its first bytes."""
    kinds = {ZIP: "a ZIP archive", OLE: "an old binary Office file", DJVU: "a DjVu file", b"%PDF-": "a PDF"}
    if head.startswith(ZIP) and (package := package_kind(head)) != "zip":
        return f"it is a .{package} file"
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return f"it is {kind}"
    if head[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page"
    return f"it begins with {head[:8]!r}"


class Inspection:
    """
    Inspects bytes while they pass: their number, their checksum, and whether they are complete.

    :param what: what they are, for messages
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._hash = hashlib.sha256()
        self._head = self._tail = b""
        #: How many have passed.
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if len(self._head) < _RESULT_HEAD:
            self._head += chunk[: _RESULT_HEAD - len(self._head)]
        self._tail = chunk[-TAIL:] if len(chunk) >= TAIL else (self._tail + chunk)[-TAIL:]
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """Their SHA-256, in hexadecimal."""
        return self._hash.hexdigest()

    def require_whole(self) -> None:
        """
        Check that they are a complete file.

        :raises TruncatedResult: if not
        """
        if missing := missing_end(self._head, self._tail, self.size):
            raise TruncatedResult(f"{self._what} is incomplete: {missing}")


def missing_end(head: bytes, tail: bytes, size: int) -> str | None:
    """
    Say what is missing at the end of a file; None if it looks complete, or its kind has no known end.

    A PDF has its ``%%EOF`` within the last KiB (ISO 32000-1, annex H), a ZIP archive its end record (APPNOTE 4.3.16),
    a PNG picture its ``IEND`` chunk, a JPEG picture its EOI marker, and a DjVu file has its length in its header
    (DjVu 3, 8.1).

    :param head: the file's first bytes, preferably 1 KiB
    :param tail: its last bytes, preferably :data:`TAIL`
    :param size: its length in bytes
    """
    if head.startswith(DJVU):
        return _missing_djvu_end(head, size)
    if head.startswith(ZIP):
        return None if _ZIP_END in tail else "the ZIP archive has no directory at its end"
    near_end = tail[-_NEAR_END:]
    if is_pdf(head):
        return None if b"%%EOF" in near_end else "the PDF has no %%EOF at its end"
    if head.startswith(PNG):
        return None if _PNG_END in near_end else "the PNG picture has no IEND at its end"
    if head.startswith(JPEG):
        return None if _JPEG_END in near_end else "the JPEG picture has no end marker"
    if is_xml(head):
        return None if near_end.rstrip(b" \t\r\n\0").endswith(b">") else "the XML does not end with a tag"
    return None


def _missing_djvu_end(head: bytes, size: int) -> str | None:
    if len(head) < 12:
        return "the DjVu file ends in its header"
    (length,) = struct.unpack_from(">I", head, 8)
    # The length is that of what follows it.
    return None if size >= length + 12 else f"the DjVu file has {size} of its {length + 12} bytes"
