"""The options of GroupDocs.Conversion Cloud, by the vendor's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

# One value per line would hide the options.
# fmt: off
_Field = Literal[
    "Start", "TabField", "Subject", "ShowTimeAs", "Sent", "RequiredAttendees", "RecurrencePattern", "Recurrence",
    "PageHeader", "Organizer", "Location", "Importance", "From", "End", "Bcc", "Attachments", "To",
]
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


class FieldLabel(TypedDict, total=False):
    """A different label for a field of an e-mail."""

    Field: _Field
    Label: str


class LoadOptions(TypedDict, total=False):
    """Options of every source: its format, if the file name does not show it."""

    Format: str


class CadLoadOptions(LoadOptions, total=False):
    """For drawings: dwg, dxf, dgn …"""

    LayoutNames: Sequence[str]
    DrawType: Literal["UseDrawColor", "UseObjectColor"]
    DrawColor: str
    BackgroundColor: str


class CompressionLoadOptions(LoadOptions, total=False):
    """For archives: zip, rar, 7z …"""

    Password: str


class DiagramLoadOptions(LoadOptions, total=False):
    """For diagrams: vsdx, vsd …"""

    DefaultFont: str


class EmailLoadOptions(LoadOptions, total=False):
    """For e-mails: msg, eml …"""

    PreserveOriginalDate: bool
    FieldLabels: Sequence[FieldLabel]
    TimeZoneOffset: str
    DisplaySent: bool
    DisplaySubject: bool
    DisplayAttachments: bool
    DisplayEmailAddresses: bool
    DisplayBccEmailAddress: bool
    DisplayCcEmailAddress: bool
    DisplayToEmailAddress: bool
    DisplayFromEmailAddress: bool
    DisplayHeader: bool
    DefaultFont: str
    FontSubstitutes: Mapping[str, str]


class GisLoadOptions(LoadOptions, total=False):
    """For maps: shp, geojson …; the size in pixels."""

    Width: int
    Height: int


class ImageLoadOptions(LoadOptions, total=False):
    """For images."""

    DefaultFont: str


class NoteLoadOptions(LoadOptions, total=False):
    """For OneNote."""

    DefaultFont: str
    FontSubstitutes: Mapping[str, str]
    Password: str


class OlmLoadOptions(LoadOptions, total=False):
    """For olm."""

    Folder: str


class PdfLoadOptions(LoadOptions, total=False):
    """For pdf."""

    ClearBuiltInDocumentProperties: bool
    ClearCustomDocumentProperties: bool
    PageNumbering: bool
    FlattenAllFields: bool
    HidePdfAnnotations: bool
    DefaultFont: str
    Password: str
    RemoveJavascript: bool
    RemoveEmbeddedFiles: bool
    FontSubstitutes: Mapping[str, str]


class PersonalStorageLoadOptions(LoadOptions, total=False):
    """For pst and ost."""

    Folder: str
    Depth: int


class PresentationLoadOptions(LoadOptions, total=False):
    """For presentations."""

    PreserveDocumentStructure: bool
    ClearCustomDocumentProperties: bool
    ClearBuiltInDocumentProperties: bool
    Depth: int
    ConvertOwned: bool
    ConvertOwner: bool
    ShowHiddenSlides: bool
    DefaultFont: str
    FontSubstitutes: Mapping[str, str]
    Password: str
    CommentsPosition: Literal["None", "Bottom", "Right"]
    NotesPosition: Literal["None", "BottomTruncated", "BottomFull"]


class SpreadsheetLoadOptions(LoadOptions, total=False):
    """For spreadsheets."""

    ClearCustomDocumentProperties: bool
    ClearBuiltInDocumentProperties: bool
    RowsPerPage: int
    ColumnsPerPage: int
    AutoFitRows: bool
    AllColumnsInOnePagePerSheet: bool
    CultureInfo: str
    CheckExcelRestriction: bool
    Password: str
    SkipEmptyRowsAndColumns: bool
    ConvertRange: str
    OptimizePdfSize: bool
    OnePagePerSheet: bool
    ShowHiddenSheets: bool
    ShowGridLines: bool
    FontSubstitutes: Mapping[str, str]
    DefaultFont: str
    SheetIndexes: Sequence[int]
    Sheets: Sequence[str]
    PrintComments: Literal["PrintInPlace", "PrintNoComments", "PrintSheetEnd", "PrintWithThreadedComments"]
    ResetFontFolders: bool


class TxtLoadOptions(LoadOptions, total=False):
    """For txt."""

    DetectNumberingWithWhitespaces: bool
    TrailingSpacesOptions: Literal["Preserve", "Trim"]
    LeadingSpacesOptions: Literal["ConvertToIndent", "Preserve", "Trim"]
    Encoding: str


class VcfLoadOptions(LoadOptions, total=False):
    """For vcf."""

    Encoding: str


class WebLoadOptions(LoadOptions, total=False):
    """For html and mht."""

    PageNumbering: bool
    BasePath: str
    Encoding: str
    SkipExternalResources: bool
    UsePdf: bool
    RenderingMode: Literal["Flow", "AbsolutePositioning"]
    Zoom: int
    PageLayout: Literal["None", "ScaleToPageWidth", "ScaleToPageHeight"]
    CustomCssStyle: str


class WordProcessingLoadOptions(LoadOptions, total=False):
    """For text documents."""

    DefaultFont: str
    FontSubstitutes: Mapping[str, str]
    Password: str
    HideWordTrackedChanges: bool
    BookmarksOutlineLevel: int
    HeadingsOutlineLevels: int
    ExpandedOutlineLevels: int
    ClearCustomDocumentProperties: bool
    ClearBuiltInDocumentProperties: bool
    Depth: int
    ConvertOwned: bool
    ConvertOwner: bool
    AutoHyphenation: bool
    HyphenateCaps: bool
    PageNumbering: bool
    PreserveDocumentStructure: bool
    SkipExternalResources: bool
    UseTextShaper: bool
    PreserveFormFields: bool
    CommentDisplayMode: Literal["Hidden", "Balloon", "Annotation"]
    KeepDateFieldOriginalValue: bool
    UpdateFields: bool
    UpdatePageLayout: bool
    EmbedTrueTypeFonts: bool
    FontInfoSubstitutionEnabled: bool
    FontConfigSubstitutionEnabled: bool
    FontNameSubstitutionEnabled: bool
    ShowFullCommenterName: bool


class XmlLoadOptions(LoadOptions, total=False):
    """For xml."""

    XslFo: str


class CsvLoadOptions(SpreadsheetLoadOptions, total=False):
    """For csv."""

    Separator: str
    IsMultiEncoded: bool
    HasFormula: bool
    ConvertNumericData: bool
    ConvertDateTimeData: bool
    Encoding: str


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
    """Options of every target: which pages, from 1, and a watermark."""

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


AnyLoadOptions = (
    WordProcessingLoadOptions
    | SpreadsheetLoadOptions
    | PresentationLoadOptions
    | PdfLoadOptions
    | CadLoadOptions
    | CompressionLoadOptions
    | CsvLoadOptions
    | DiagramLoadOptions
    | EmailLoadOptions
    | GisLoadOptions
    | ImageLoadOptions
    | NoteLoadOptions
    | OlmLoadOptions
    | PersonalStorageLoadOptions
    | TxtLoadOptions
    | VcfLoadOptions
    | WebLoadOptions
    | XmlLoadOptions
    | LoadOptions
)
AnyConvertOptions = (
    PdfConvertOptions
    | ImageConvertOptions
    | WordProcessingConvertOptions
    | SpreadsheetConvertOptions
    | PresentationConvertOptions
    | CadConvertOptions
    | CompressionConvertOptions
    | DiagramConvertOptions
    | EBookConvertOptions
    | PDLConvertOptions
    | WebConvertOptions
    | ConvertOptions
)


class GroupDocsOptions(TypedDict, total=False):
    """
    Options of a conversion.

    ``fromPage`` (from 1) and ``pagesCount`` select pages. ``password`` opens the document. ``loadOptions`` and
    ``convertOptions``: the vendor's, by the family of the document and of the result. ``fontsPath``: a folder with
    fonts in the vendor's storage. ``outputPath``: a folder or file there for the result. ``storageName``: the storage
    of all these, and of a remote document.
    """

    fromPage: int
    pagesCount: int
    password: str
    loadOptions: AnyLoadOptions
    convertOptions: AnyConvertOptions
    fontsPath: str
    outputPath: str
    storageName: str
