"""
The options of Aspose.Slides Cloud's asynchronous calls, by the vendor's parameter names.

Facts: the signatures of the vendor's SDK (Python 26.6). A path in a storage has no leading slash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from airflow_provider_docconv.services.slides_export_options import (
    ExportOptions,
    GifExportOptions,
    Html5ExportOptions,
    HtmlExportOptions,
    ImageExportOptions,
    MarkdownExportOptions,
    PdfExportOptions,
    PptxExportOptions,
    SvgExportOptions,
    SwfExportOptions,
    TiffExportOptions,
    VideoExportOptions,
    XamlExportOptions,
    XpsExportOptions,
)

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
    fonts in the storage. ``storage``: the one of the fonts, of a stored document and of ``outPath``. ``outPath``: where
    the result is saved in the storage, instead of being kept for a download; formats with a file per slide get
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

    ``storage``: the one of stored documents and of ``outPath``. ``outPath``: where the result is saved there.
    """

    storage: str
    outPath: str


# "from" is a keyword, so this one can't be written as a class.
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

``from`` and ``to``: the first and the last slide, from 1. ``width`` and ``height`` of images in pixels. ``destFolder``:
the folder of the storage in which the files are saved. The others as in :class:`SlidesOptions`.
"""

#: The vendor's class of export options for each target format that has one of its own. Its name goes over the wire.
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
