"""The table at the end of the demo."""

from __future__ import annotations

from dev.table import size, table


def test_columns_line_up() -> None:
    drawn = table(["name", "pages"], [["a.pptx", 12], ["b", ""]], right=["pages"])
    assert drawn.splitlines() == [
        "| name   | pages |",
        "|--------|------:|",
        "| a.pptx |    12 |",
        "| b      |       |",
    ]


def test_sizes() -> None:
    assert [size(count) for count in (0, 1, 12_345, 1_600_000)] == ["0.1 kB", "0.1 kB", "12.3 kB", "1.6 MB"]
