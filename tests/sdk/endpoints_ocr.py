"""Aspose.OCR Cloud: each endpoint, called by its SDK and by this package."""

from __future__ import annotations

import base64
import importlib
from pathlib import Path
from typing import Any

import aspose_ocr_cloud
from aspose_ocr_cloud import models
from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api.utilities_api import UtilitiesApi
from aspose_ocr_cloud.configuration import Configuration as OcrConfiguration
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

from tests.sdk.endpoint_calls import ID, SCAN, Call, Cases, document, fetch_result, run

OCR_SETTINGS = {
    "language": "German",
    "Rotate": 90,
    "makeSkewCorrect": False,
    "makeSpellCheck": True,
    "makeContrastCorrection": True,
    "makeBinarization": False,
    "makeUpsampling": True,
    "dsrMode": "TextDetector",
    "dsrConfidence": "High",
    "resultType": "Hocr",
    "resultTypeTable": "Csv",
    "regions": [{"rect": {"topLeftX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomRightY": 4}, "order": 1}],
}


PICTURE = b"\x89PNG picture"


def ocr_body() -> OCRDjVu2PDFBody:
    return OCRDjVu2PDFBody(image=base64.b64encode(SCAN).decode(), settings=OCRSettingsDjVu2PDF.from_dict(OCR_SETTINGS))


# Each call of the vendor's SDK: its module and class, its name, the class of its body and of its settings.
CALLS = {
    "RecognizePdf": ("recognize_pdf", "OCRRecognizePdfBody", "OCRSettingsRecognizePdf"),
    "RecognizeImage": ("recognize_image", "OCRRecognizeImageBody", "OCRSettingsRecognizeImage"),
    "RecognizeTable": ("recognize_table", "OCRRecognizeTableBody", "OCRSettingsRecognizeTable"),
    "RecognizeReceipt": ("recognize_receipt", "OCRRecognizeReceiptBody", "OCRSettingsRecognizeReceipt"),
    "RecognizeLabel": ("recognize_label", "OCRRecognizeLabelBody", "OCRSettingsRecognizeLabel"),
    "RecognizeRegions": ("recognize_regions", "OCRRecognizeRegionsBody", "OCRSettingsRecognizeRegions"),
    "RecognizeAndParseInvoice": (
        "recognize_and_parse_invoice",
        "OCRRecognizeAndParseInvoiceBody",
        "OCRSettingsRecognizeAndParseInvoice",
    ),
    "DetectRegions": ("detect_regions", "OCRDetectRegionsBody", "OCRSettingsDetectRegions"),
    "IdentifyFont": ("identify_font", "OCRRecognizeFontBody", "OCRSettingsRecognizeFont"),
    "BinarizeImage": ("binarize_image", "OCRBinarizeImageBody", None),
    "DeskewImage": ("deskew_image", "OCRDeskewImageBody", None),
    "DewarpImage": ("dewarp_image", "OCRDewarpImageBody", None),
    "UpscaleImage": ("upscale_image", "OCRUpscaleImageBody", None),
}


def sdk(api: Any, method: str) -> Any:
    name = CALLS[method][0]
    return getattr(importlib.import_module(f"aspose_ocr_cloud.api.{name}_api"), f"{method}Api")(api)


def post(method: str) -> Call:
    """Make what starts a call with the SDK."""
    name, body_name, settings_name = CALLS[method]
    given = {"settings": getattr(models, settings_name).from_dict(settings_of(method))} if settings_name else {}
    body = getattr(models, body_name)(image=base64.b64encode(PICTURE).decode(), **given)
    return lambda api: getattr(sdk(api, method), f"post_{name}")(body)


def settings_of(method: str) -> dict[str, Any]:
    return OCR_SETTINGS | ({"resultTypeTable": "Csv", "resultType": "Text"} if method == "RecognizeTable" else {})


def start(method: str) -> Call:
    """Make what starts it with this package."""
    target = {"RecognizeTable": "csv"}.get(method, "hocr" if CALLS[method][2] else "png")
    settings = settings_of(method) if CALLS[method][2] else {}
    return run("start", document(PICTURE, "scan.png"), target, {"method": method, **settings})


def cases(method: str) -> Cases:
    name = CALLS[method][0]
    own = f"{ID}.{method}"
    return {
        f"POST /v5.0/ocr/{method}": [(post(method), start(method))],
        f"GET /v5.0/ocr/{method}": [
            (lambda api: getattr(sdk(api, method), f"get_{name}")(ID), lambda client: fetch_result(client, own))
        ],
        f"DELETE /v5.0/ocr/{method}": [
            (lambda api: getattr(sdk(api, method), f"cancel_{name}")(ID), run("cancel", own))
        ],
    }


OCR: Cases = {
    "POST /v5.0/ocr/DjVu2PDF": [
        (
            lambda api: DjVu2PDFApi(api).post_dj_vu2_pdf(ocr_body()),
            run("start", document(SCAN, "scan.djvu"), "hocr", OCR_SETTINGS),
        )
    ],
    "GET /v5.0/ocr/DjVu2PDF": [(lambda api: DjVu2PDFApi(api).get_dj_vu2_pdf(ID), fetch_result)],
    "GET /v5.0/ocr/Utilities/GetTaskStatus": [(lambda api: UtilitiesApi(api).get_task_status(ID), run("status", ID))],
    "DELETE /v5.0/ocr/DjVu2PDF": [(lambda api: DjVu2PDFApi(api).cancel_dj_vu2_pdf(ID), run("cancel", ID))],
    **{endpoint: found for method in CALLS for endpoint, found in cases(method).items()},
}


def ocr_api(url: str, folder: Path) -> Any:
    return aspose_ocr_cloud.ApiClient(OcrConfiguration(host=url, access_token="token"))
