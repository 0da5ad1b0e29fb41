"""Starts whose reply is to be lost on demand."""

from __future__ import annotations

from workbench.standin.faults import Fault

KINDS = ("500", "reset", "truncated", "garbage")


class Losses:
    """Those that were ordered and did not happen yet."""

    def __init__(self) -> None:
        self._ordered: list[tuple[str, bytes | None]] = []

    def order(self, kind: str, source: bytes | None) -> None:
        """
        Order that the reply to a start be lost.

        :param kind: the fault that loses it.
        :param source: the SHA-256 of the source whose next start it is, None for any.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind} can't lose the reply to a start that was done; {', '.join(KINDS)} can.")
        self._ordered.append((kind, source))

    def take(self, source: bytes) -> Fault | None:
        """Return the fault for a start of a source, which is then done with, or None."""
        for order in self._ordered:
            if order[1] in (None, source):
                self._ordered.remove(order)
                return Fault(order[0], done=True)
        return None
