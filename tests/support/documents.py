"""Documents that lie beside the tests."""

from __future__ import annotations

from dev.environment import ROOT

SCAN = ROOT / "tests" / "data" / "project_scan.djvu"
