"""A document of a batch: what is wanted of it, and what is known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_docconv.decisions import Decision, Progress, decide
from airflow_provider_docconv.exceptions import serialize

if TYPE_CHECKING:
    from airflow_provider_docconv.services.errors import DocConvError


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A conversion that a batch is asked for.

    :param source: the document's URI
    :param destination: the URI of its result, empty if it can't have one
    :param target_format: the format to convert to
    :param item: which item of the operator's ``source`` it comes from, which has its options
    :param fingerprint: of the document, the target format and the options
    :param versioned: whether the store tells one version of the document from another
    :param size: its length in bytes, or None if unknown
    """

    source: str
    destination: str
    target_format: str
    item: int
    fingerprint: str
    versioned: bool
    size: int | None = None

    @classmethod
    def from_json(cls, values: object) -> Self:
        """
        Make it from its plain JSON values.

        :raises ValueError: if it is something else
        """
        return cls(**_checked(values, cls, _WANTED))

    @property
    def key(self) -> str:
        """The conversion's short name in records: one result can have one source only."""
        name = self.destination or self.source
        return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Run:
    """
    The run of a Dag that an entry is from.

    :param id: the run's id
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    """

    id: str
    max_tries: int


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What is known of a conversion; the same in the journal, in the ledger and in memory.

    :param key: the conversion
    :param fingerprint: of what it was
    :param progress: how far it has come
    :param run: the run of the Dag that wrote this
    :param max_tries: and the task's ``max_tries`` then
    :param seq: orders the entries of one conversion, over tries and runs
    :param operation_id: the operation
    :param started: when the service took it, in seconds since the epoch
    :param ended: when its end was noticed
    :param waited: seconds that it waited in the task before it was sent
    :param attempts: starts that were sent in this run
    :param lost_replies: those of them whose reply never came; one that was just sent counts until it has
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal
    :param results: what was delivered
    :param error: why it was not, as :func:`~airflow_provider_docconv.exceptions.serialize` gives it
    """

    key: str
    fingerprint: str
    progress: Progress = Progress.WAITING
    run: str = ""
    max_tries: int = 0
    seq: int = 0
    operation_id: str | None = None
    started: float | None = None
    ended: float | None = None
    waited: float | None = None
    attempts: int = 0
    lost_replies: int = 0
    source_sha256: str | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, without those that say nothing."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in said.items() if value is not None and (value or name in _TIMES)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """
        Make it from what :meth:`to_json` returned.

        :raises ValueError: if it is something else
        """
        known = _checked(values, cls, _ENTRY)
        entry = cls(**{**known, "progress": Progress(known.get("progress", Progress.WAITING))})
        if entry.progress is Progress.STARTED and not entry.operation_id:
            raise ValueError("what was started has an operation")
        return entry

    def failed(self, error: DocConvError, **changes: Any) -> Self:
        """Return it with an error, and with other changes."""
        return replace(self, error=serialize(error), **changes)

    @property
    def state(self) -> str:
        """What the report calls it, if it is of this run."""
        if self.progress in (Progress.DELIVERED, Progress.REJECTED):
            return self.progress.value
        return "failed" if self.error else "unfinished"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e11 < value < 1e11


def _are_results(value: object) -> bool:
    whole = {"uri": _is_text, "size": _is_count, "sha256": _is_text}
    return isinstance(value, list) and all(
        isinstance(result, Mapping) and all(fits(result.get(key)) for key, fits in whole.items()) for result in value
    )


def _is_error(value: object) -> bool:
    words = ("said", "operation_id", "remedy")
    return (
        isinstance(value, Mapping)
        and _is_text(value.get("type"))
        and _is_text(value.get("what"))
        and all(key in value and isinstance(value[key], str | None) for key in words)
    )


_TIMES = ("started", "ended", "waited")
_Checks = Mapping[str, Callable[[object], bool]]
_WANTED: _Checks = {
    **dict.fromkeys(("source", "destination", "target_format", "fingerprint"), _is_text),
    "item": _is_count,
    "size": _is_count,
    "versioned": lambda value: isinstance(value, bool),
}
_ENTRY: _Checks = {
    **dict.fromkeys(("key", "fingerprint", "progress", "run", "operation_id", "source_sha256"), _is_text),
    **dict.fromkeys(("max_tries", "seq", "attempts", "lost_replies"), _is_count),
    **dict.fromkeys(_TIMES, _is_time),
    "results": _are_results,
    "error": _is_error,
}


def _checked(values: object, owner: type[Any], checks: _Checks) -> dict[str, Any]:
    """Return the values of a dataclass's fields, all of the right kind; a later version may have added others."""
    if not isinstance(values, Mapping):
        raise ValueError("it is no object")
    known = {}
    for each in fields(owner):
        optional = each.default is not MISSING or each.default_factory is not MISSING
        value = values.get(each.name)
        if value is None and optional and (each.name not in values or each.default is None):
            continue
        if not checks[each.name](value):
            raise ValueError(f"its {each.name} is {str(value)[:40]!r}")
        known[each.name] = value
    return known


# What the service has said of a document holds until the document changes; other refusals cost nothing to find anew.
_LASTING = frozenset({"ConversionFailed", "DocumentRejected"})


def decide_on(wanted: Wanted, known: Entry | None, run: Run, *, full_refresh: bool) -> Decision:
    """
    Decide what this try does about a document.

    :param wanted: the conversion
    :param known: what is known of it from earlier tries and runs
    :param run: this run
    :param full_refresh: whether everything that earlier runs have done shall be done again
    """
    if known is None:
        return Decision.START
    of_this_run = known.run == run.id
    anew = full_refresh and not of_this_run
    if known.progress is Progress.DELIVERED and not of_this_run:
        anew = anew or not wanted.versioned
    if known.progress is Progress.REJECTED:
        cleared = of_this_run and known.max_tries != run.max_tries
        anew = anew or cleared or (known.error or {}).get("type") not in _LASTING
    return decide(known.progress, known.fingerprint, wanted.fingerprint, anew=anew)
