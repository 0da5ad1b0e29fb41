"""
How GroupDocs.Conversion Cloud reads a document, by the document's family.

Facts: the models of the vendor's SDK (Python 26.8), whose names and types a test compares with these. Families that
are not here take :class:`LoadOptions` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

# One value a line would hide the options.
# fmt: off
_Field = Literal[
    "Start", "TabField", "Subject", "ShowTimeAs", "Sent", "RequiredAttendees", "RecurrencePattern", "Recurrence",
    "PageHeader", "Organizer", "Location", "Importance", "From", "End", "Bcc", "Attachments", "To",
]
# fmt: on


class FieldLabel(TypedDict, total=False):
    """Another label for a field of an e-mail."""

    Field: _Field
    Label: str


class LoadOptions(TypedDict, total=False):
    """What every source takes: its format, if the file name does not tell."""

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
