"""
Faults: which calls go wrong, how and how often.

A list of rules, separated by commas, each ``CALL=KIND:RATE`` or ``CALL=KIND:RATE:SECONDS``:

    start=500:0.1,start=lost:0.05,status=delay:0.2:3,any=429:0.01:2

A call meets one fault at most. The nth call of a sort meets the same fate each time with the same seed, however many
calls of other sorts come in between.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

#: The sorts of calls that a fault can hit.
CALLS = ("login", "start", "status", "result", "cancel", "storage")
#: What can happen instead of the reply, beside each HTTP status from 400 to 599, which is sent as such.
KINDS = {
    "429-date": "status 429 with a date in Retry-After",
    "reset": "the connection is reset",
    "truncated": "the reply breaks off in the middle",
    "garbage": "status 200 with an HTML page or with noise",
    "lost": "the call does its work, and its reply is lost in one of these ways",
    "delay": "the reply comes after SECONDS (1 without)",
    "forget": "the operation that is asked about is forgotten",
    "mix": "each time one of 500, 503, 429, 429-date, reset, truncated, garbage and lost",
}
#: The kinds that lose the reply to a call whose work is done.
LOSING = ("500", "reset", "truncated", "garbage")
_MIXED = ("500", "503", "429", "429-date", "reset", "truncated", "garbage", "lost")
_PAGE = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>Try again later.</body></html>"
_RULE = re.compile(r"(?P<call>\w+)=(?P<kind>[\w-]+):(?P<rate>[\d.]+)(?::(?P<seconds>[\d.]+))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    A fault for one call.

    :param kind: an HTTP status, or one of :data:`KINDS` but ``lost`` and ``mix``, which stand for others.
    :param done: whether the call does its work all the same.
    :param seconds: how long a delay takes, or what Retry-After says.
    :param noise: the body of a reply that is garbage.
    """

    kind: str
    done: bool = False
    seconds: float | None = None
    noise: bytes = _PAGE

    @property
    def status(self) -> int | None:
        """The HTTP status that is sent, if it is a refusal."""
        return int(self.kind[:3]) if self.kind[:3].isdecimal() else None

    @property
    def loses_reply(self) -> bool:
        """Whether the caller does not get the reply."""
        return self.kind not in {"delay", "forget"}

    def retry_after(self) -> dict[str, str]:
        """Give the header Retry-After, where there is one."""
        seconds = 1.0 if self.seconds is None and self.status == 429 else self.seconds
        if seconds is None:
            return {}
        if self.kind == "429-date":
            # The format has whole seconds: this is between half a second less and half a second more.
            moment = datetime.now(UTC) + timedelta(seconds=seconds + 0.5)
            return {"Retry-After": format_datetime(moment, usegmt=True)}
        return {"Retry-After": f"{seconds:g}"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    kind: str
    rate: float
    seconds: float | None


def parse(text: str) -> dict[str, list[Rule]]:
    """
    Read rules.

    :param text: the rules, separated by commas.
    """
    rules: dict[str, list[Rule]] = {call: [] for call in CALLS}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _RULE.fullmatch(part)
        if not found:
            raise ValueError(f"faults={part!r}: expected CALL=KIND:RATE, such as start=500:0.1.")
        call, kind = found["call"], found["kind"]
        if call not in (*CALLS, "any"):
            raise ValueError(f"faults={part!r}: the calls are {', '.join(CALLS)} and any.")
        if kind not in KINDS and not re.fullmatch(r"[45]\d\d", kind):
            raise ValueError(f"faults={part!r}: the kinds are {', '.join(KINDS)} and HTTP statuses from 400 to 599.")
        rule = Rule(kind, _number(part, found["rate"]), _number(part, found["seconds"]) if found["seconds"] else None)
        for hit in CALLS if call == "any" else (call,):
            rules[hit].append(rule)
    for call, each in rules.items():
        if sum(rule.rate for rule in each) > 1 + 1e-9:
            raise ValueError(f"faults={text!r}: the rates for {call} come to more than 1.")
    return rules


class Faults:
    """
    Draws faults.

    :param text: the rules.
    :param seed: decides what is drawn.
    """

    def __init__(self, text: str, seed: int = 0) -> None:
        self._rules = parse(text)
        self._seed = seed
        self._chances: dict[str, random.Random] = {}
        self._ordered: list[tuple[str, bytes | None]] = []
        self._next: dict[str, list[Fault]] = {}

    def fail_next(self, kind: str, call: str, times: int = 1, seconds: float | None = None) -> None:
        """
        Let the next calls of a sort go wrong, before any rule is asked.

        :param kind: an HTTP status from 400 to 599, or one of :data:`KINDS`.
        :param call: the sort of calls, one of :data:`CALLS`.
        :param times: how many.
        :param seconds: how long a delay takes, or what Retry-After says.
        """
        parse(f"{call}={kind}:1")  # Refuses what is none.
        rule = Rule(kind, 1.0, seconds)
        chance = random.Random(f"{self._seed} {call} next")  # noqa: S311  # no secret
        self._next.setdefault(call, []).extend(_fault(rule, chance) for _ in range(times))

    def replace(self, text: str) -> None:
        """Replace all rules."""
        self._rules = parse(text)

    def draw(self, call: str) -> Fault | None:
        """
        Decide about the next call.

        :param call: its sort, one of :data:`CALLS`.
        """
        if ordered := self._next.get(call):
            return ordered.pop(0)
        rules = self._rules.get(call)
        if not rules:
            return None
        if call not in self._chances:
            self._chances[call] = random.Random(f"{self._seed} {call}")  # noqa: S311  # no secret
        chance = self._chances[call]
        drawn = chance.random()
        for rule in rules:
            drawn -= rule.rate
            if drawn < 0:
                return _fault(rule, chance)
        return None

    def lose_next_start(self, kind: str = "reset", source: bytes | None = None) -> None:
        """
        Let the reply to the next start that creates an operation be lost.

        :param kind: the fault that loses it, one of :data:`LOSING`.
        :param source: the SHA-256 of the source whose next start it is, None for any.
        """
        if kind not in LOSING:
            raise ValueError(f"{kind!r} can't lose the reply to a start that was done; {', '.join(LOSING)} can.")
        self._ordered.append((kind, source))

    def take_loss(self, source: bytes) -> Fault | None:
        """Return the fault that was ordered for a start of a source, and is done with then."""
        for order in self._ordered:
            if order[1] in (None, source):
                self._ordered.remove(order)
                return Fault(order[0], done=True)
        return None


def _fault(rule: Rule, chance: random.Random) -> Fault:
    kind = chance.choice(_MIXED) if rule.kind == "mix" else rule.kind
    done = kind in {"lost", "delay", "forget"}
    if kind == "lost":
        kind = chance.choice(LOSING)
    noise = chance.randbytes(chance.randint(100, 1000)) if kind == "garbage" and chance.random() < 0.5 else _PAGE
    return Fault(kind, done, rule.seconds, noise)


def _number(part: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"faults={part!r}: {text!r} is not a number.") from None
