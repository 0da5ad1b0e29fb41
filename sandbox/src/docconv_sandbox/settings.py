"""What can be chosen about a sandbox. The command line's flags are made from these fields."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from docconv_sandbox import faults
from docconv_sandbox.echo import SMALLEST

Tier = Literal["auto", "wheels", "libreoffice", "echo"]

ENGINE_VARIABLE = "DOCCONV_SANDBOX_ENGINE"

# Two LibreOffice processes already fill two cores and half a gigabyte; more of them only get in each other's way.
LIBREOFFICE_JOBS = 2


def cores() -> int:
    """Count the processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tier_from_environment() -> Tier:
    value = os.environ.get(ENGINE_VARIABLE) or "auto"
    for tier in get_args(Tier):
        if value == tier:
            return tier  # type: ignore[no-any-return]  # get_args() forgets the type of the literals
    raise ValueError(f"{ENGINE_VARIABLE}={value}: choose one of {', '.join(get_args(Tier))}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    The settings of one sandbox.

    :param port: the port on 127.0.0.1; 0 takes a free one.
    :param client_id: the client id that logs in.
    :param client_secret: the secret that goes with it.
    :param api_key: the key that docling-serve asks for; with an empty one it asks for none.
    :param storages: names of the cloud storages each service has; the first one is the default.
    :param token_lifetime: seconds until an access token expires.
    :param tls_certificate: a PEM file with the certificate to serve HTTPS with; without one it serves HTTP.
    :param tls_key: the certificate's key, if it is not in the same file.
    :param engine: ``auto``, ``wheels``, ``libreoffice`` or ``echo``.
    :param workers: operations under way at the same time; by default as many as there are cores, and any number with
        ``echo``.
    :param seconds: how long an operation takes at least.
    :param spread: by what share of ``seconds`` an operation may take longer or shorter.
    :param seconds_per_page: pace of a conversion; 0 is as fast as the machine can.
    :param steps: how many steps an operation of ``echo`` reports.
    :param result_bytes: the size of each result of ``echo``; None for that of its source.
    :param retention: seconds until an operation and its result are forgotten.
    :param result_removal_delay: seconds for which docling-serve keeps a result after it was fetched first.
    :param max_upload: the largest request body, in MiB.
    :param job_timeout: seconds until a running conversion is ended.
    :param latency: seconds before each reply.
    :param faults: which calls go wrong, how and how often.
    :param seed: decides which calls the faults hit.
    """

    port: int = 0
    client_id: str = "sandbox"
    client_secret: str = "sandbox-secret"  # noqa: S105  # it guards nothing: the sandbox listens on loopback only
    api_key: str = ""
    storages: tuple[str, ...] = ("First Storage",)
    token_lifetime: int = 3600
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    engine: Tier = field(default_factory=_tier_from_environment)
    workers: int | None = None
    seconds: float = 0.0
    spread: float = 0.0
    seconds_per_page: float = 0.0
    steps: int = 0
    result_bytes: int | None = 2048
    retention: float = 24 * 3600.0
    result_removal_delay: float = 300.0
    max_upload: float = 2048.0
    job_timeout: float = 300.0
    latency: float = 0.0
    faults: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.storages:
            raise ValueError("A sandbox needs at least one storage name.")
        if any(not name or "/" in name or name in {".", ".."} for name in self.storages):
            raise ValueError("A storage name is a plain name, without slashes.")
        if self.workers is not None and self.workers < 1:
            raise ValueError("A sandbox needs at least one worker.")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port={self.port}: a port is a number from 0 to 65535.")
        for name in (
            "token_lifetime",
            "seconds",
            "seconds_per_page",
            "steps",
            "retention",
            "result_removal_delay",
            "max_upload",
            "job_timeout",
            "latency",
        ):
            # NaN compares as false, too.
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name}={value}: give a number that is not negative.")
        if not 0 <= self.spread <= 1:
            raise ValueError(f"spread={self.spread}: give a number from 0 to 1.")
        if self.result_bytes is not None and self.result_bytes < SMALLEST:
            raise ValueError(f"result_bytes={self.result_bytes}: a result has at least {SMALLEST} bytes.")
        if self.engine not in get_args(Tier):
            raise ValueError(f"engine={self.engine!r}: choose one of {', '.join(get_args(Tier))}")
        if self.tls_key and not self.tls_certificate:
            raise ValueError("A TLS key needs its certificate.")
        faults.parse(self.faults)

    @property
    def echoes(self) -> bool:
        """Whether results are computed from the sources and nothing is converted."""
        return self.engine == "echo"
