"""Large documents in both directions, against a plain copy and the vendors' SDKs."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from dev.environment import ROOT, VENV, program_environment
from dev.sandbox import Sandbox
from dev.stores import S3
from dev.table import table
from docconv_sandbox.echo import Echo

MIB = 1 << 20
#: The lengths of the documents, each with how many turns it is carried; the median counts.
SIZES = ((MIB, 10), (100 * MIB, 3), (1024 * MIB, 1))
SERVICES = ("aspose_slides", "groupdocs_conversion", "aspose_ocr")
# What one process may take for all ways and sizes, in seconds.
_TIMEOUT = 300
# What the transfers carry before they are measured.
_WARM = 20_000
# What every service takes begins like this.
_DJVU = b"AT&TFORM"
_PIECE = 3 << 18


@dataclass(frozen=True)
class Carried:
    """
    What it took to carry documents of one size in one way.

    :param way: the way, a function of :mod:`benchmarks.transfer`
    :param service: the service
    :param store: ``file`` or ``s3``
    :param size: the length of each in bytes
    :param seconds: how long each turn took
    :param processor: the seconds of processor time that each took in the process
    :param peak: the process's peak above what it had in use before the turn, in bytes
    :param exact: whether the SHA-256 was the right one each time; None where the way knows none
    """

    way: str
    service: str
    store: str
    size: int
    seconds: Sequence[float]
    processor: Sequence[float]
    peak: int
    exact: bool | None

    @property
    def rate(self) -> float:
        """MiB of the document a second."""
        return self.size / MIB / statistics.median(self.seconds)


def measure(home: Path) -> list[Carried]:
    """
    Measure every way.

    :param home: a folder for everything, which is made
    """
    home.mkdir()
    s3 = S3(home / "s3", "large")
    bucket = s3.data / "large"
    sources = {size: _write_source(bucket / f"{size}.djvu", size) for size in (_WARM, *(size for size, _ in SIZES))}
    found = []
    with _servers(home, s3) as (url, environment):
        bases = {"file": bucket.as_uri(), "s3": "s3://aws_default@large"}
        for store, direction, service in product(bases, ("upload", "download"), SERVICES):
            ways = {way: f"{bases[store]}/{name}" for way, name in _ways(store, direction, service).items()}
            lines = _run(ways, service, url, bucket, environment)
            found += [_carried(service, store, line, sources) for line in lines]
    return found


def _ways(store: str, direction: str, service: str) -> Mapping[str, str]:
    """Return the ways that take turns, each with the name of what it reads or writes."""
    name = "{size}.djvu" if direction == "upload" else "{size}.pdf"
    encoded = direction == "upload" and service == "aspose_ocr"
    ways = {f"plain_{direction}": "{size}.base64" if encoded else name, direction: name}
    # The SDKs know local files only.
    return {**ways, f"sdk_{direction}": name} if store == "file" else ways


def _write_source(path: Path, size: int) -> str:
    """Write a document that every service takes, also as base64, and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file, path.with_suffix(".base64").open("wb") as encoded:
        for content in _document(size):
            file.write(content)
            encoded.write(base64.b64encode(content))
            digest.update(content)
    return digest.hexdigest()


def _document(size: int) -> Iterator[bytes]:
    # Pieces of a multiple of three bytes, so that their base64 is that of the whole.
    filler = random.Random(1).randbytes(_PIECE)  # noqa: S311  # no secret
    yield (_DJVU + filler[len(_DJVU) :])[:size]
    for begin in range(_PIECE, size, _PIECE):
        yield filler[: size - begin]


def _result(source: str, size: int) -> str:
    """Return the SHA-256 of the result of a source."""
    digest = hashlib.sha256()
    for piece in Echo(bytes.fromhex(source), size).pieces():
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _servers(home: Path, s3: S3) -> Iterator[tuple[str, dict[str, str]]]:
    with s3, Sandbox(home / "sandbox.log", "--engine", "echo", "--result-bytes", "source") as sandbox:
        sandbox.wait_until_healthy()
        yield (
            sandbox.url,
            program_environment(
                PYTHONPATH=str(ROOT),
                AIRFLOW_HOME=str(home / "airflow"),
                AIRFLOW_CONN_AWS_DEFAULT=json.dumps(s3.connection),
                TMPDIR=str(home),
            ),
        )


def _run(
    ways: Mapping[str, str], service: str, url: str, bucket: Path, environment: dict[str, str]
) -> list[dict[str, Any]]:
    asked = {
        "ways": ways,
        "service": service,
        "url": url,
        "results": str(bucket),
        "source": f"{bucket.as_uri()}/{{size}}.djvu",
        "warm": _WARM,
        "sizes": SIZES,
    }
    command = [str(VENV / "bin" / "python"), "-m", "benchmarks.transfer", json.dumps(asked)]
    done = subprocess.run(  # noqa: S603 - a module of ours
        command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{', '.join(ways)} of {service} failed: {done.stderr[-1000:]}")
    lines: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return lines


def _carried(service: str, store: str, line: dict[str, Any], sources: dict[int, str]) -> Carried:
    way, size, digests = line["way"], line["size"], line["digests"]
    expected = sources[size] if way.endswith("upload") else _result(sources[size], size)
    exact = digests == [expected] if digests else None
    return Carried(way, service, store, size, line["seconds"], line["processor"], line["peak"], exact)


def describe(found: Sequence[Carried]) -> str:
    """Return what was measured as a section of Markdown."""
    ours = [each for each in found if each.way in {"upload", "download"}]
    worst = max(each.peak for each in ours)
    exact = [each.exact for each in ours]
    turns = ", ".join(f"{turns} of {_length(size)}" for size, turns in SIZES)
    right = f"{exact.count(True)} of {len(exact)}"
    return f"""## Large documents

Documents of 1 MiB, 100 MiB and 1 GiB between a store and a service on this machine, carried in three ways: as the
operators do it, hashed and checked ("ours"); by a plain copy; and by the vendor's SDK, which knows local files only.
The plain copy carries the same bytes between the same server and the same store, with `requests` over one session and
the store's own fsspec driver with its defaults, and checks nothing. Aspose.OCR Cloud takes and gives base64 in JSON,
in what it gives with `+` as `\\u002B`, as .NET writes it: its plain copy carries that text as it is, a third to a half
more than the document, and all rates are those of the document. `s3` is rclone, reached with s3fs.

The ways take turns in one process ({turns}), and go first by turns, so that a
busy machine slows all alike. "of plain" and "of SDK" are medians, over the turns, of our rate divided by theirs;
"processor" is our processor time divided by the plain copy's, and hardly depends on what else the machine does. A peak
is the kernel's high-water mark above what was in use before the turn, after all that was free had been given back.
The worst peak of ours: {worst / MIB:.0f} MiB, goal 64 MiB. Transfers of ours whose SHA-256 was right: {right}.

{_direction("upload", found)}

{_direction("download", found)}
"""


def _direction(direction: str, found: Sequence[Carried]) -> str:
    heads = [f"{direction}s", "store", "size", "plain, MiB/s", "ours, MiB/s", "of plain", "processor", "of SDK"]
    heads += ["peak of plain, MiB", "peak of ours, MiB", "peak of SDK, MiB"]
    by_key = {(each.way, each.service, each.store, each.size): each for each in found}
    rows = []
    for service, store, (size, _) in product(SERVICES, ("file", "s3"), SIZES):
        plain = by_key[f"plain_{direction}", service, store, size]
        ours = by_key[direction, service, store, size]
        sdk = by_key.get((f"sdk_{direction}", service, store, size))
        rows.append(
            [
                service,
                store,
                _length(size),
                f"{plain.rate:.0f}",
                f"{ours.rate:.0f}",
                f"{_ratio(plain.seconds, ours.seconds):.2f}",
                f"{_ratio(ours.processor, plain.processor):.2f}",
                f"{_ratio(sdk.seconds, ours.seconds):.1f}" if sdk else "",
                *(f"{each.peak / MIB:.0f}" if each else "" for each in (plain, ours, sdk)),
            ]
        )
    return table(heads, rows, right=heads[2:])


def _length(size: int) -> str:
    return f"{size // MIB} MiB" if size < 1024 * MIB else f"{size // MIB // 1024} GiB"


def _ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))
