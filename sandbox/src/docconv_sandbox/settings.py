"""What can be chosen about a sandbox. The command line's flags are made from these fields."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Literal, get_args

Tier = Literal["auto", "wheels", "libreoffice"]

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
    """The settings of one sandbox.

    :param port: the port on 127.0.0.1; 0 takes a free one
    :param client_id: the client id that logs in
    :param client_secret: the secret that goes with it
    :param storages: names of the cloud storages each service has; the first one is the default
    :param token_lifetime: seconds until an access token expires
    :param workers: operations under way at the same time
    :param seconds_per_page: pace of a conversion; 0 is as fast as the machine can
    :param retention: seconds until an operation and its result are forgotten
    :param max_upload: the largest request body, in MiB
    :param job_timeout: seconds until a running conversion is ended
    :param engine: ``auto``, ``wheels`` or ``libreoffice``
    """

    port: int = 0
    client_id: str = "sandbox"
    client_secret: str = "sandbox"  # noqa: S105  # it guards nothing: the sandbox listens on loopback only
    storages: tuple[str, ...] = ("First Storage",)
    token_lifetime: int = 3600
    workers: int = field(default_factory=cores)
    seconds_per_page: float = 0.0
    retention: float = 24 * 3600.0
    max_upload: float = 2048.0
    job_timeout: float = 300.0
    engine: Tier = field(default_factory=_tier_from_environment)

    def __post_init__(self) -> None:
        if not self.storages:
            raise ValueError("A sandbox needs at least one storage name.")
        if any(not name or "/" in name or name in {".", ".."} for name in self.storages):
            raise ValueError("A storage name is a plain name, without slashes.")
        if self.workers < 1:
            raise ValueError("A sandbox needs at least one worker.")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port={self.port}: a port is a number from 0 to 65535.")
        for name in ("token_lifetime", "seconds_per_page", "retention", "max_upload", "job_timeout"):
            # NaN compares as false, too.
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name}={value}: give a number that is not negative.")
        if self.engine not in get_args(Tier):
            raise ValueError(f"engine={self.engine!r}: choose one of {', '.join(get_args(Tier))}")
