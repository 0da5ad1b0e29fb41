"""
How GroupDocs.Conversion Cloud writes a result, by the result's family.

Facts: the models of the vendor's SDK (Python 26.8), whose names and types a test compares with these. Families that
are not here take :class:`ConvertOptions` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

# One value a line would hide the options.
# fmt: off
_PageSize = Literal[
    "Default", "A3", "Statement", "Quarto", "Paper11x17", "Paper10x14", "Letter", "Legal", "Ledger", "Folio",
    "Executive", "EnvelopeDL", "Custom", "B5", "B4", "A5", "A4", "Tabloid",
]
_PdfFormat = Literal[
    "Default", "PdfA_1A", "PdfA_1B", "PdfA_2A", "PdfA_3A", "PdfA_2B", "PdfA_2U", "PdfA_3B", "PdfA_3U", "v1_3",
    "v1_4", "v1_5", "v1_6", "v1_7", "PdfX_1A", "PdfX3",
]
_PageLayout = Literal[
    "Default", "SinglePage", "OneColumn", "TwoColumnLeft", "TwoColumnRight", "TwoPageLeft", "TwoPageRight",
]
# fmt: on


class WatermarkOptions(TypedDict, total=False):
    """A watermark on every page: a text, or an image in base64."""

    Text: str
    FontName: str
    FontSize: int
    Bold: bool
    Italic: bool
    Color: str
    Width: int
    Height: int
    Top: int
    Left: int
    RotationAngle: int
    Transparency: float
    Background: bool
    Image: str
    AutoAlign: bool


class JpgConvertOptions(TypedDict, total=False):
    """``JpegOptions`` of images; the quality in percent."""

    Quality: int


class PsdConvertOptions(TypedDict, total=False):
    """``PsdOptions`` of images."""

    ChannelBitsCount: int
    ChannelsCount: int
    ColorMode: Literal["Bitmap", "Grayscale", "Indexed", "Rgb", "Cmyk", "Multichannel", "Duotone", "Lab"]
    CompressionMethod: Literal["Raw", "Rle", "ZipWithoutPrediction", "ZipWithPrediction"]
    Version: int


class TiffConvertOptions(TypedDict, total=False):
    """``TiffOptions`` of images."""

    Compression: Literal["Lzw", "None", "Ccitt3", "Ccitt4", "Rle"]


class WebpConvertOptions(TypedDict, total=False):
    """``WebpOptions`` of images."""

    Lossless: bool


class RtfConvertOptions(TypedDict, total=False):
    """``RtfOptions`` of text documents."""

    ExportImagesForOldReaders: bool


class ConvertOptions(TypedDict, total=False):
    """What every target takes: which pages, from 1, and a watermark."""

    FromPage: int
    PagesCount: int
    Pages: Sequence[int]
    WatermarkOptions: WatermarkOptions


class CadConvertOptions(ConvertOptions, total=False):
    """To drawings."""

    Width: int
    Height: int
    PageSize: _PageSize


class CompressionConvertOptions(ConvertOptions, total=False):
    """To archives."""

    Password: str


class DiagramConvertOptions(ConvertOptions, total=False):
    """To diagrams."""

    AutoFitPageToDrawingContent: bool


class EBookConvertOptions(ConvertOptions, total=False):
    """To e-books: epub, mobi, azw3."""

    PageSize: _PageSize
    PageOrientation: Literal["Default", "Landscape", "Portrait"]


class ImageConvertOptions(ConvertOptions, total=False):
    """To images; sizes in pixels, resolutions in dots per inch."""

    Width: int
    Height: int
    HorizontalResolution: int
    VerticalResolution: int
    Grayscale: bool
    RotateAngle: int
    UsePdf: bool
    Brightness: int
    Contrast: int
    Gamma: float
    FlipMode: Literal["None", "FlipX", "FlipY", "FlipXY"]
    BackgroundColor: str
    JpegOptions: JpgConvertOptions
    PsdOptions: PsdConvertOptions
    TiffOptions: TiffConvertOptions
    WebpOptions: WebpConvertOptions


class PDLConvertOptions(ConvertOptions, total=False):
    """To ps, pcl and svg; sizes in pixels."""

    Width: int
    Height: int


class PdfConvertOptions(ConvertOptions, total=False):
    """To pdf; ``Password`` protects the result."""

    Width: int
    Height: int
    Dpi: int
    Password: str
    MarginTop: int
    MarginBottom: int
    MarginLeft: int
    MarginRight: int
    PdfFormat: _PdfFormat
    RemovePdfaCompliance: bool
    Zoom: int
    Linearize: bool
    LinkDuplicateStreams: bool
    RemoveUnusedObjects: bool
    RemoveUnusedStreams: bool
    CompressImages: bool
    ImageQuality: int
    UnembedFonts: bool
    Grayscale: bool
    CenterWindow: bool
    Direction: Literal["L2R", "R2L"]
    DisplayDocTitle: bool
    FitWindow: bool
    HideMenuBar: bool
    HideToolBar: bool
    HideWindowUI: bool
    NonFullScreenPageMode: Literal["UseNone", "UseOutlines", "UseThumbs", "FullScreen", "UseOC", "UseAttachments"]
    PageLayout: _PageLayout
    PageMode: Literal["UseNone", "UseOutlines", "UseThumbs", "FullScreen", "UseOC", "UseAttachments"]
    Rotate: Literal["None", "On90", "On180", "On270"]
    PageSize: _PageSize
    PageOrientation: Literal["Default", "Landscape", "Portrait"]


class PresentationConvertOptions(ConvertOptions, total=False):
    """To presentations; ``Password`` protects the result."""

    Password: str
    Zoom: int


class SpreadsheetConvertOptions(ConvertOptions, total=False):
    """To spreadsheets; ``Password`` protects the result."""

    Password: str
    Zoom: int


class WebConvertOptions(ConvertOptions, total=False):
    """To html and mht."""

    UsePdf: bool
    FixedLayout: bool
    FixedLayoutShowBorders: bool
    Zoom: int


class WordProcessingConvertOptions(ConvertOptions, total=False):
    """To text documents; ``Password`` protects the result."""

    Width: int
    Height: int
    Dpi: int
    Password: str
    Zoom: int
    PdfRecognitionMode: Literal["Textbox", "Flow"]
    PageSize: _PageSize
    PageOrientation: Literal["Default", "Landscape", "Portrait"]
    RtfOptions: RtfConvertOptions
