"""What can be chosen about a stand-in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from workbench.standin.faults import KINDS
from workbench.standin.results import SMALLEST


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    The settings of one stand-in.

    :param port: the port on 127.0.0.1.
    :param seconds: how long an operation takes.
    :param spread: by what share of that it may take longer or shorter.
    :param steps: how many steps an operation reports, 0 for no progress at all; only Aspose.Slides Cloud has them.
    :param capacity: how many operations are worked at once, None for all.
    :param result_bytes: the size of each result.
    :param retention: seconds from the end of an operation until it is forgotten.
    :param latency: seconds before each reply.
    :param faults: the share of calls that is answered with a fault.
    :param fault_kinds: the faults to draw from.
    :param seed: decides what is drawn.
    :param tls: the folder of the certificate to serve HTTPS with, None for HTTP; what is missing in it is made.
    """

    port: int = 0
    seconds: float = 0.0
    spread: float = 0.0
    steps: int = 0
    capacity: int | None = None
    result_bytes: int = 2048
    retention: float = math.inf
    latency: float = 0.0
    faults: float = 0.0
    fault_kinds: tuple[str, ...] = KINDS
    seed: int = 0
    tls: Path | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.spread <= 1 and 0 <= self.faults <= 1):
            raise ValueError("The spread and the share of faults lie between 0 and 1.")
        if self.steps < 0:
            raise ValueError("There can't be fewer than no steps.")
        if self.capacity is not None and self.capacity < 1:
            raise ValueError("Without any capacity no operation would ever end.")
        if self.result_bytes < SMALLEST:
            raise ValueError(f"A result has at least {SMALLEST} bytes.")
        if not self.fault_kinds or (unknown := set(self.fault_kinds) - set(KINDS)):
            raise ValueError(f"No faults: {', '.join(sorted(unknown)) or 'none given'}; there are {', '.join(KINDS)}.")
