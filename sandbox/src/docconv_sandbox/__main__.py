"""The command ``docconv-sandbox``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from typing import get_args

from docconv_sandbox import engines, formats
from docconv_sandbox.settings import ENGINE_VARIABLE, Settings, Tier


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is interrupted or terminated.

    :param arguments: the command line without the program's name
    """
    try:
        chosen = vars(_parser().parse_args(arguments))
        verbose = chosen.pop("verbose")
        storages = chosen.pop("storage")
        if storages:
            chosen["storages"] = tuple(storages)
        settings = Settings(**chosen)
    except ValueError as error:
        print(f"docconv-sandbox: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(message)s")
    try:
        asyncio.run(_serve(settings))
    except ImportError as error:
        print(f"docconv-sandbox: {error}. Run: pip install docconv-sandbox", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"docconv-sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def table(settings: Settings) -> str:
    """Draw which engine makes which target from which source.

    :param settings: has the choice of engines
    """
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    taken: set[tuple[str, str]] = set()
    found = engines.installed(settings.engine)
    for engine in found:
        for source in sorted(formats.SOURCES):
            targets = tuple(sorted(target for target in engine.targets(source) if (source, target) not in taken))
            taken |= {(source, target) for target in targets}
            if targets:
                rows.setdefault((engine.name, targets), []).append(source)
    lines = [(name, " ".join(sources), " ".join(targets)) for (name, targets), sources in rows.items()]
    lines.insert(0, ("engine", "from", "to"))
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    drawn = [f"  {name:<{widths[0]}}  {sources:<{widths[1]}}  {targets}" for name, sources, targets in lines]
    drawn.append("  What becomes a PDF becomes pictures, too, page by page.")
    drawn += [
        f"  Not here: {engine.name} ({engine.remedy})"
        for engine in engines.installed_or_not(settings.engine)
        if not engine.installed()
    ]
    return "\n".join(drawn)


async def _serve(settings: Settings) -> None:
    from docconv_sandbox.server import HOST, serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as server:
        print(table(settings))
        print(f"  Storages: {', '.join(settings.storages)}; workers: {settings.workers}")
        secret = "the one you gave" if settings.client_secret != Settings.client_secret else settings.client_secret
        print(f"  Client id: {settings.client_id}; client secret: {secret}")
        print(f"Listening on http://{HOST}:{server.port}", flush=True)
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="docconv-sandbox",
        description="Serve the protocols of Aspose.Slides, GroupDocs.Conversion and Aspose.OCR Cloud on loopback, "
        "and really convert.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=default.port, help="port on 127.0.0.1; 0 takes a free one")
    add("--client-id", default=default.client_id, help="client id that logs in")
    add("--client-secret", default=default.client_secret, help="secret that goes with it")
    add("--storage", action="append", help="name of a storage; repeat it for more, the first is the default")
    add("--token-lifetime", type=int, default=default.token_lifetime, help="seconds until a token expires")
    add("--workers", type=int, default=default.workers, help="operations under way at the same time")
    add("--seconds-per-page", type=float, default=default.seconds_per_page, help="pace of a conversion")
    add("--retention", type=float, default=default.retention, help="seconds until operations are forgotten")
    add("--max-upload", type=float, default=default.max_upload, help="largest request body, in MiB")
    add("--job-timeout", type=float, default=default.job_timeout, help="seconds until a conversion is ended")
    add(
        "--engine",
        choices=get_args(Tier),
        default=default.engine,
        help=f"engines to choose from; the environment variable {ENGINE_VARIABLE} does the same",
    )
    add("--verbose", action="store_true", help="tell of each operation that ends")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
