"""
What the export options of Aspose.Slides Cloud consist of: words, and options inside of options.

Facts: the models of the vendor's SDK (Python 26.6), whose names and types a test compares with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

# One value a line would hide the options.
# fmt: off
Handout = Literal[
    "Handouts1", "Handouts2", "Handouts3", "Handouts4Horizontal", "Handouts4Vertical", "Handouts6Horizontal",
    "Handouts6Vertical", "Handouts9Horizontal", "Handouts9Vertical",
]
Compliance = Literal[
    "Pdf15", "Pdf16", "Pdf17", "PdfA1b", "PdfA1a", "PdfA2b", "PdfA2a", "PdfA3b", "PdfA3a", "PdfUa", "PdfA2u",
]
CompressionLevel = Literal[
    "None", "Level1", "Level2", "Level3", "Level4", "Level5", "Level6", "Level7", "Level8", "Level9",
]
Flavor = Literal[
    "Github", "Gruber", "MultiMarkdown", "CommonMark", "MarkdownExtra", "Pandoc", "Kramdown", "Markua", "Maruku",
    "Markdown2", "Remarkable", "Showdown", "Ghost", "GitLab", "Haroopad", "IaWriter", "Redcarpet",
    "ScholarlyMarkdown", "Taiga", "Trello", "S9ETextFormatter", "XWiki", "StackOverflow", "Default",
]
TransitionType = Literal[
    "None", "Fade", "Distance", "Slidedown", "Slideright", "Slideleft", "Slideup", "Smoothleft", "Smoothright",
    "Smoothup", "Smoothdown", "Rectcrop", "Circlecrop", "Circleclose", "Circleopen", "Horzclose", "Horzopen",
    "Vertclose", "Vertopen", "Diagbl", "Diagbr", "Diagtl", "Diagtr", "Hlslice", "Hrslice", "Vuslice", "Vdslice",
    "Dissolve", "Pixelize", "Radial",
]
PixelFormat = Literal[
    "Format1bppIndexed", "Format4bppIndexed", "Format8bppIndexed", "Format24bppRgb", "Format32bppArgb",
]
BwConversionMode = Literal[
    "Default", "Dithering", "DitheringFloydSteinberg", "Auto", "AutoOtsu", "Threshold25", "Threshold50",
    "Threshold75",
]
# fmt: on


class FontFallbackRule(TypedDict, total=False):
    """Fonts for a range of characters."""

    rangeStartIndex: int
    rangeEndIndex: int
    fallbackFontList: Sequence[str]


class FontSubstRule(TypedDict, total=False):
    """A font in the place of another."""

    sourceFont: str
    targetFont: str
    notFoundOnly: bool


class NotesCommentsLayoutingOptions(TypedDict, total=False):
    """Slides with their notes and comments; ``layoutType`` tells it from the other layout."""

    layoutType: Literal["NotesComments"]
    notesPosition: Literal["None", "BottomFull", "BottomTruncated"]
    commentsPosition: Literal["None", "Bottom", "Right"]
    commentsAreaWidth: int
    commentsAreaColor: str
    showCommentsByNoAuthor: bool


class HandoutLayoutingOptions(TypedDict, total=False):
    """Several slides on a page; ``layoutType`` tells it from the other layout."""

    layoutType: Literal["Handout"]
    handout: Handout
    printSlideNumbers: bool
    printComments: bool
    printFrameSlide: bool


class AccessPermissions(TypedDict, total=False):
    """What a reader may do with a PDF."""

    printDocument: bool
    modifyContent: bool
    copyTextAndGraphics: bool
    addOrModifyFields: bool
    fillExistingFields: bool
    extractTextAndGraphics: bool
    assembleDocument: bool
    highQualityPrint: bool
