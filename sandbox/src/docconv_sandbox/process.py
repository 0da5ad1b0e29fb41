"""The server's side of a job: starting its process, following it, and ending it with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.job import Job, Outcome

Report = Callable[[int, int, str], None]

_SOURCES = Path(__file__).parent.parent
# The package may be here without being installed. Appended, so that nothing of the standard library is shadowed.
_START = "import sys; sys.path.append(sys.argv[1]); from docconv_sandbox.worker import main; main()"
_LONGEST_LINE = 1 << 20


async def run(job: Job, report: Report, turns: Mapping[str, asyncio.Semaphore]) -> Outcome:
    """
    Do a job in a process of its own. Cancelling this ends the process.

    :param job: what to do.
    :param report: takes (steps done, steps in all, description).
    :param turns: what jobs have to take turns at.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        # The working directory holds untrusted files: nothing is imported from there.
        "-P",
        "-c",
        _START,
        str(_SOURCES),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=job.folder,
        start_new_session=True,
        limit=_LONGEST_LINE,
    )
    try:
        async with AsyncExitStack() as held:
            return await _follow(process, job, report, turns, held)
    finally:
        await _end(process)


async def _follow(
    process: asyncio.subprocess.Process,
    job: Job,
    report: Report,
    turns: Mapping[str, asyncio.Semaphore],
    held: AsyncExitStack,
) -> Outcome:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("A job's process has both of its pipes.")
    with contextlib.suppress(ConnectionError):  # it died at once: the end of its output says so below
        stdin.write(json.dumps(job.to_json()).encode() + b"\n")
        await stdin.drain()
        async for line in stdout:
            match json.loads(line):
                case {"step": [int(index), int(count), str(description)]}:
                    report(index, count, description)
                case {"wait": str(what)}:
                    await held.enter_async_context(turns[what])
                    stdin.write(b"\n")
                    await stdin.drain()
                case {"outcome": outcome}:
                    return Outcome(**outcome)
                case {"failure": [cause, message]}:
                    raise ConversionError(Cause(cause), message)
    code = await process.wait()
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    raise ConversionError(Cause.ENGINE, f"The engine crashed on this document ({how}).")


async def _end(process: asyncio.subprocess.Process) -> None:
    # Also after a regular end: an engine may have left something running in the job's session.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
