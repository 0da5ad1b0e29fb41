"""What a ZIP archive is by its first members: an office document, an e-book, or no more than an archive."""

from __future__ import annotations

import re
import struct

# The header of a member is 30 bytes long (APPNOTE 4.3.7); its name follows, and then its content.
_NAME_LENGTH, _NAME = 26, 30
# The first member holds the media type, uncompressed (OpenDocument 1.3, part 2, 3.3; EPUB OCF 3.3, 4.3).
_MEDIA_TYPE = re.compile(rb"mimetypeapplication/(?:vnd\.oasis\.opendocument\.([a-z-]+)|epub\+zip)(?![a-z-])")
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
# Where the writers of Office Open XML keep what a document consists of; no standard says so.
_PARTS = re.compile(rb"PK\x03\x04.{26}(word|ppt|xl)/", re.DOTALL)
_OFFICE = {b"word": "docx", b"ppt": "pptx", b"xl": "xlsx"}
_BEFORE_PARTS = ("[Content_Types].xml", "_rels/", "docProps/", "word/", "ppt/", "xl/")


def first_member(head: bytes) -> str:
    """Return the name of an archive's first member, or as much of it as there is."""
    if len(head) < _NAME:
        return ""
    (length,) = struct.unpack_from("<H", head, _NAME_LENGTH)
    return head[_NAME : _NAME + length].decode("utf-8", "replace")


def package_kind(head: bytes) -> str:
    """
    Return the extension that an archive's first members speak for; ``zip`` if they are files of their own.

    :param head: the archive's first bytes, the more the better
    """
    if media_type := _MEDIA_TYPE.match(head, _NAME):
        return _OPEN_DOCUMENT.get(media_type[1], "zip")
    if first_member(head).startswith(_BEFORE_PARTS) and (part := _PARTS.search(head)):
        return _OFFICE[part[1]]
    return "zip"
