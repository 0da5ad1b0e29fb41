"""The engines that convert, and the choice between them."""

from __future__ import annotations

from collections.abc import Sequence

from docconv_sandbox.engines.base import Engine, Work
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.formats import PAGED
from docconv_sandbox.settings import Tier

__all__ = ["Engine", "Work", "installed", "installed_or_not", "plan", "targets_of"]


def installed_or_not(tier: Tier) -> Sequence[Engine]:
    """Give the engines of a tier, the preferred one first."""
    from docconv_sandbox.engines.djvu import DjVuLibre, DjVuRs
    from docconv_sandbox.engines.libreoffice import LibreOffice
    from docconv_sandbox.engines.office2pdf import Office2Pdf
    from docconv_sandbox.engines.pages import Pages

    if tier == "wheels":
        return (Office2Pdf(), DjVuRs(), Pages())
    if tier == "libreoffice":
        return (LibreOffice(), DjVuLibre(), Pages())
    # For DjVu the wheel comes first even where DjVuLibre is found: its PDF keeps the text layer and is smaller.
    return (LibreOffice(), Office2Pdf(), DjVuRs(), DjVuLibre(), Pages())


def installed(tier: Tier) -> list[Engine]:
    """Give the engines of a tier that this machine has, the preferred one first."""
    return [engine for engine in installed_or_not(tier) if engine.installed()]


def plan(tier: Tier, source: str, target: str) -> list[tuple[Engine, str, str]]:
    """
    Plan the way from a source to a target: in one step, or by way of PDF.

    :param tier: the tier to choose from.
    :param source: the source's format.
    :param target: the target format.
    :return: for each step the engine, what it reads and what it makes; nothing is to be done from PDF to PDF.
    """
    if target not in PAGED or "pdf" in (source, target):
        steps = [(source, target)] if source != target or target != "pdf" else []
    else:
        steps = [(source, "pdf"), ("pdf", target)]
    found = []
    for start, end in steps:
        engine = next((engine for engine in installed(tier) if end in engine.targets(start)), None)
        if engine is None:
            raise ConversionError(Cause.UNSUPPORTED, _what_is_missing(tier, f"{source} to {target}", start, end))
        found.append((engine, start, end))
    return found


def targets_of(tier: Tier, source: str) -> set[str]:
    """Give every format that a source can be converted to, in one step or by way of PDF."""
    direct = {target for engine in installed(tier) for target in engine.targets(source)}
    if "pdf" in direct or source == "pdf":
        direct |= {target for engine in installed(tier) for target in engine.targets("pdf") & PAGED}
    return direct


def _what_is_missing(tier: Tier, wanted: str, start: str, end: str) -> str:
    missing = [engine for engine in installed_or_not(tier) if end in engine.targets(start)]
    if missing:
        return f"{wanted} needs {' or '.join(f'{engine.name} ({engine.remedy})' for engine in missing)}."
    left_out = [engine for engine in installed_or_not("auto") if end in engine.targets(start)]
    if left_out:
        return f"{wanted} needs {left_out[0].name}, which --engine {tier} leaves out."
    return f"No engine of the sandbox converts {wanted}."
