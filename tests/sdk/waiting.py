"""What the SDKs' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2

from tests.support.patience import wait_until

SCAN = Path(__file__).parent.parent / "data" / "project_scan.djvu"
PASSWORD = "pw"


def ended(status: Callable[[], Any]) -> Any:
    """Wait until an operation of Slides or GroupDocs has ended, and return its last status."""
    return wait_until(
        lambda: found if (found := status()).status in {"Finished", "Failed", "Canceled"} else None,
    )


def pages(path: str) -> int:
    """Count the pages of a PDF."""
    pdf = pypdfium2.PdfDocument(path)
    try:
        return len(pdf)
    finally:
        pdf.close()
