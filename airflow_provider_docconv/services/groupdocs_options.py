"""
The options of GroupDocs.Conversion Cloud's asynchronous calls, by the vendor's names.

Facts: the vendor's SDK (Python 26.8), model ``ConvertSettings``. A path in a storage has no leading slash.
"""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_docconv.services import groupdocs_convert_options as convert
from airflow_provider_docconv.services import groupdocs_load_options as load

AnyLoadOptions = (
    load.WordProcessingLoadOptions
    | load.SpreadsheetLoadOptions
    | load.PresentationLoadOptions
    | load.PdfLoadOptions
    | load.CadLoadOptions
    | load.CompressionLoadOptions
    | load.CsvLoadOptions
    | load.DiagramLoadOptions
    | load.EmailLoadOptions
    | load.GisLoadOptions
    | load.ImageLoadOptions
    | load.NoteLoadOptions
    | load.OlmLoadOptions
    | load.PersonalStorageLoadOptions
    | load.TxtLoadOptions
    | load.VcfLoadOptions
    | load.WebLoadOptions
    | load.XmlLoadOptions
    | load.LoadOptions
)
AnyConvertOptions = (
    convert.PdfConvertOptions
    | convert.ImageConvertOptions
    | convert.WordProcessingConvertOptions
    | convert.SpreadsheetConvertOptions
    | convert.PresentationConvertOptions
    | convert.CadConvertOptions
    | convert.CompressionConvertOptions
    | convert.DiagramConvertOptions
    | convert.EBookConvertOptions
    | convert.PDLConvertOptions
    | convert.WebConvertOptions
    | convert.ConvertOptions
)


class GroupDocsOptions(TypedDict, total=False):
    """
    Options of a conversion.

    ``fromPage`` (from 1) and ``pagesCount`` choose pages. ``password`` opens the document. ``loadOptions`` and
    ``convertOptions``: the vendor's, by the family of the document and of the result. ``fontsPath``: a folder with
    fonts in the storage. ``outputPath``: a folder or a file in the storage for the result. ``storageName``: the storage
    of all of these, and of a stored document.
    """

    fromPage: int
    pagesCount: int
    password: str
    loadOptions: AnyLoadOptions
    convertOptions: AnyConvertOptions
    fontsPath: str
    outputPath: str
    storageName: str
