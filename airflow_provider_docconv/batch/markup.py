"""Values from outside as pieces of a page, in which nothing hides and nothing is markup."""

from __future__ import annotations

import html
import re
from typing import Any

#: Controls, what turns the direction of writing, what takes no room, lone surrogates and what is no character. Not the
# joiners U+200C and U+200D: Persian and many Indian words need them.
INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# Without a user name, which could pass for the host, and without anything that two browsers read in two ways.
_LINK = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?([/?#][!#-;=?-\[\]_a-z~]*)?", re.IGNORECASE | re.ASCII)
_MAX_SHOWN = 1000
#: What stands for a value that is not there.
NOTHING = '<span class="nothing">–</span>'


def uri(text: str) -> str:
    """Return an address with its name in bold, as a link if it is a plain one of the web."""
    folder, slash, name = text.rpartition("/")
    shown = f'<span class="uri"><span>{show(folder + slash)}</span><b>{show(name)}</b></span>'
    if not _LINK.fullmatch(text) or len(text) > _MAX_SHOWN:
        return shown
    return f'<a href="{html.escape(text)}" rel="noopener noreferrer">{shown}</a>'


def prose(text: object) -> str:
    """Return a text in one line."""
    return show(" ".join(str(text).split()))


def sentence(text: str) -> str:
    """Return a text in one line, with a capital letter."""
    words = " ".join(text.split())
    # A file's name or a URI keeps its small letter.
    return show(words[:1].upper() + words[1:] if words.partition(" ")[0].isalpha() else words)


def show(text: object) -> str:
    """Return a text from outside as HTML, in which nothing hides and nothing is markup."""
    whole, half = str(text), _MAX_SHOWN // 2
    # The end tells more than the middle: of a URI, it is the name.
    shown = whole if len(whole) <= _MAX_SHOWN else f"{whole[:half]} […] {whole[-half:]}"
    return html.escape(INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", shown))


def number(value: Any) -> float | None:
    """Return a value if it is a sensible number."""
    return value if isinstance(value, int | float) and 0 <= value < 1e18 else None


def documents(count: int) -> str:
    """Say how many documents."""
    return f"{count:,} document{'' if count == 1 else 's'}"


def size(value: Any) -> str:
    """Return a number of bytes."""
    size, power = number(value), 0
    if size is None:
        return NOTHING
    while size >= 999.5:
        size, power = size / 1000, power + 1
    if not power:
        return f"{size:.0f} byte{'' if size == 1 else 's'}"
    unit = ("kB", "MB", "GB", "TB", "PB", "EB")[power - 1]
    return f'<span title="{int(value):,} bytes">{size:.{int(size < 9.95)}f} {unit}</span>'


def duration(value: Any) -> str:
    """Return a number of seconds."""
    seconds = number(value)
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
