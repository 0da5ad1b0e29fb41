"""The command ``python -m workbench.standin``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.standin.faults import KINDS
from workbench.standin.server import HOST, serving
from workbench.standin.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a stand-in until it is interrupted or terminated.

    :param arguments: the command line without the program's name.
    """
    try:
        settings = Settings(**vars(_parser().parse_args(arguments)))
        asyncio.run(_serve(settings))
    except (OSError, ValueError) as error:
        print(f"standin: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings) as port:
        print(f"Listening on {'https' if settings.tls else 'http'}://{HOST}:{port}", flush=True)
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="standin",
        description="Stand in for Aspose.Slides Cloud and Aspose.OCR Cloud on loopback, without converting anything.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=default.port, help="port on 127.0.0.1; 0 takes a free one")
    add("--seconds", type=float, default=default.seconds, help="how long an operation takes")
    add("--spread", type=float, default=default.spread, help="share by which it may take longer or shorter")
    add("--steps", type=int, default=default.steps, help="how many steps an operation of Aspose.Slides Cloud reports")
    add("--capacity", type=int, default=default.capacity, help="operations that are worked at once")
    add("--result-bytes", type=int, default=default.result_bytes, help="size of each result")
    add("--retention", type=float, default=default.retention, help="seconds from its end until one is forgotten")
    add("--latency", type=float, default=default.latency, help="seconds before each reply")
    add("--faults", type=float, default=default.faults, help="share of calls that is answered with a fault")
    add("--fault-kinds", type=_words, default=default.fault_kinds, help=f"some of {','.join(KINDS)}")
    add("--seed", type=int, default=default.seed, help="decides which faults are drawn")
    add("--tls", type=Path, metavar="FOLDER", help="serve HTTPS with the certificate in a folder, made if missing")
    return parser


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
