"""The command ``docconv-sandbox``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from docconv_sandbox import connections, engines, formats
from docconv_sandbox.faults import CALLS, KINDS
from docconv_sandbox.settings import ENGINE_VARIABLE, Settings, Tier, cores

_FAULTS = f"""rules of --faults: CALL=KIND:RATE[:SECONDS], separated by commas
  such as --faults start=500:0.1,start=lost:0.05,status=delay:0.2:3,any=429:0.01:2
  CALL is {", ".join(CALLS)} or any. RATE is a share from 0 to 1. KIND is an HTTP status
  from 400 to 599 (SECONDS goes into Retry-After), or
""" + "\n".join(f"  {kind:<10} {meaning}" for kind, meaning in KINDS.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a sandbox until it is interrupted or terminated.

    :param arguments: the command line without the program's name.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in _COMMANDS:
        return _COMMANDS[given[0]](given[1:])
    try:
        chosen = vars(_parser().parse_args(given))
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
    """
    Draw which engine makes which target from which source.

    :param settings: has the choice of engines.
    """
    if settings.echoes:
        return "  echo converts nothing: each result is computed from the bytes of its source."
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
    from docconv_sandbox.server import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as server:
        print(table(settings))
        workers = settings.workers or ("any number" if settings.echoes else cores())
        print(f"  Storages: {', '.join(settings.storages)}; workers: {workers}")
        secret = "the one you gave" if settings.client_secret != Settings.client_secret else settings.client_secret
        print(f"  Client id: {settings.client_id}; client secret: {secret}")
        print(f"Listening on {server.url}", flush=True)
        await stop.wait()


def _samples(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="docconv-sandbox samples", description="Write tiny documents of each kind.")
    parser.add_argument("folder", type=Path, help="where they go; made when it is missing")
    from docconv_sandbox import samples

    try:
        written = samples.write_samples(parser.parse_args(arguments).folder)
    except OSError as error:
        print(f"docconv-sandbox: {error}", file=sys.stderr)
        return 1
    print("\n".join(map(str, written)))
    print(f"The password of encrypted.pptx is {samples.PASSWORD!r}; broken.pptx can't be converted.")
    return 0


def _connections(arguments: Sequence[str]) -> int:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="docconv-sandbox connections", description="Print how Airflow is connected to a sandbox."
    )
    parser.add_argument("--port", type=int, required=True, help="the port of the sandbox")
    parser.add_argument("--client-secret", default=default.client_secret, help="its client secret")
    parser.add_argument("--cli", action="store_true", help="as commands of Airflow, instead of environment variables")
    chosen = parser.parse_args(arguments)
    url, settings = f"http://127.0.0.1:{chosen.port}", Settings(client_secret=chosen.client_secret)
    if chosen.cli:
        print("\n".join(connections.commands(connections.connections(url, settings))))
    else:
        for name, value in connections.variables(url, settings).items():
            print(f"export {name}={shlex.quote(value)}")
    return 0


_COMMANDS = {"samples": _samples, "connections": _connections}


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="docconv-sandbox",
        description="Serve the protocols of Aspose.Slides, GroupDocs.Conversion and Aspose.OCR Cloud and of "
        "docling-serve on loopback, and really convert.",
        epilog="docconv-sandbox samples DIR writes documents to try it with.\n"
        f"docconv-sandbox connections --port N prints Airflow's connections to it.\n\n{_FAULTS}",
        formatter_class=_Help,
    )
    parser.add_argument("--verbose", action="store_true", help="log each operation that ends")

    add = parser.add_argument_group("server").add_argument
    add("--port", type=int, default=default.port, help="port on 127.0.0.1; 0 takes a free one")
    add("--client-id", default=default.client_id, help="client id that logs in")
    add("--client-secret", default=default.client_secret, help="secret that goes with it")
    add("--api-key", default=default.api_key, help="key that docling-serve asks for")
    add("--token-lifetime", type=int, default=default.token_lifetime, help="seconds until a token expires")
    add("--storage", action="append", help="name of a storage; repeat it for more, the first is the default")
    add("--max-upload", type=float, default=default.max_upload, help="largest request body, in MiB")
    add("--tls-certificate", type=Path, metavar="FILE", help="PEM file with a certificate; serves HTTPS")
    add("--tls-key", type=Path, metavar="FILE", help="its key, if it is not in the same file")

    add = parser.add_argument_group("conversions").add_argument
    add(
        "--engine",
        choices=get_args(Tier),
        default=default.engine,
        help="engines to choose from; echo converts nothing and computes results from the sources; the environment "
        f"variable {ENGINE_VARIABLE} does the same",
    )
    add("--workers", type=int, help="operations under way at the same time (default: the cores; any number with echo)")
    add("--seconds", type=float, default=default.seconds, help="how long an operation takes at least")
    add("--spread", type=float, default=default.spread, help="share of --seconds that it may take longer or shorter")
    add("--seconds-per-page", type=float, default=default.seconds_per_page, help="how long each page takes at least")
    add("--steps", type=int, default=default.steps, help="steps that an operation of echo reports")
    add(
        "--result-bytes",
        type=_result_bytes,
        metavar="N|source",
        default=default.result_bytes,
        help="size of each result of echo; source: that of its source",
    )
    add("--retention", type=float, default=default.retention, help="seconds from its end until one is forgotten")
    add(
        "--result-removal-delay",
        type=float,
        default=default.result_removal_delay,
        help="seconds for which docling-serve keeps a result after it was fetched first",
    )
    add("--job-timeout", type=float, default=default.job_timeout, help="seconds of work until a conversion is ended")

    add = parser.add_argument_group("faults").add_argument
    add("--faults", metavar="RULES", default=default.faults, help="which calls go wrong; see below")
    add("--seed", type=int, default=default.seed, help="decides which calls the faults hit")
    add("--latency", type=float, default=default.latency, help="seconds before each reply")
    return parser


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the lines of the list of faults, and shows the defaults that there are."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in {None, "", False}:
            return action.help
        return super()._get_help_string(action)


def _result_bytes(text: str) -> int | None:
    return None if text == "source" else int(text)


if __name__ == "__main__":
    raise SystemExit(main())
