"""
The conversion services, each described once. A new one is a package beside this module and an entry here.

This module imports nothing heavy, because every Airflow command loads it. A protocol is loaded when it is used.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """
    A conversion service.

    :param name: the connection type
    :param label: the name in messages and in Airflow's UI
    :param host: the vendor's base URL
    :param dashboard: the vendor's page about the account
    :param docs_url: the vendor's documentation
    :param protocol: the protocol's module below this package, and its class
    :param hook_class: the name of its hook's class
    :param has_storage: whether the service has a storage for documents
    """

    name: str
    label: str
    host: str
    dashboard: str
    docs_url: str
    protocol: tuple[str, str]
    hook_class: str
    has_storage: bool

    @property
    def scheme(self) -> str:
        """The scheme of addresses in the service's storage."""
        return self.name.replace("_", "-")


ASPOSE_SLIDES = ServiceInfo(
    name="aspose_slides",
    label="Aspose.Slides Cloud",
    host="https://api.aspose.cloud",
    dashboard="https://dashboard.aspose.cloud",
    docs_url="https://docs.aspose.cloud/slides/",
    protocol=("slides.service", "AsposeSlides"),
    hook_class="AsposeSlidesHook",
    has_storage=True,
)
GROUPDOCS_CONVERSION = ServiceInfo(
    name="groupdocs_conversion",
    label="GroupDocs.Conversion Cloud",
    host="https://api.groupdocs.cloud",
    dashboard="https://dashboard.groupdocs.cloud",
    docs_url="https://docs.groupdocs.cloud/conversion/",
    protocol=("groupdocs.service", "GroupDocsConversion"),
    hook_class="GroupDocsConversionHook",
    has_storage=True,
)
ASPOSE_OCR = ServiceInfo(
    name="aspose_ocr",
    label="Aspose.OCR Cloud",
    host="https://api.aspose.cloud",
    dashboard="https://dashboard.aspose.cloud",
    docs_url="https://docs.aspose.cloud/ocr/",
    protocol=("ocr.service", "AsposeOcr"),
    hook_class="AsposeOcrHook",
    has_storage=False,
)

#: Each service by its connection type.
SERVICES = {info.name: info for info in (ASPOSE_SLIDES, GROUPDOCS_CONVERSION, ASPOSE_OCR)}
