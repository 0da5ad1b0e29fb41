"""The options of Aspose.Slides Cloud, by the vendor's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

# One value per line would hide the options.
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
    """A font that replaces another."""

    sourceFont: str
    targetFont: str
    notFoundOnly: bool


class NotesCommentsLayoutingOptions(TypedDict, total=False):
    """Slides with their notes and comments; ``layoutType`` distinguishes it from the other layout."""

    layoutType: Literal["NotesComments"]
    notesPosition: Literal["None", "BottomFull", "BottomTruncated"]
    commentsPosition: Literal["None", "Bottom", "Right"]
    commentsAreaWidth: int
    commentsAreaColor: str
    showCommentsByNoAuthor: bool


class HandoutLayoutingOptions(TypedDict, total=False):
    """Several slides on a page; ``layoutType`` distinguishes it from the other layout."""

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


class ExportOptions(TypedDict, total=False):
    """Options of every format; ``format`` names the vendor's class of options, and is set if it is missing."""

    defaultRegularFont: str
    deleteEmbeddedBinaryObjects: bool
    gradientStyle: Literal["Default", "PowerPointUI"]
    fontFallbackRules: Sequence[FontFallbackRule]
    fontSubstRules: Sequence[FontSubstRule]
    skipJavaScriptLinks: bool
    format: str


class PdfExportOptions(ExportOptions, total=False):
    """For pdf."""

    textCompression: Literal["None", "Flate"]
    embedFullFonts: bool
    compliance: Compliance
    sufficientResolution: float
    jpegQuality: int
    drawSlidesFrame: bool
    showHiddenSlides: bool
    saveMetafilesAsPng: bool
    password: str
    embedTrueTypeFontsForAscii: bool
    additionalCommonFontFamilies: Sequence[str]
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions
    imageTransparentColor: str
    applyImageTransparent: bool
    accessPermissions: AccessPermissions
    hideInk: bool
    interpretMaskOpAsOpacity: bool
    rasterizeUnsupportedFontStyles: bool
    includeOleData: bool


class XpsExportOptions(ExportOptions, total=False):
    """For xps."""

    showHiddenSlides: bool
    saveMetafilesAsPng: bool
    drawSlidesFrame: bool


class PptxExportOptions(ExportOptions, total=False):
    """For pptx, pptm, ppsx, ppsm, potx and potm."""

    conformance: Literal["Ecma376", "Iso29500Transitional", "Iso29500Strict"]
    zip64Mode: Literal["Never", "IfNecessary", "Always"]
    compressionLevel: CompressionLevel
    refreshThumbnail: bool


class HtmlExportOptions(ExportOptions, total=False):
    """For html."""

    saveAsZip: bool
    subDirectoryName: str
    showHiddenSlides: bool
    svgResponsiveLayout: bool
    jpegQuality: int
    picturesCompression: Literal["Dpi330", "Dpi220", "Dpi150", "Dpi96", "Dpi72", "DocumentResolution"]
    deletePicturesCroppedAreas: bool
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions
    disableFontLigatures: bool


class Html5ExportOptions(ExportOptions, total=False):
    """For html5."""

    animateTransitions: bool
    animateShapes: bool
    embedImages: bool
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions
    templatesPath: str
    disableFontLigatures: bool


class MarkdownExportOptions(ExportOptions, total=False):
    """For md."""

    exportType: Literal["Sequential", "TextOnly", "Visual"]
    flavor: Flavor
    newLineType: Literal["Windows", "Unix", "Mac"]
    imagesSaveFolderName: str
    showSlideNumber: bool
    showComments: bool
    showHiddenSlides: bool
    removeEmptyLines: bool
    handleRepeatedSpaces: Literal["None", "AlternateSpacesToNbsp", "MultipleSpacesToNbsp"]
    slideNumberFormat: str


class XamlExportOptions(ExportOptions, total=False):
    """For xaml."""

    exportHiddenSlides: bool


class SwfExportOptions(ExportOptions, total=False):
    """For swf."""

    showHiddenSlides: bool
    compressed: bool
    viewerIncluded: bool
    showPageBorder: bool
    showFullScreen: bool
    showPageStepper: bool
    showSearch: bool
    showTopPane: bool
    showBottomPane: bool
    showLeftPane: bool
    startOpenLeftPane: bool
    enableContextMenu: bool
    logoImage: str
    logoLink: str
    jpegQuality: int
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions


class SvgExportOptions(ExportOptions, total=False):
    """For svg."""

    vectorizeText: bool
    metafileRasterizationDpi: int
    disable3DText: bool
    disableGradientSplit: bool
    disableLineEndCropping: bool
    jpegQuality: int
    picturesCompression: Literal["Dpi330", "Dpi220", "Dpi150", "Dpi96", "Dpi72", "DocumentResolution"]
    deletePicturesCroppedAreas: bool
    externalFontsHandling: Literal["AddLinksToFontFiles", "Embed", "Vectorize"]
    useFrameSize: bool
    useFrameRotation: bool
    disableFontLigatures: bool


class VideoExportOptions(ExportOptions, total=False):
    """For mpeg4."""

    slidesTransitionDuration: int
    transitionType: TransitionType
    transitionDuration: int
    videoResolutionType: Literal["FullHD", "SD", "HD", "QHD"]


class ImageExportOptionsBase(ExportOptions, total=False):
    """Options of every image format, in pixels."""

    height: int
    width: int


class ImageExportOptions(ImageExportOptionsBase, total=False):
    """For png, jpeg and bmp."""

    showHiddenSlides: bool
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions


class GifExportOptions(ImageExportOptionsBase, total=False):
    """For gif."""

    exportHiddenSlides: bool
    transitionFps: int
    defaultDelay: int


class TiffExportOptions(ImageExportOptionsBase, total=False):
    """For tiff."""

    compression: Literal["Default", "None", "CCITT3", "CCITT4", "LZW", "RLE"]
    dpiX: int
    dpiY: int
    showHiddenSlides: bool
    pixelFormat: PixelFormat
    slidesLayoutOptions: NotesCommentsLayoutingOptions | HandoutLayoutingOptions
    bwConversionMode: BwConversionMode


AnyExportOptions = (
    PdfExportOptions
    | XpsExportOptions
    | PptxExportOptions
    | HtmlExportOptions
    | Html5ExportOptions
    | MarkdownExportOptions
    | XamlExportOptions
    | SwfExportOptions
    | SvgExportOptions
    | VideoExportOptions
    | ImageExportOptions
    | GifExportOptions
    | TiffExportOptions
    | ExportOptions
)


class SlidesOptions(TypedDict, total=False):
    """
    Options of a conversion.

    ``slides``: numbers from 1, as a list or ``"1,3"``. ``password`` opens the document. ``fontsFolder``: a folder with
    fonts in the vendor's storage. ``storage``: the storage of the fonts, of a remote document and of ``outPath``.
    ``outPath``: saves the result there, instead of keeping it for a download; formats with one file per slide get
    ``.zip`` appended. ``exportOptions``: the vendor's, by target format.
    """

    slides: Sequence[int] | int | str
    password: str
    fontsFolder: str
    storage: str
    outPath: str
    exportOptions: AnyExportOptions


class SlidesMergeOptions(TypedDict, total=False):
    """
    Options of a merge.

    ``storage``: the storage of remote documents and of ``outPath``. ``outPath``: saves the result there.
    """

    storage: str
    outPath: str


class MergeSource(TypedDict, total=False):
    """
    A presentation to merge.

    ``source``: its address. ``slides``: the numbers of the slides to take, from 1, in this order, as a list or
    ``"1,3"``; all if it is missing. ``password`` opens the presentation.
    """

    source: str
    slides: Sequence[int] | int | str
    password: str


# Not a class, because "from" is a keyword.
SlidesSplitOptions = TypedDict(
    "SlidesSplitOptions",
    {
        "width": int,
        "height": int,
        "from": int,
        "to": int,
        "destFolder": str,
        "password": str,
        "fontsFolder": str,
        "storage": str,
        "exportOptions": AnyExportOptions,
    },
    total=False,
)
"""
Options of a split.

``from`` and ``to``: the first and the last slide, from 1. ``width`` and ``height``: of images, in pixels.
``destFolder``: a folder of the vendor's storage in which the files are saved. The others: see :class:`SlidesOptions`.
"""

#: The vendor's class of export options for each target format that has its own, and the name that is sent for it.
EXPORT_OPTIONS: dict[str, tuple[str, Any]] = {
    "pdf": ("pdf", PdfExportOptions),
    "xps": ("xps", XpsExportOptions),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"), ("pptx", PptxExportOptions)),
    "html": ("html", HtmlExportOptions),
    "html5": ("html5", Html5ExportOptions),
    "md": ("md", MarkdownExportOptions),
    "xaml": ("xaml", XamlExportOptions),
    "swf": ("swf", SwfExportOptions),
    "svg": ("svg", SvgExportOptions),
    "mpeg4": ("mpeg4", VideoExportOptions),
    **dict.fromkeys(("png", "jpeg", "bmp"), ("image", ImageExportOptions)),
    "gif": ("gif", GifExportOptions),
    "tiff": ("tiff", TiffExportOptions),
}
