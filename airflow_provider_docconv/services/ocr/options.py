"""
The settings of Aspose.OCR Cloud, by the vendor's names.

Facts: the vendor's OpenAPI file (5.0) and SDK (Python 24.11), models ``OCRSettings…``, which have the same fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

#: The languages, as the vendor names them (SDK 24.11, model ``Language``), with its spelling.
Language: TypeAlias = Literal[
    "English",
    "German",
    "French",
    "Italian",
    "Spanish",
    "Portuguese",
    "Polish",
    "Slovene",
    "Slovak",
    "Netherlands",
    "Lithuanian",
    "Latvian",
    "Danish",
    "Norwegian",
    "Finnish",
    "Serbian",
    "Croatian",
    "Czech",
    "Swedish",
    "Estonian",
    "Romanian",
    "Chinese",
    "Russian",
    "Arabic",
    "Hindi",
    "Ukrainan",
    "Bengali",
    "Tibetan",
    "Thai",
    "Urdu",
    "Turkish",
    "Korean",
    "Indonesian",
    "Hebrew",
    "Javanese",
    "Greek",
    "Japanese",
    "Persian",
    "Albanian",
    "Latin",
    "Vietnamese",
    "Uzbek",
    "Georgian",
    "Bulgarian",
    "Azerbaijani",
    "Kazah",
    "Macedonian",
    "Belorussian",
    "Malay",
    "Hausa",
    "Sundanese",
    "Swahili",
    "Tagalog",
    "Yoruba",
    "Oromo",
    "Cebuano",
    "Dutch",
    "Kurdish",
    "Serbo_Croatian",
    "Malagasy",
    "Zhuang",
    "Turkmen",
    "Somali",
    "Hungarian",
    "Chichewa",
    "Rwanda",
    "Min_Bei",
    "Zulu",
    "Ilocano",
    "Min_Dong",
    "Quechua",
    "Hiligaynon",
    "Hmong",
    "Shona",
    "Xhosa",
    "Betawi",
    "Catalan",
    "Afrikaans",
    "Minangkabau",
    "Sotho_Southern",
    "Bikol",
    "Makua",
    "Kanuri",
    "Tswana",
    "Kikongo",
    "Luo",
    "Sukuma",
    "Tsonga",
    "Bosnian",
    "Bemba",
    "Nandi",
    "Palembang",
    "Umbundu",
    "Sotho_Northern",
    "Waray_Waray",
    "Lamani",
    "Low_German",
    "Gilaki",
    "Musi",
    "HWT_ENG",
    "Pu_Xian",
    "Kapampangan",
    "Bouyei",
    "Galician",
    "Ndebele",
    "Yao",
    "Sasak",
    "Swati",
    "Gusii",
    "Meru",
    "Wolaytta",
    "Dong",
    "Pangasinan",
    "Dimli",
    "Makassar",
    "Tumbuka",
    "Serer_Sine",
    "Occitan",
    "Tonga",
    "Muong",
    "Kiche",
    "Luguru",
    "Wu",
    "Cantonese",
    "Min_Nan",
    "Xiang",
    "Hakka",
    "Gan",
    "Chechen",
    "Kabardian",
    "Marathi",
    "Bhojpuri",
    "Maithili",
    "Awadhi",
    "Nepali",
    "Marwari",
    "Magahi",
    "Haryanvi",
    "Chattisgarhi",
    "Dhundari",
    "Konkani",
    "Kanauji",
    "Mewati",
    "Rajbanshi",
    "Garhwali",
    "Kumauni",
    "Wagdi",
    "Malvi",
    "Mewari",
    "Uyghur",
    "Telugu",
    "Kannada",
    "Tamil",
    "Devanagari",
]


#: The vendor's calls that take one document. Those from ``BinarizeImage`` on return a better picture of it.
Method: TypeAlias = Literal[
    "DjVu2PDF",
    "RecognizePdf",
    "RecognizeImage",
    "RecognizeTable",
    "RecognizeReceipt",
    "RecognizeLabel",
    "RecognizeRegions",
    "RecognizeAndParseInvoice",
    "DetectRegions",
    "IdentifyFont",
    "BinarizeImage",
    "DeskewImage",
    "DewarpImage",
    "UpscaleImage",
]


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

    ``method``: the vendor's call. By default it follows from the document: ``DjVu2PDF``, ``RecognizePdf`` or, for a
    picture, ``RecognizeImage``. ``language``: the vendor's English name of a language, such as ``"German"``.
    ``Rotate``: degrees. ``resultType``: follows from the target format. The types that return several results at once
    are left out, because a download fetches one.
    """

    method: Method
    language: Language
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
#: The same for tables, which the setting ``resultTypeTable`` says.
TABLE_TYPES = {"txt": "Text", "csv": "Csv", "xlsx": "Excel"}
#: The calls that make a picture better, and have no settings.
PICTURE_METHODS = frozenset({"BinarizeImage", "DeskewImage", "DewarpImage", "UpscaleImage"})
