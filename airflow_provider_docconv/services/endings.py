"""How files of the known kinds end, which tells a whole file from one that was cut off."""

from __future__ import annotations

import struct

from airflow_provider_docconv.services.signatures import DJVU, ZIP, is_pdf, is_xml

#: How many of a file's last bytes are looked at: the end record of a ZIP archive and the longest comment after it.
TAIL = 22 + 0xFFFF
_NEAR = 1024
_ZIP_END = b"PK\x05\x06"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"


def missing_end(head: bytes, tail: bytes, size: int) -> str | None:
    """
    Say what is missing at the end of a file; None if it looks whole, or if its kind has no end that is known.

    A PDF has its ``%%EOF`` within the last KiB (ISO 32000-1, annex H), a ZIP archive its end record (APPNOTE 4.3.16),
    a PNG picture its ``IEND`` chunk, a JPEG picture its EOI marker, and a DjVu file says its length (DjVu 3, 8.1).

    :param head: the file's first bytes, at best 1 KiB
    :param tail: its last bytes, at best :data:`TAIL`
    :param size: its length in bytes
    """
    if head.startswith(DJVU):
        return _djvu_end(head, size)
    if head.startswith(ZIP):
        return None if _ZIP_END in tail else "the ZIP archive has no directory at its end"
    near = tail[-_NEAR:]
    if is_pdf(head):
        return None if b"%%EOF" in near else "the PDF has no %%EOF at its end"
    if head.startswith(b"\x89PNG"):
        return None if _PNG_END in near else "the PNG picture has no IEND at its end"
    if head.startswith(b"\xff\xd8\xff"):
        return None if _JPEG_END in near else "the JPEG picture has no end marker"
    if is_xml(head):
        return None if near.rstrip(b" \t\r\n\0").endswith(b">") else "the XML ends inside of its text"
    return None


def _djvu_end(head: bytes, size: int) -> str | None:
    if len(head) < 12:
        return "the DjVu file ends in its header"
    (length,) = struct.unpack_from(">I", head, 8)
    # The length is that of what follows it.
    return None if size >= length + 12 else f"the DjVu file has {size} of its {length + 12} bytes"
