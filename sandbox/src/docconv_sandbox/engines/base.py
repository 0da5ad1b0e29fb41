"""What an engine is, and what it works with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

FONTS = Path(__file__).parent.parent / "fonts"


def _ignore_step(index: int, count: int, description: str) -> None:
    pass


def _no_need_to_wait(slot: str) -> None:
    pass


@dataclass(kw_only=True)
class Work:
    """
    One document on its way through the engines, in the process of its own that each job has.

    :param folder: where to write.
    :param fonts: folders with fonts that the document may use.
    :param password: the document's password, where it has one.
    :param width: the width of page images in pixels, or 0 for the page's own size at 96 dpi.
    :param height: their height.
    :param quality: the quality of JPEG images.
    :param report: takes (steps done, steps in all, description).
    :param wait_for: waits until it is this job's turn at something scarce.
    """

    folder: Path
    fonts: Sequence[Path] = ()
    password: str | None = None
    width: int = 0
    height: int = 0
    quality: int = 90
    report: Callable[[int, int, str], None] = field(default=_ignore_step)
    wait_for: Callable[[str], None] = field(default=_no_need_to_wait)


class Engine(ABC):
    """
    Something that converts.

    An engine raises ``ConversionError`` for a document it cannot convert. Whatever else it does to its process
    (crash, hang, fill the memory) ends with that process.
    """

    name: ClassVar[str]
    #: what to do to have it
    remedy: ClassVar[str]

    @abstractmethod
    def installed(self) -> bool:
        """Tell whether this machine has it."""

    @abstractmethod
    def targets(self, source: str) -> frozenset[str]:
        """Give the formats it makes from a source."""

    @abstractmethod
    def convert(self, document: Path, source: str, target: str, work: Work) -> list[Path]:
        """
        Convert a document.

        :param document: the document.
        :param source: its format, by its content.
        :param target: the format to make.
        :param work: where and how.
        :return: the files it made, in page order.
        """


def link_as(document: Path, folder: Path, suffix: str) -> Path:
    """
    Give a document a name that its engine believes.

    :param document: the document.
    :param folder: where the name goes.
    :param suffix: the format to claim.
    """
    link = folder / f"document.{suffix}"
    link.unlink(missing_ok=True)
    link.symlink_to(document.absolute())
    return link
