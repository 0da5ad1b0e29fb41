"""
The export options of Aspose.Slides Cloud, by target format.

Facts: the models of the vendor's SDK (Python 26.6), whose names and types a test compares with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from airflow_provider_docconv.services.slides_export_parts import (
    AccessPermissions,
    BwConversionMode,
    Compliance,
    CompressionLevel,
    Flavor,
    FontFallbackRule,
    FontSubstRule,
    HandoutLayoutingOptions,
    NotesCommentsLayoutingOptions,
    PixelFormat,
    TransitionType,
)


class ExportOptions(TypedDict, total=False):
    """What every format takes; ``format`` names the vendor's class of options and is set where it is missing."""

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
    """For pptx and the formats beside it: pptm, ppsx, ppsm, potx, potm."""

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
    """What every image format takes, in pixels."""

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
