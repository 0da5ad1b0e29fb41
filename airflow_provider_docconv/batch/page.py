"""The page of a batch's report, for the person who looks at it in the morning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_docconv.batch.markup import (
    NOTHING,
    documents,
    duration,
    number,
    prose,
    sentence,
    show,
    size,
    uri,
)

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.report import ReportLine

# Each state with what it means, in the order of the bar.
_STATES = {
    "delivered": "converted and stored",
    "skipped": "unchanged since their last conversion",
    "rejected": "a person must look at them",
    "failed": "the next try or night converts them",
    "unfinished": "at the service or not begun when the task stopped",
}
_TO_DO = ("rejected", "failed", "unfinished")
# Browsers lay out only the groups in view.
_GROUP = 50
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
"""

_Lines = Callable[[], "Iterable[ReportLine]"]


def write_html(file: BinaryIO, title: str, summary: Mapping[str, Any], lines: _Lines) -> None:
    """
    Write a page that needs nothing else: no script, no other file, no server.

    :param file: where to
    :param title: its heading
    :param summary: what the task returns; of the documents, the lines are counted, so that numbers and tables agree
    :param lines: gives the documents; called several times
    """
    for piece in _page(title, summary, lines):
        file.write(piece.encode())


def _page(title: str, summary: Mapping[str, Any], lines: _Lines) -> Iterator[str]:
    counts: Counter[str] = Counter()
    lost = 0
    for line in lines():
        counts[_state(line)] += 1
        lost += line.lost_replies
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    yield f"{_HEAD}<title>{prose(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
    yield f"<header>\n<h1>{prose(title)}</h1>\n{_when(summary)}{_verdict(counts)}</header>\n"
    yield _bar(counts) + _facts(summary)
    if lost:
        yield from _notice(lost, lines)
    yield from _to_do(counts, lines)
    yield from _delivered(counts["delivered"], lines)
    yield from _skipped(counts["skipped"], lines)
    if isinstance(report := summary.get("report"), str):
        yield f"<footer>This report: {uri(report)}</footer>\n"
    yield "</body>\n</html>\n"


def _state(line: ReportLine) -> str:
    # Better an unknown state among what is left to do than a document that no table has.
    return line.state if line.state in _STATES else "unfinished"


def _when(summary: Mapping[str, Any]) -> str:
    began, took = summary.get("began"), number(summary.get("seconds"))
    shown = began if isinstance(began, str) else ""
    with suppress(ValueError):
        shown = f"{datetime.fromisoformat(shown):%Y-%m-%d %H:%M:%S %Z}"
    parts = [f"Began {prose(shown)}" if shown else "", f"took {duration(took)}" if took is not None else ""]
    return f'<p class="when">{", ".join(filter(None, parts))}</p>\n' if any(parts) else ""


def _verdict(counts: Counter[str]) -> str:
    rejected, later = counts["rejected"], counts["failed"] + counts["unfinished"]
    need = "needs" if rejected == 1 else "need"
    parts = [f"{documents(rejected)} {need} a person"] if rejected else []
    if later:
        parts.append(f"the next try or night converts {f'{later:,} more' if rejected else documents(later)}")
    if not parts:
        parts.append("nothing is left to do" if counts.total() else "there were no documents")
    return f'<p class="verdict">{sentence(", ".join(parts))}.</p>\n'


def _bar(counts: Counter[str]) -> str:
    segments = "".join(
        f'<i class="{state}" style="flex-grow:{counts[state]}" title="{counts[state]:,} {state}"></i>'
        for state in _STATES
        if counts[state]
    )
    tiles = "".join(
        f'<li class="{state}{"" if counts[state] else " none"}"><a href="#{"to-do" if state in _TO_DO else state}">'
        f"<b>{counts[state]:,}</b> <span>{state}</span></a> <small>{meaning}</small></li>\n"
        for state, meaning in _STATES.items()
    )
    return f'<div class="bar" aria-hidden="true">{segments}</div>\n<ul class="tiles">\n{tiles}</ul>\n'


def _facts(summary: Mapping[str, Any]) -> str:
    sizes = (("Size of the sources", "bytes_in"), ("Size of the results", "bytes_out"))
    facts = [(label, size(summary[key])) for label, key in sizes if number(summary.get(key)) is not None]
    calls = summary.get("calls")
    if isinstance(calls, Mapping) and calls:
        kinds = {kind: int(number(count) or 0) for kind, count in calls.items()}
        each = ", ".join(f"{count:,} {prose(kind)}" for kind, count in kinds.items())
        facts.append(("Calls to the service", f"{sum(kinds.values()):,} <small>{each}</small>"))
    pairs = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>\n" for label, value in facts)
    return f'<dl class="facts">\n{pairs}</dl>\n' if pairs else ""


def _notice(lost: int, lines: _Lines) -> Iterator[str]:
    what = "The reply to one start never came" if lost == 1 else f"The replies to {lost:,} starts never came"
    yield f'<section id="lost-replies" class="notice">\n<h2>{what}</h2>\n<p>The service may have begun all the same: '
    yield "what was started again may have been paid twice. Compare with what the service bills.</p>\n<ul>\n"
    for line in lines():
        if line.lost_replies:
            times = f" <small>{line.lost_replies:,} times</small>" if line.lost_replies > 1 else ""
            yield f"<li>{uri(line.source)}{times}</li>\n"
    yield "</ul>\n</section>\n"


def _to_do(counts: Counter[str], lines: _Lines) -> Iterator[str]:
    count = sum(counts[state] for state in _TO_DO)
    yield f'<section id="to-do">\n<h2>To do <small>{count:,}</small></h2>\n'
    # What a person must do comes first, whatever the order of the documents.
    ordered = (line for state in _TO_DO if counts[state] for line in lines() if _state(line) == state)
    yield from _table(count, ("Document", "State", "What happened", "What to do"), map(_row_to_do, ordered))
    yield "</section>\n"


def _row_to_do(line: ReportLine) -> str:
    begun = "still at the service when the task stopped" if line.operation_id else "not begun when the task stopped"
    happened = sentence(line.error or (begun if _state(line) == "unfinished" else "no reason is known"))
    kind = f" <small>{prose(line.error_type)}</small>" if line.error_type else ""
    operation = f"operation {show(line.operation_id)}" if line.operation_id else ""
    badge = f'<span class="badge {_state(line)}">{show(line.state)}</span>'
    remedy = sentence(line.remedy) if line.remedy else NOTHING
    return _row(_document(line, operation), badge, f"{happened}{kind}", remedy)


def _delivered(count: int, lines: _Lines) -> Iterator[str]:
    yield f'<section id="delivered">\n<h2>Delivered <small>{count:,}</small></h2>\n'
    rows = (row for line in lines() if line.state == "delivered" for row in _rows_delivered(line))
    yield from _table(count, ("Document", "Result", "Size", "At the service", "SHA-256"), rows)
    yield "</section>\n"


def _rows_delivered(line: ReportLine) -> Iterator[str]:
    # Each further result has a row to itself, so that its size and digest stand beside it.
    for position, result in enumerate(line.results or [{}]):
        address, digest = result.get("uri"), str(result.get("sha256") or "")
        shown = f'<code title="{show(digest)}">{show(digest[:12])}</code>' if digest else NOTHING
        cells = (uri(str(address)) if address else NOTHING, size(result.get("size")))
        if position:
            yield _row("", *cells, "", shown)
        else:
            yield _row(_document(line), *cells, duration(line.seconds_at_service), shown)


def _skipped(count: int, lines: _Lines) -> Iterator[str]:
    yield f'<section id="skipped">\n<details>\n<summary><h2>Skipped <small>{count:,}</small></h2></summary>\n'
    rows = (_row(uri(li.source), show(li.target_format), size(li.size)) for li in lines() if li.state == "skipped")
    yield from _table(count, ("Document", "Format", "Size"), rows)
    yield "</details>\n</section>\n"


def _table(count: int, heads: tuple[str, ...], rows: Iterable[str]) -> Iterator[str]:
    if not count:
        yield '<p class="nothing">None.</p>\n'
        return
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f'<div class="wide"><table>\n<thead><tr>{columns}</tr></thead>\n'
    rows = iter(rows)
    while group := "".join(islice(rows, _GROUP)):
        yield f"<tbody>\n{group}</tbody>\n"
    yield "</table></div>\n"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _document(line: ReportLine, more: str = "") -> str:
    facts = [f"to {show(line.target_format)}"]
    if number(line.size) is not None:
        facts.append(size(line.size))
    if line.attempts > 1:
        facts.append(f"{line.attempts:,} starts")
    if line.lost_replies:
        facts.append(f"{line.lost_replies:,} lost {'reply' if line.lost_replies == 1 else 'replies'}")
    if (number(line.seconds_waited) or 0) >= 10:
        facts.append(f"waited {duration(line.seconds_waited)}")
    return f"{uri(line.source)} <small>{' · '.join(filter(None, [*facts, more]))}</small>"
