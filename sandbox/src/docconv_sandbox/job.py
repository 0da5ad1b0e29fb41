"""What a job is asked to do and what it gives back: the two things that cross between its process and the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.settings import Tier

Bundle = Literal["pages", "many", "never"]
Action = Literal["convert", "extract", "merge", "recognize", "split"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """
    One conversion, extraction of the text, merge or split.

    :param source: path of the document; a merge has ``merged`` instead.
    :param name: the name the document came with, or an empty text.
    :param folder: where to work and leave the results.
    :param target: the target format's canonical name.
    :param accepts: the source formats the service converts; empty for all.
    :param tier: the engines to choose from.
    :param password: the document's password.
    :param pages: numbers of the pages to convert, from 1; empty for all.
    :param first_page: the first page to convert, where ``pages`` is empty.
    :param page_count: how many pages to convert; 0 for all.
    :param bundle: when results are put into one ZIP: if each page is a file, if there are many files, or never.
    :param fonts: folders with further fonts.
    :param width: the width of page images, or 0.
    :param height: their height, or 0.
    :param quality: the quality of JPEG images.
    :param action: what to do.
    :param method: for a recognition, the vendor's call.
    :param merged: for a merge, the path, the password and the slides of each presentation.
    """

    source: str
    folder: str
    target: str
    name: str = ""
    accepts: Sequence[str] = ()
    tier: Tier = "auto"
    password: str | None = None
    pages: Sequence[int] = ()
    first_page: int = 1
    page_count: int = 0
    bundle: Bundle = "pages"
    fonts: Sequence[str] = ()
    width: int = 0
    height: int = 0
    quality: int = 90
    action: Action = "convert"
    method: str = ""
    merged: Sequence[Mapping[str, Any]] = ()

    @property
    def selects(self) -> bool:
        """Whether only some of the pages are wanted."""
        return bool(self.pages) or self.first_page > 1 or self.page_count > 0

    def chosen(self, total: int) -> list[int]:
        """
        Give the numbers of the pages to convert.

        :param total: how many pages the document has.
        """
        if self.pages:
            numbers = list(self.pages)
        else:
            last = self.first_page + self.page_count - 1 if self.page_count else total
            numbers = list(range(self.first_page, min(last, total) + 1)) or [self.first_page]
        ensure_in_range(numbers, total)
        return numbers

    def to_json(self) -> dict[str, Any]:
        """Give what the job's process reads."""
        return asdict(self)


def ensure_in_range(numbers: Sequence[int], total: int) -> None:
    """
    Refuse numbers of pages that a document does not have.

    :param numbers: the numbers, from 1.
    :param total: how many pages the document has.
    """
    for number in numbers:
        if not 1 <= number <= total:
            raise ConversionError(
                Cause.OUT_OF_RANGE,
                f"Page {number} is out of bounds. Valid index range is between 1 and {total}.",
            )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    What a conversion made.

    :param files: paths of the results, in page order.
    :param pages: how many pages were converted; 0 where the target has none.
    :param engine: the engines that did it.
    :param source: the source's format, by its content.
    """

    files: list[str]
    pages: int
    engine: str
    source: str
