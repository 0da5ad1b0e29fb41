"""One conversion in a process of its own, so that a crash, a hang or a bomb ends there.

The server starts it, writes the task as one line of JSON to its
standard input and keeps that pipe open. The job answers with lines of JSON: ``{"step": [1, 5, "…"]}`` as it goes on,
``{"wait": "LibreOffice"}`` when it needs a turn (the server then writes any line), and in the end one of
``{"outcome": {…}}`` and ``{"failure": [cause, message]}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from docconv_sandbox import engines, formats
from docconv_sandbox.engines.base import Work
from docconv_sandbox.engines.passwords import decrypt
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.task import Outcome, Task

MEMORY_LIMIT = 4 << 30
FILE_LIMIT = 4 << 30


def perform(task: Task, work: Work) -> Outcome:
    """Do a task.

    :param task: what to do
    :param work: where to do it
    """
    if task.action == "convert":
        return _convert(task, work)
    from docconv_sandbox.slide_jobs import merge, split

    return merge(task, work) if task.action == "merge" else split(task, work)


def _convert(task: Task, work: Work) -> Outcome:
    document = Path(task.source)
    source = formats.sniff(document, task.name)
    document, source = decrypt(document, source, work)
    if task.accepts and source not in task.accepts:
        raise ConversionError(Cause.UNSUPPORTED, f"This service does not convert {source} documents.")
    work.report(0, formats.count_pages(document, source), "Converting")
    steps = engines.plan(task.tier, source, task.target)
    if task.target in formats.PAGED:
        return _to_pages(task, document, source, steps, work)
    if task.selects:
        raise ConversionError(Cause.UNSUPPORTED, f"The sandbox cannot choose pages for {task.target}.")
    [(engine, _, _)] = steps
    files = engine.convert(document, source, task.target, work)
    pages = formats.count_pages(document, source)
    work.report(pages or 1, pages or 1, "Converted")
    return Outcome(files=_names(files), pages=pages, engine=engine.name, source=source)


def _to_pages(
    task: Task, document: Path, source: str, steps: list[tuple[engines.Engine, str, str]], work: Work
) -> Outcome:
    from docconv_sandbox.engines.pages import open_pdf, select_pages

    used = [engine.name for engine, _, _ in steps]
    if source != "pdf":
        [document] = steps.pop(0)[0].convert(document, source, "pdf", work)
    with open_pdf(document, work) as pdf:
        total = len(pdf)
    chosen = task.chosen(total)
    if task.selects or source == task.target:
        document = select_pages(document, chosen, work)
        work.password = None
        used.append("pdfium")
    files = [document]
    for engine, start, end in steps:
        files = engine.convert(document, start, end, work)
    if (task.bundle == "pages" and task.target in formats.ONE_FILE_PER_PAGE) or (
        task.bundle == "many" and len(files) > 1
    ):
        files = [_zip(files, chosen, task, work)]
    work.report(len(chosen), len(chosen), "Converted")
    engine_names = " + ".join(dict.fromkeys(used))
    return Outcome(files=_names(files), pages=len(chosen), engine=engine_names, source=source)


def _zip(files: list[Path], numbers: list[int], task: Task, work: Work) -> Path:
    output = work.folder / "pages.zip"
    stem = PurePosixPath(task.name.replace("\\", "/")).stem or "document"
    prefix = "slide_" if task.bundle == "pages" else f"{stem}-page-"
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, number in zip(files, numbers, strict=True):
            archive.write(file, f"{prefix}{number}{file.suffix}")
    return output


def _names(files: list[Path]) -> list[str]:
    return [str(file) for file in files]


def _limit_resources() -> None:
    if sys.platform == "win32":  # it has no resource limits; the time limit is left
        return
    import resource

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
    """Do the task that standard input names."""
    # The answers keep the real standard output for themselves: native code is known to print there.
    send = _answer(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    _limit_resources()
    task = Task(**json.loads(sys.stdin.readline()))
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
        folder=Path(task.folder),
        fonts=[Path(folder) for folder in task.fonts],
        password=task.password,
        width=task.width,
        height=task.height,
        quality=task.quality,
        report=lambda index, count, description: send({"step": [index, count, description]}),
        wait_for=wait_for,
    )
    try:
        send({"outcome": asdict(perform(task, work))})
    except ConversionError as error:
        send({"failure": [error.cause.value, error.message]})
    except Exception as error:  # A native engine raises what it likes; the job must still say what happened.
        send({"failure": [Cause.ENGINE.value, f"The engine failed: {type(error).__name__}: {error}"]})
    # Past this point nothing is left to do, and a native thread that hangs at exit would only hold the worker.
    os._exit(0)
