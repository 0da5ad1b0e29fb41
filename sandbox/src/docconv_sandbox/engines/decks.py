"""The slides of a pptx: keeping some of them, and taking over those of another deck, with python-pptx."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docconv_sandbox.errors import Cause, ConversionError

if TYPE_CHECKING:
    from pptx.opc.package import Part
    from pptx.presentation import Presentation

_FIRST_MASTER_ID = 1 << 31  # ECMA-376, part 1, 19.7.10: ids of masters and layouts, unique together
# Notes need the deck's one notes master, comments its list of authors: neither is taken over.
_LEFT_BEHIND = ("/notesSlide", "/comments")


def open_deck(document: Path) -> Presentation:
    """
    Open a pptx.

    :param document: the presentation.
    """
    try:
        import pptx
    except ImportError as error:
        remedy = "pip install docconv-sandbox"
        raise ConversionError(Cause.UNSUPPORTED, f"Merging and splitting need python-pptx ({remedy}).") from error
    try:
        return pptx.Presentation(str(document))
    except Exception as error:  # It reads hostile archives and XML without checks: whatever it trips over, it is this.
        raise ConversionError(Cause.DAMAGED, f"The document is damaged: {error}") from error


def count_slides(deck: Presentation) -> int:
    """Count the slides of a deck."""
    return len(deck.slides)


def keep_slides(deck: Presentation, numbers: Sequence[int]) -> None:
    """
    Keep some of a deck's slides, in the order given.

    :param deck: the deck.
    :param numbers: their numbers, from 1, each once.
    """
    listed = deck.slides._sldIdLst
    entries = list(listed)
    kept, gone = _divide(deck, numbers)
    for part in (deck.part, *kept):
        _unlink(part, gone)
    for number in numbers:
        listed.append(entries[number - 1])
    # Sections list slides by their ids, also those that are gone.
    _drop_extensions(deck)
    deck.part.rename_slide_parts([slide.rId for slide in listed])


def append_slides(deck: Presentation, other: Presentation, numbers: Sequence[int], mark: str) -> None:
    """
    Append slides of another deck with their layouts, masters, pictures and charts, without notes and comments.

    :param deck: the deck that gets them.
    :param other: the deck that gives them, which is not to be used afterwards.
    :param numbers: the numbers of its slides, from 1, each once.
    :param mark: tells the names of its parts from those of other decks.
    """
    from pptx.opc.constants import RELATIONSHIP_TYPE as RT

    slides, gone = _divide(other, numbers)
    for slide in slides:
        _unlink(slide, gone)
        for rId in [rId for rId, rel in slide.rels.items() if rel.reltype.endswith(_LEFT_BEHIND)]:
            slide.rels.pop(rId)
    _rename(slides, mark)
    ids = _free_ids(deck)
    for master in dict.fromkeys(slide.slide.slide_layout.slide_master.part for slide in slides):
        _add_master(deck, master, deck.part.relate_to(master, RT.SLIDE_MASTER), ids)
    for slide in slides:
        deck.slides._sldIdLst.add_sldId(deck.part.relate_to(slide, RT.SLIDE))
    deck.part.rename_slide_parts([slide.rId for slide in deck.slides._sldIdLst])


def _divide(deck: Presentation, numbers: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Give the parts of the slides that are wanted, and those of all others."""
    parts: list[Any] = [deck.part.related_part(entry.rId) for entry in deck.slides._sldIdLst]
    wanted = [parts[number - 1] for number in numbers]
    return wanted, [part for part in parts if part not in wanted]


def _unlink(part: Any, gone: Sequence[Any]) -> None:
    """Take out of a part what leads to slides that are gone: they would stay in the package, under a name of others."""
    from pptx.oxml.ns import qn

    links = {rId for rId, rel in part.rels.items() if not rel.is_external and rel.target_part in gone}
    for element in [element for element in part._element.iter("*") if element.get(qn("r:id")) in links]:
        element.getparent().remove(element)
    for rId in links:
        part.rels.pop(rId)


def _add_master(deck: Presentation, master: Any, rId: str, ids: Iterator[int]) -> None:
    from pptx.oxml import parse_xml
    from pptx.oxml.ns import nsdecls

    listed = deck.slide_masters._sldMasterIdLst
    listed.append(parse_xml(f'<p:sldMasterId {nsdecls("p", "r")} id="{next(ids)}" r:id="{rId}"/>'))
    for layout in master.slide_master.slide_layouts._sldLayoutIdLst:
        layout.set("id", str(next(ids)))


def _free_ids(deck: Presentation) -> Iterator[int]:
    entries = list(deck.slide_masters._sldMasterIdLst)
    for master in deck.slide_masters:
        entries += master.slide_layouts._sldLayoutIdLst
    return count(max([_FIRST_MASTER_ID, *(int(entry.get("id", 0)) for entry in entries)]) + 1)


def _rename(parts: Sequence[Part], mark: str) -> None:
    """Mark the names of parts, and of all that they lead to."""
    from pptx.opc.packuri import PackURI

    seen: set[Part] = set()
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        stem, dot, suffix = str(part.partname).rpartition(".")
        part.partname = PackURI(f"{stem}{mark}{dot}{suffix}" if dot else f"{suffix}{mark}")
        waiting += [rel.target_part for rel in part.rels.values() if not rel.is_external]


def _drop_extensions(deck: Presentation) -> None:
    from pptx.oxml.ns import qn

    for extensions in deck.part._element.findall(qn("p:extLst")):
        deck.part._element.remove(extensions)
