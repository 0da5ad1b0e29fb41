"""A table of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()) -> str:
    """
    Lay out a table that a dumb terminal shows, and Markdown reads.

    :param heads: the columns' heads.
    :param rows: a value for each column.
    :param right: the columns to align on the right.
    """
    cells = [list(heads), *([str(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = []
    for row in cells:
        columns = zip(heads, row, widths, strict=True)
        aligned = [text.rjust(width) if head in right else text.ljust(width) for head, text, width in columns]
        lines.append(f"| {' | '.join(aligned)} |")
    marks = (":" if head in right else "-" for head in heads)
    rule = "|".join("-" * (width + 1) + mark for width, mark in zip(widths, marks, strict=True))
    lines.insert(1, f"|{rule}|")
    return "\n".join(lines)


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.1f} kB"
