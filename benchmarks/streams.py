"""Large documents in both directions, against a plain copy and the vendors' SDKs."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import large
from benchmarks.buckets import serving
from workbench.environment import ROOT, VENV, program_environment
from workbench.processes import Process, Processes, free_ports, wait_until
from workbench.table import table

MIB = 1 << 20
#: The lengths of the documents, each with how often it is carried; the median counts.
SIZES = ((MIB, 5), (100 * MIB, 2), (1024 * MIB, 1))
SERVICES = ("aspose_slides", "groupdocs_conversion", "aspose_ocr")
# What one process may take for all sizes, in seconds.
_TIMEOUT = 300
# What the transfers carry before they are measured.
_WARM = 20_000


@dataclass(frozen=True)
class Carried:
    """
    What it took to carry documents of one size in one way.

    :param way: the way, a function of :mod:`benchmarks.transfer`
    :param service: the service
    :param store: ``file`` or ``s3``
    :param size: the length of each in bytes
    :param seconds: how long one took
    :param peak: the process's peak above what it had in use before, in bytes
    :param exact: whether the SHA-256 was the right one each time; None where the way knows none
    """

    way: str
    service: str
    store: str
    size: int
    seconds: float
    peak: int
    exact: bool | None

    @property
    def rate(self) -> float:
        """MiB a second."""
        return self.size / MIB / self.seconds


def measure(home: Path) -> list[Carried]:
    """
    Measure every way.

    :param home: a folder for everything, which is made
    """
    home.mkdir()
    bucket = home / "s3" / "large"
    bucket.mkdir(parents=True)
    sources = {size: _write_source(bucket / f"{size}.djvu", size) for size in (_WARM, *(size for size, _ in SIZES))}
    found = []
    with _servers(home) as (url, environment):
        for store, base in (("file", bucket.as_uri()), ("s3", "s3://aws_default@large")):
            for way, services in _ways(store):
                for service in services:
                    lines = _run(way, service, url, base, environment)
                    found += [_carried(way, service, store, line, sources) for line in lines]
                    for result in bucket.glob("*.pdf"):
                        result.unlink()
    return found


def _ways(store: str) -> Iterator[tuple[str, Sequence[str]]]:
    for direction in ("upload", "download"):
        # The plain copy is the same for all services.
        yield f"plain_{direction}", SERVICES[:1]
        yield direction, SERVICES
        if store == "file":
            yield f"sdk_{direction}", SERVICES


def _write_source(path: Path, size: int) -> str:
    """Write a document that every service takes, and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number, piece in enumerate(large.document(size)):
            content = piece if number else large.DJVU + piece[len(large.DJVU) :]
            file.write(content)
            digest.update(content)
    return digest.hexdigest()


@contextmanager
def _servers(home: Path) -> Iterator[tuple[str, dict[str, str]]]:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [str(VENV / "bin" / "python"), "-m", "benchmarks.large", str(port)]
    service = Process("The service", command, home / "large.log", program_environment(PYTHONPATH=str(ROOT)))
    with Processes() as processes, serving(home / "s3") as connection:
        processes.start(service)
        wait_until(lambda: "Listening" in service.log.read_text(), "Starting the service", 30, [service], pause=0.05)
        yield (
            url,
            program_environment(
                PYTHONPATH=str(ROOT),
                AIRFLOW_HOME=str(home / "airflow"),
                AIRFLOW_CONN_AWS_DEFAULT=json.dumps(connection),
                # rclone's answer to a request for a part of a small object has the checksum of the whole.
                AWS_RESPONSE_CHECKSUM_VALIDATION="when_required",
                TMPDIR=str(home),
            ),
        )


def _run(way: str, service: str, url: str, base: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    name = "{size}.djvu" if way.endswith("upload") else "{size}.pdf"
    asked = {"way": way, "service": service, "url": url, "uri": f"{base}/{name}", "warm": _WARM, "sizes": SIZES}
    command = [str(VENV / "bin" / "python"), "-m", "benchmarks.transfer", json.dumps(asked)]
    done = subprocess.run(  # noqa: S603 - a module of ours
        command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{way} of {service} failed: {done.stderr[-1000:]}")
    lines: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return lines


def _carried(way: str, service: str, store: str, line: dict[str, Any], sources: dict[int, str]) -> Carried:
    size, digests = line["size"], line["digests"]
    expected = sources[size] if way.endswith("upload") else large.digest(size)
    exact = digests == [expected] if digests else None
    return Carried(way, service, store, size, line["seconds"], line["peak"], exact)


def describe(found: Sequence[Carried]) -> str:
    """Return what was measured as a section of Markdown."""
    worst = max(each.peak for each in found if _is_ours(each))
    exact = [each.exact for each in found if _is_ours(each)]
    right = f"{exact.count(True)} of {len(exact)}"
    return f"""## Large documents

Documents of 1 MiB, 100 MiB and 1 GiB (the median of {SIZES[0][1]}, {SIZES[1][1]} and {SIZES[2][1]}) between a store and
a service on this machine: as the operators carry them, hashed and checked ("ours"); by a plain copy, which is
`requests` and the store's own fsspec driver with its default block, over a new connection each time, without any check
and without base64; and over the vendor's SDK, which knows local files only. `s3` is rclone, reached with s3fs.
Aspose.OCR Cloud takes and gives base64 in JSON, with `+` as `\\u002B` in what it gives, as .NET writes it; its MiB are
the document's. "of plain" and "of SDK" are rates of ours divided by theirs. Each line is a process of its own; its
peak is the kernel's high-water mark above what was in use after it had carried {_WARM:,} bytes. The worst peak of
ours: {worst / MIB:.0f} MiB, goal 64 MiB. Transfers of ours whose SHA-256 was right: {right}.

{_direction("upload", found)}

{_direction("download", found)}
"""


def _is_ours(each: Carried) -> bool:
    return each.way in {"upload", "download"}


def _direction(direction: str, found: Sequence[Carried]) -> str:
    heads = [f"{direction}s", "store"]
    for size, _ in SIZES:
        name = f"{size // MIB} MiB" if size < 1024 * MIB else "1 GiB"
        heads += [f"{name}: MiB/s", "of plain", "of SDK", "peak, MiB"]
    by_key = {(each.way, each.service, each.store, each.size): each for each in found}
    rows = []
    for store in ("file", "s3"):
        for way in (f"plain_{direction}", direction, f"sdk_{direction}"):
            for service in SERVICES:
                each = [by_key.get((way, service, store, size)) for size, _ in SIZES]
                if all(each):
                    rows.append([_label(way, service), store, *_cells(filter(None, each), by_key, direction)])
    return table(heads, rows, right=heads[2:])


def _label(way: str, service: str) -> str:
    if way.startswith("plain"):
        return "plain copy"
    return f"{service}, {'SDK' if way.startswith('sdk') else 'ours'}"


def _cells(row: Any, by_key: dict[tuple[str, str, str, int], Carried], direction: str) -> list[str]:
    cells = []
    for each in row:
        plain = by_key[f"plain_{direction}", SERVICES[0], each.store, each.size]
        sdk = by_key.get((f"sdk_{direction}", each.service, each.store, each.size))
        ours = _is_ours(each)
        cells += [
            f"{each.rate:.0f}",
            f"{each.rate / plain.rate:.2f}" if ours else "",
            f"{each.rate / sdk.rate:.1f}" if ours and sdk else "",
            f"{each.peak / MIB:.0f}",
        ]
    return cells
