"""Merging and splitting presentations, in a job's process."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from docconv_sandbox import engines, formats
from docconv_sandbox.engines.base import Work
from docconv_sandbox.engines.decks import append_slides, count_slides, keep_slides, open_deck
from docconv_sandbox.engines.passwords import decrypt
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.task import Outcome, Task, ensure_in_range

if TYPE_CHECKING:
    from pptx.presentation import Presentation

_ENGINE = "python-pptx"


def merge(task: Task, work: Work) -> Outcome:
    """Merge presentations; the first one gives the size of the slides.

    :param task: what to merge
    :param work: where to do it
    """
    base: Presentation | None = None
    for number, item in enumerate(task.merged, 1):
        own = replace(work, folder=work.folder / f"deck-{number}", password=item["password"])
        own.folder.mkdir()
        deck = open_deck(_as_pptx(Path(item["path"]), task, own))
        numbers = item["slides"] or list(range(1, count_slides(deck) + 1))
        ensure_in_range(numbers, count_slides(deck))
        if len(set(numbers)) < len(numbers):
            raise ConversionError(Cause.UNSUPPORTED, "The sandbox cannot take a slide twice.")
        if base is None:
            base = deck
            keep_slides(base, numbers)
        else:
            append_slides(base, deck, numbers, mark=f"_{number}")
        work.report(number, len(task.merged), f"Processed presentation {number}")
    if base is None:
        raise ConversionError(Cause.UNSUPPORTED, "There are no presentations to merge.")
    output = work.folder / "merged.pptx"
    base.save(str(output))
    return Outcome(files=[str(output)], pages=count_slides(base), engine=_ENGINE, source="pptx")


def split(task: Task, work: Work) -> Outcome:
    """Make a file of each slide.

    :param task: what to split
    :param work: where to do it
    """
    document = _as_pptx(Path(task.source), task, work)
    numbers = task.chosen(count_slides(open_deck(document)))
    # From pptx to pptx there is nothing to convert.
    steps = engines.plan(task.tier, "pptx", task.target) if task.target != "pptx" else []
    files = []
    for done, number in enumerate(numbers, 1):
        own = replace(work, folder=work.folder / f"slide-{number}", report=lambda *_: None, password=None)
        own.folder.mkdir()
        slide = _single(document, number, own)
        for engine, start, end in steps:
            [slide] = engine.convert(slide, start, end, own)
        files.append(slide.rename(work.folder / f"slide_{number}{slide.suffix}"))
        work.report(done, len(numbers), "Slide converted")
    used = " + ".join(dict.fromkeys([_ENGINE, *(engine.name for engine, _, _ in steps)]))
    if task.bundle == "pages":
        output = work.folder / "slides.zip"
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        files = [output]
    return Outcome(files=[str(file) for file in files], pages=len(numbers), engine=used, source="pptx")


def _single(document: Path, number: int, work: Work) -> Path:
    deck = open_deck(document)
    keep_slides(deck, [number])
    # LibreOffice makes nothing of a deck that has hidden slides only.
    deck.slides[0]._element.attrib.pop("show", None)
    output = work.folder / "slide.pptx"
    deck.save(str(output))
    return output


def _as_pptx(document: Path, task: Task, work: Work) -> Path:
    """Decrypt a presentation, and make it one that python-pptx reads."""
    document, source = decrypt(document, formats.sniff(document), work)
    if source not in task.accepts:
        raise ConversionError(Cause.UNSUPPORTED, f"This service does not convert {source} documents.")
    if source == "pptx":
        return document
    for engine, start, end in engines.plan(task.tier, source, "pptx"):
        [document] = engine.convert(document, start, end, work)
    return document
