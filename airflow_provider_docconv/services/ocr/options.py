"""
The settings of Aspose.OCR Cloud's DjVu to PDF, by the vendor's names.

Facts: the vendor's OpenAPI file (5.0) and SDK (Python 24.11), model ``OCRSettingsDjVu2PDF``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class OcrRect(TypedDict, total=False):
    """A rectangle in pixels of the page's image."""

    topLeftX: int
    topLeftY: int
    bottomRightX: int
    bottomRightY: int


class OcrRegion(TypedDict, total=False):
    """A region to recognise, and its position in the text."""

    rect: OcrRect
    order: int


class OcrSettings(TypedDict, total=False):
    """
    Settings of a recognition.

    ``language``: the vendor's English name of a language, such as ``"German"``; the vendor's documentation lists them.
    ``Rotate``: degrees. ``resultType``: follows from the target format. The types that return several results at once
    are left out, because a download fetches one.
    """

    language: str
    Rotate: int
    makeSkewCorrect: bool
    makeSpellCheck: bool
    makeContrastCorrection: bool
    makeBinarization: bool
    makeUpsampling: bool
    dsrMode: Literal[
        "Regions",
        "DsrNoFilter",
        "DsrAndFilter",
        "NoDsrNoFilter",
        "TextDetector",
        "DsrPlusDetector",
        "PolygonalTextDetector",
        "LineDetector",
    ]
    dsrConfidence: Literal["Default", "Low", "LowMid", "Mid", "MidHigh", "High", "Ultra", "All"]
    resultType: Literal["Text", "Pdf", "Hocr", "ImagePNG", "JSON"]
    resultTypeTable: Literal["Text", "Excel", "Csv", "CsvAndExcel"]
    regions: Sequence[OcrRegion]


#: The result type for each target format.
RESULT_TYPES = {"pdf": "Pdf", "txt": "Text", "hocr": "Hocr", "png": "ImagePNG", "json": "JSON"}
