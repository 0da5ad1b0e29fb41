"""What to do about a conversion, from what is known of it: pure, and the same for one document and for thousands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Progress(StrEnum):
    """How far a conversion has come, as it was written down."""

    #: Nothing was sent, or what was sent surely did nothing.
    WAITING = "waiting"
    #: A start was sent, and its reply has not come.
    SENT = "sent"
    #: The service has given an operation id.
    STARTED = "started"
    #: The result lies at its destination.
    DELIVERED = "delivered"
    #: The service, or a look at the document, has ruled it out.
    REJECTED = "rejected"


class Decision(StrEnum):
    """What a try of a task does about a conversion."""

    START = "start"
    REATTACH = "reattach"
    REPLY_LOST = "reply lost"
    SKIP = "skip"
    REJECT = "reject"


_GO_ON = {
    Progress.WAITING: Decision.START,
    Progress.SENT: Decision.REPLY_LOST,
    Progress.STARTED: Decision.REATTACH,
    Progress.DELIVERED: Decision.SKIP,
    Progress.REJECTED: Decision.REJECT,
}


def decide(progress: Progress, known: str, wanted: str, *, anew: bool) -> Decision:
    """
    Decide on every try, in every mode, what to do.

    :param progress: how far the conversion that is known has come
    :param known: its fingerprint
    :param wanted: the fingerprint of the conversion that is wanted now
    :param anew: whether a person wants it done again, whatever is known
    """
    return _GO_ON[progress] if known == wanted and not anew else Decision.START


def fingerprint(**parts: object) -> str:
    """Return a digest of what makes one conversion differ from another; leave secrets out."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def without_passwords(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options without what must not be written down, at any depth."""
    return {
        key: without_passwords(value) if isinstance(value, Mapping) else value
        for key, value in (options or {}).items()
        if "password" not in str(key).lower()
    }
