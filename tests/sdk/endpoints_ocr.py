"""Aspose.OCR Cloud: each endpoint, called by its SDK and by this package."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import aspose_ocr_cloud
from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api.utilities_api import UtilitiesApi
from aspose_ocr_cloud.configuration import Configuration as OcrConfiguration
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

from tests.sdk.endpoint_calls import ID, SCAN, Cases, document, fetch_result, run

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


def ocr_body() -> OCRDjVu2PDFBody:
    return OCRDjVu2PDFBody(image=base64.b64encode(SCAN).decode(), settings=OCRSettingsDjVu2PDF.from_dict(OCR_SETTINGS))


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
}


def ocr_api(url: str, folder: Path) -> Any:
    return aspose_ocr_cloud.ApiClient(OcrConfiguration(host=url, access_token="token"))
