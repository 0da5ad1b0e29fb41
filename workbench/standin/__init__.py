"""
A stand-in for Aspose.Slides Cloud and Aspose.OCR Cloud that converts nothing: for benchmarks, and for what happens when
calls fail, operations are slow, or are cancelled.

.. code-block:: python

    with StandIn(tmp_path / "standin.log", "--seconds", "2", "--faults", "0.1", "--seed", "7") as standin:
        standin.wait_until_healthy()
        standin.connect(airflow, "aspose_slides_default")
        standin.connect(airflow, "aspose_ocr_default", "aspose_ocr")
        …
        assert standin.stats()["operations"]["unexplained"] == 0

It keeps an exact account of what it was asked, which :class:`workbench.standin.account.Account` describes.
"""

from __future__ import annotations

from workbench.standin.process import StandIn
from workbench.standin.results import expected_result

__all__ = ["StandIn", "expected_result"]
