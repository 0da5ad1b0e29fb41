"""The file name in a ``Content-Disposition`` header (RFC 6266), as servers really write it."""

from __future__ import annotations

from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value


def file_name(disposition: str) -> str | None:
    """
    Return the file name in a header; hostile. None if there is none that can be read.

    :param disposition: the header's value, as HTTP clients give it: each byte a character
    """
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        parameters = message.get_params([], "content-disposition")
        names = [value for key, value in parameters if key.lower() == "filename"]
        # The extended form, a tuple, says how it is encoded; where there are both, it counts.
        if extended := [name for name in names if isinstance(name, tuple)]:
            return collapse_rfc2231_value(extended[0]) or None
        return _decoded(names[0]) or None if names else None
    except (ValueError, LookupError):
        return None


def _decoded(name: str) -> str:
    """Read a plain name as the two encodings that no standard knows here: .NET's (RFC 2047), or bare UTF-8."""
    try:
        if name.startswith("=?"):
            return str(make_header(decode_header(name)))
        return name.encode("latin-1").decode()
    except (ValueError, LookupError, MessageError):
        return name
