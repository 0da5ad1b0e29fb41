"""The SHA-256 of what passes by, whatever the pieces."""

from __future__ import annotations

import hashlib
import threading

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.services.digest import Digest

LARGE = 256 << 10


def threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("docconv-sha256")}


@given(st.lists(st.sampled_from([0, 1, 1000, LARGE - 1, LARGE, 3 * LARGE]), max_size=8))
def test_pieces_of_all_lengths_are_hashed_in_their_order(lengths: list[int]) -> None:
    pieces = [bytes([number]) * length for number, length in enumerate(lengths)]
    digest, read = Digest(), b""
    for piece in pieces:
        digest.update(piece)
        read += piece
    assert digest.hexdigest() == hashlib.sha256(read).hexdigest()
    assert digest.hexdigest() == hashlib.sha256(read).hexdigest()


def test_it_goes_on_after_it_was_asked() -> None:
    digest = Digest()
    digest.update(b"a" * LARGE)
    assert digest.hexdigest() == hashlib.sha256(b"a" * LARGE).hexdigest()
    digest.update(b"b" * LARGE)
    assert digest.hexdigest() == hashlib.sha256(b"a" * LARGE + b"b" * LARGE).hexdigest()


def test_small_pieces_need_no_thread() -> None:
    before = threads()
    digest = Digest()
    digest.update(b"x" * 1000)
    assert digest.hexdigest()
    assert threads() <= before


def test_its_thread_ends_with_it() -> None:
    digest = Digest()
    digest.update(b"x" * LARGE)
    (mine,) = digest._beside._threads
    assert mine.is_alive()
    del digest
    mine.join(30)
    assert not mine.is_alive()
