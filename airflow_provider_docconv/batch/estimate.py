"""What a batch would cost: the pages of its documents, as far as the files tell, and the calls to be expected."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import msgspec

from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.batch.batch import Document as BatchDocument
from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.filetypes import ZIP, is_pdf
from airflow_provider_docconv.transfer.source import open_source

# Polls for each document, if no earlier run tells; measured in benchmarks/ and in docs/batch.md.
_POLLS = 4
_AT_ONCE = 8
_HEAD = 1024
# Of the part of a document in which its program has noted the number of pages.
_LONGEST_PART = 1 << 20
_MOST_PAGES = 1_000_000
_SLIDE = re.compile(r"ppt/slides/slide\d+\.xml")
_NOTED = {
    "docProps/app.xml": re.compile(rb"<Pages>(\d{1,7})</Pages>"),
    "meta.xml": re.compile(rb'meta:page-count="(\d{1,7})"'),
}


class Estimate(msgspec.Struct, frozen=True):
    """
    What a batch would cost.

    :param pages: the pages and slides of the documents to convert, as far as their files tell
    :param documents_without_pages: how many of these documents don't tell
    :param calls: the calls to be expected, by kind
    """

    pages: int
    documents_without_pages: int
    calls: dict[str, int]

    def __str__(self) -> str:
        calls = ", ".join(f"about {count:,} {kind}" for kind, count in self.calls.items())
        untold = (
            f" and {self.documents_without_pages:,} documents of unknown length" if self.documents_without_pages else ""
        )
        return f"{self.pages:,} pages or slides{untold}; calls: {calls or 'none'}"


def estimate(batch: Batch, hooks: Mapping[str, Any]) -> Estimate:
    """
    Estimate what the documents cost that a batch would convert now. Nothing is sent.

    :param batch: the batch, which has listed its documents
    :param hooks: the hook of each connection
    """
    left = batch.to_do()
    new = [each for each in left if each.entry.state_in(batch.run) is not DocumentState.STARTED]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        pages = list(pool.map(lambda each: _pages_of(each, hooks), new))
    told = [count for count in pages if count is not None]
    return Estimate(sum(told), len(pages) - len(told), _calls(batch, left, new))


def _calls(batch: Batch, left: Sequence[BatchDocument], new: Sequence[BatchDocument]) -> dict[str, int]:
    calls = Counter(start=len(new))
    for conn_id, count in Counter(each.request.conn_id for each in left).items():
        before = batch.last_calls.get(conn_id, {})
        started = before.get("start", 0)
        polls = before.get("status", 0) / started if started else _POLLS
        calls["status"] += round(max(1.0, polls) * count)
        calls["result"] += count
    return {kind: count for kind, count in calls.items() if count}


def _pages_of(document: BatchDocument, hooks: Mapping[str, Any]) -> int | None:
    try:
        source = open_source(document.request.source, hooks[document.request.conn_id].service)
        return count_pages(source) if isinstance(source, Document) else None
    except DocConvError:
        return None  # The run itself says what is wrong with it.


def count_pages(document: Document) -> int | None:
    """
    Return the pages of a PDF, Word or OpenDocument file, or the slides of a presentation; None if it does not tell.

    A word processor notes the pages when it saves a document, and some don't.

    :param document: the document
    :raises DocConvError: if it can't be read
    """
    head = document.read_at(0, _HEAD)
    if head.startswith(ZIP):
        count: Callable[[BinaryIO], int | None] = _pages_of_package
    elif is_pdf(head):
        count = _pages_of_pdf
    else:
        return None
    try:
        with document.opener() as file:
            found = count(file)
    except Exception:  # Whatever is wrong with it is no matter for an estimate.
        return None
    return found if found is not None and 0 < found <= _MOST_PAGES else None


def _pages_of_package(file: BinaryIO) -> int | None:
    with zipfile.ZipFile(file) as package:
        if slides := sum(1 for name in package.namelist() if _SLIDE.fullmatch(name)):
            return slides
        for name, noted in _NOTED.items():
            if name in package.NameToInfo:
                with package.open(name) as part:
                    if found := noted.search(part.read(_LONGEST_PART)):
                        return int(found[1])
    return None


def _pages_of_pdf(file: BinaryIO) -> int:
    import pypdf

    pages: int = pypdf.PdfReader(file).get_num_pages()
    return pages
