"""Documents that lie beside the tests."""

from __future__ import annotations

from workbench.environment import ROOT

SCAN = ROOT / "tests" / "data" / "project_scan.djvu"
