"""
One conversion in a process of its own, so that a crash, a hang or a bomb ends there.

The server starts it, writes the job as one line of JSON to its standard input and keeps that pipe open. The worker
answers with lines of JSON: ``{"step": [1, 5, "…"]}`` as it goes on, ``{"wait": "LibreOffice"}`` when it needs a turn
(the server then writes any line), and in the end one of ``{"outcome": {…}}`` and ``{"failure": [cause, message]}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TextIO

from docconv_sandbox import engines, formats
from docconv_sandbox.engines.base import Work
from docconv_sandbox.engines.decks import append_slides, count_slides, keep_slides, open_deck
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.job import Job, Outcome, ensure_in_range

if TYPE_CHECKING:
    from pptx.presentation import Presentation

MEMORY_LIMIT = 4 << 30
FILE_LIMIT = 4 << 30
_DECKS = "python-pptx"
_MAY_BE_ENCRYPTED = {formats.ENCRYPTED_OOXML, "ppt", "doc", "xls"}


def perform(job: Job, work: Work) -> Outcome:
    """
    Do a job.

    :param job: what to do.
    :param work: where to do it.
    """
    if job.action == "convert":
        return _convert(job, work)
    if job.action == "extract":
        return _extract(job, work)
    if job.action == "recognize":
        return _recognize(job, work)
    return merge(job, work) if job.action == "merge" else split(job, work)


def _convert(job: Job, work: Work) -> Outcome:
    document = Path(job.source)
    source = formats.sniff(document, job.name)
    document, source = decrypt(document, source, work)
    if job.accepts and source not in job.accepts:
        raise ConversionError(Cause.UNSUPPORTED, f"This service does not convert {source} documents.")
    work.report(0, formats.count_pages(document, source), "Converting")
    steps = engines.plan(job.tier, source, job.target)
    if job.target in formats.PAGED:
        return _to_pages(job, document, source, steps, work)
    if job.selects:
        raise ConversionError(Cause.UNSUPPORTED, f"The sandbox cannot choose pages for {job.target}.")
    [(engine, _, _)] = steps
    files = engine.convert(document, source, job.target, work)
    pages = formats.count_pages(document, source)
    work.report(pages or 1, pages or 1, "Converted")
    return Outcome(files=_names(files), pages=pages, engine=engine.name, source=source)


def _extract(job: Job, work: Work) -> Outcome:
    from docconv_sandbox.engines.texts import extract, source_of

    document = Path(job.source)
    source = source_of(document, job.name)
    document, source = decrypt(document, source, work)
    output, pages = extract(document, source, job, work)
    return Outcome(files=[str(output)], pages=pages, engine="texts", source=source)


def _recognize(job: Job, work: Work) -> Outcome:
    from docconv_sandbox.engines.scans import is_scan, recognize

    document = Path(job.source)
    if not is_scan(document):  # DjVu: to PDF by the engine for it, and from there on
        [document] = [Path(file) for file in _convert(replace(job, target="pdf", accepts=["djvu"]), work).files]
    output, pages = recognize(document, job.method, job.target, work)
    return Outcome(files=[str(output)], pages=pages, engine="scans", source="scan")


def _to_pages(
    job: Job, document: Path, source: str, steps: list[tuple[engines.Engine, str, str]], work: Work
) -> Outcome:
    from docconv_sandbox.engines.pages import open_pdf, select_pages

    used = [engine.name for engine, _, _ in steps]
    if source != "pdf":
        [document] = steps.pop(0)[0].convert(document, source, "pdf", work)
    with open_pdf(document, work) as pdf:
        total = len(pdf)
    chosen = job.chosen(total)
    if job.selects or source == job.target:
        document = select_pages(document, chosen, work)
        work.password = None
        used.append("pdfium")
    files = [document]
    for engine, start, end in steps:
        files = engine.convert(document, start, end, work)
    if (job.bundle == "pages" and job.target in formats.ONE_FILE_PER_PAGE) or (job.bundle == "many" and len(files) > 1):
        files = [_zip(files, chosen, job, work)]
    work.report(len(chosen), len(chosen), "Converted")
    engine_names = " + ".join(dict.fromkeys(used))
    return Outcome(files=_names(files), pages=len(chosen), engine=engine_names, source=source)


def _zip(files: list[Path], numbers: list[int], job: Job, work: Work) -> Path:
    output = work.folder / "pages.zip"
    stem = PurePosixPath(job.name.replace("\\", "/")).stem or "document"
    prefix = "slide_" if job.bundle == "pages" else f"{stem}-page-"
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, number in zip(files, numbers, strict=True):
            archive.write(file, f"{prefix}{number}{file.suffix}")
    return output


def _names(files: list[Path]) -> list[str]:
    return [str(file) for file in files]


def merge(job: Job, work: Work) -> Outcome:
    """
    Merge presentations; the first one gives the size of the slides.

    :param job: what to merge.
    :param work: where to do it.
    """
    base: Presentation | None = None
    for number, item in enumerate(job.merged, 1):
        own = replace(work, folder=work.folder / f"deck-{number}", password=item["password"])
        own.folder.mkdir()
        deck = open_deck(_as_pptx(Path(item["path"]), job, own))
        numbers = item["slides"] or list(range(1, count_slides(deck) + 1))
        ensure_in_range(numbers, count_slides(deck))
        if len(set(numbers)) < len(numbers):
            raise ConversionError(Cause.UNSUPPORTED, "The sandbox cannot take a slide twice.")
        if base is None:
            base = deck
            keep_slides(base, numbers)
        else:
            append_slides(base, deck, numbers, mark=f"_{number}")
        work.report(number, len(job.merged), f"Processed presentation {number}")
    if base is None:
        raise ConversionError(Cause.UNSUPPORTED, "There are no presentations to merge.")
    output = work.folder / "merged.pptx"
    base.save(str(output))
    return Outcome(files=[str(output)], pages=count_slides(base), engine=_DECKS, source="pptx")


def split(job: Job, work: Work) -> Outcome:
    """
    Make a file of each slide.

    :param job: what to split.
    :param work: where to do it.
    """
    document = _as_pptx(Path(job.source), job, work)
    numbers = job.chosen(count_slides(open_deck(document)))
    # From pptx to pptx there is nothing to convert.
    steps = engines.plan(job.tier, "pptx", job.target) if job.target != "pptx" else []
    files = []
    for done, number in enumerate(numbers, 1):
        own = replace(work, folder=work.folder / f"slide-{number}", report=lambda *_: None, password=None)
        own.folder.mkdir()
        slide = _single(document, number, own)
        for engine, start, end in steps:
            [slide] = engine.convert(slide, start, end, own)
        files.append(slide.rename(work.folder / f"slide_{number}{slide.suffix}"))
        work.report(done, len(numbers), "Slide converted")
    used = " + ".join(dict.fromkeys([_DECKS, *(engine.name for engine, _, _ in steps)]))
    if job.bundle == "pages":
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


def _as_pptx(document: Path, job: Job, work: Work) -> Path:
    """Decrypt a presentation, and make it one that python-pptx reads."""
    document, source = decrypt(document, formats.sniff(document), work)
    if source not in job.accepts:
        raise ConversionError(Cause.UNSUPPORTED, f"This service does not convert {source} documents.")
    if source == "pptx":
        return document
    for engine, start, end in engines.plan(job.tier, source, "pptx"):
        [document] = engine.convert(document, start, end, work)
    return document


def decrypt(document: Path, source: str, work: Work) -> tuple[Path, str]:
    """
    Decrypt a document where it is encrypted.

    No converter here takes a password, so the document is decrypted before it gets to one.

    :param document: the document.
    :param source: its format, by its content.
    :param work: has the password.
    :return: a document without a password, and its format.
    """
    if source not in _MAY_BE_ENCRYPTED:
        return document, source
    import msoffcrypto  # type: ignore[import-untyped]  # it has no types
    from msoffcrypto.exceptions import InvalidKeyError  # type: ignore[import-untyped]  # it has no types

    output = work.folder / "decrypted"
    with document.open("rb") as file:
        try:
            office = msoffcrypto.OfficeFile(file)
            if not office.is_encrypted():
                return document, source
            if not work.password:
                raise ConversionError(Cause.MISSING_PASSWORD, "The document is encrypted and no password came with it.")
            office.load_key(password=work.password)
            with output.open("wb") as decrypted:
                office.decrypt(decrypted)
        except ConversionError:
            raise
        except InvalidKeyError as error:
            raise ConversionError(Cause.WRONG_PASSWORD, "The password is wrong.") from error
        except Exception as error:  # The package reads hostile bytes without checks, and trips over anything.
            # Where it could not encode the password, its own words quote it.
            what = type(error).__name__
            raise ConversionError(Cause.DAMAGED, f"The encrypted document is damaged: {what}") from error
    return output, formats.sniff(output) if source == formats.ENCRYPTED_OOXML else source


def _limit_resources() -> None:
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT),
        (resource.RLIMIT_FSIZE, FILE_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        # macOS refuses a limit on the address space; the time limit is left there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _listen(commands: TextIO, turn: threading.Semaphore) -> None:
    for _ in commands:
        turn.release()
    # The server is gone, however it ended: the job and its LibreOffice go with it.
    os.killpg(0, signal.SIGKILL)


def _answer(lines: TextIO) -> Callable[[dict[str, Any]], None]:
    def send(message: dict[str, Any]) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    return send


def main() -> None:
    """Do the job that standard input names."""
    # The answers keep the real standard output for themselves: native code is known to print there.
    send = _answer(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    _limit_resources()
    job = Job(**json.loads(sys.stdin.readline()))
    turn = threading.Semaphore(0)
    threading.Thread(target=_listen, args=(sys.stdin, turn), daemon=True).start()

    held: set[str] = set()

    def wait_for(slot: str) -> None:
        # A turn lasts until the job ends: asking for a second one could wait for ever.
        if slot not in held:
            send({"wait": slot})
            turn.acquire()
            held.add(slot)

    work = Work(
        folder=Path(job.folder),
        fonts=[Path(folder) for folder in job.fonts],
        password=job.password,
        width=job.width,
        height=job.height,
        quality=job.quality,
        report=lambda index, count, description: send({"step": [index, count, description]}),
        wait_for=wait_for,
    )
    try:
        send({"outcome": asdict(perform(job, work))})
    except ConversionError as error:
        send({"failure": [error.cause.value, error.message]})
    except Exception as error:  # A native engine raises what it likes; the job must still say what happened.
        send({"failure": [Cause.ENGINE.value, f"The engine failed: {type(error).__name__}: {error}"]})
    # Past this point nothing is left to do, and a native thread that hangs at exit would only hold the worker.
    os._exit(0)
