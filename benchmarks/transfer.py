"""One process of the benchmark of large documents: carries some, and tells how long each took in how much memory."""

from __future__ import annotations

import base64
import ctypes
import gc
import json
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import requests

from dev.sandbox import CLIENT_ID, CLIENT_SECRET, LOGIN

#: Carries a document, or the result of the operation whose id is given, from or to an address.
Carry: TypeAlias = Callable[[str, str], "str | None"]
_PLAIN_CHUNK = 1 << 20


def upload(service: str, url: str) -> Carry:
    """Carry sources to the service as the operators do."""
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.transfer.source import open_source

    hook = DocConvHook.for_connection(_connection(service, url))

    def carry(operation_id: str, uri: str) -> str | None:
        source = open_source(uri, hook.service)
        hook.start(source, "pdf")
        return getattr(source, "sha256", None)

    return carry


def download(service: str, url: str) -> Carry:
    """Carry results to the destination as the operators do."""
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.transfer.delivery import Destination, deliver

    hook = DocConvHook.for_connection(_connection(service, url))

    def carry(operation_id: str, uri: str) -> str | None:
        files = hook.get_results(operation_id)
        (stored,) = deliver(hook, files, Destination(uri, hook.service.label, None), logging.getLogger())
        return stored["sha256"]

    return carry


def plain_upload(service: str, url: str) -> Carry:
    """Copy the bytes that the service gets with nothing but requests and the store's own client."""
    session = _session(url)

    def carry(operation_id: str, uri: str) -> str | None:
        store, path = _store(uri)
        with store.open(path, "rb") as file:
            session.post(f"{url}/v3.0/slides/async/convert/pdf", data=file, timeout=600).raise_for_status()
        return None

    return carry


def plain_download(service: str, url: str) -> Carry:
    """Copy the bytes that the service gives in the same way."""
    session = _session(url)
    address = {
        "aspose_slides": f"{url}/v3.0/slides/async/{{}}/result",
        "groupdocs_conversion": f"{url}/v2.0/conversion/async/result?id={{}}",
        "aspose_ocr": f"{url}/v5.0/ocr/DjVu2PDF?id={{}}",
    }[service]

    def carry(operation_id: str, uri: str) -> str | None:
        store, path = _store(uri)
        reply = session.get(address.format(operation_id), stream=True, timeout=600)
        with reply, store.open(path, "wb") as file:
            shutil.copyfileobj(reply.raw, file, _PLAIN_CHUNK)
        return None

    return carry


def sdk_upload(service: str, url: str) -> Carry:
    """Send local files over the vendor's SDK."""
    sdk = _sdk(service, url)

    def carry(operation_id: str, uri: str) -> str | None:
        path = uri.removeprefix("file://")
        if service == "aspose_slides":
            sdk.start_convert(Path(path).read_bytes(), "pdf")
        elif service == "groupdocs_conversion":
            import groupdocs_conversion_cloud as groupdocs  # type: ignore[import-untyped]  # it has no types

            sdk.start_convert(groupdocs.StartConvertRequest("pdf", path))
        else:
            from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import (
                OCRSettingsDjVu2PDF,
            )
            from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

            image = base64.b64encode(Path(path).read_bytes()).decode()
            sdk.post_dj_vu2_pdf(OCRDjVu2PDFBody(image=image, settings=OCRSettingsDjVu2PDF()))
        return None

    return carry


def sdk_download(service: str, url: str) -> Carry:
    """Fetch results into local files over the vendor's SDK."""
    sdk = _sdk(service, url)

    def carry(operation_id: str, uri: str) -> str | None:
        path = uri.removeprefix("file://")
        if service == "aspose_slides":
            shutil.move(sdk.get_operation_result(operation_id), path)
        elif service == "groupdocs_conversion":
            import groupdocs_conversion_cloud as groupdocs

            shutil.move(sdk.get_operation_result(groupdocs.GetOperationResultRequest(operation_id)), path)
        else:
            found = sdk.get_dj_vu2_pdf(operation_id)
            Path(path).write_bytes(base64.b64decode(found.results[0].data))
        return None

    return carry


def _session(url: str) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {_token(url)}"
    return session


def _token(url: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    reply = requests.post(f"{url}/connect/token", data=form, timeout=60)
    return str(reply.json()["access_token"])


def _start(service: str, url: str, source: str) -> str:
    """Start what a result comes from, and return its operation's id."""
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.transfer.source import open_source

    hook = DocConvHook.for_connection(_connection(service, url))
    return hook.start(open_source(source, hook.service), "pdf").operation_id


def _connection(service: str, url: str) -> str:
    value = {"conn_type": service, "host": url, **LOGIN}
    os.environ["AIRFLOW_CONN_LARGE"] = json.dumps(value)
    return "large"


def _store(uri: str) -> tuple[Any, str]:
    import fsspec  # type: ignore[import-untyped]  # it has no types

    scheme, _, path = uri.partition("://")
    if scheme == "file":
        return fsspec.filesystem("file"), path
    values = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    client = json.loads(values["extra"])
    config = client.pop("config_kwargs")
    login = {"key": values["login"], "secret": values["password"]}
    store = fsspec.filesystem("s3", **login, client_kwargs=client, config_kwargs=config)
    return store, path.partition("@")[2]


def _sdk(service: str, url: str) -> Any:
    if service == "aspose_slides":
        from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi  # type: ignore[import-untyped]  # it has no types
        from asposeslidescloud.configuration import Configuration  # type: ignore[import-untyped]  # it has no types

        slides = Configuration()
        slides.base_url = slides.auth_base_url = url
        slides.app_sid, slides.app_key = CLIENT_ID, CLIENT_SECRET
        slides.temp_folder_path = os.environ["TMPDIR"]
        return SlidesAsyncApi(slides)
    if service == "groupdocs_conversion":
        import groupdocs_conversion_cloud as groupdocs

        conversion = groupdocs.Configuration(CLIENT_ID, CLIENT_SECRET)
        conversion.api_base_url = url
        conversion.temp_folder_path = os.environ["TMPDIR"]
        return groupdocs.AsyncApi.from_config(conversion)
    from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
    from aspose_ocr_cloud.api_client import ApiClient
    from aspose_ocr_cloud.configuration import Configuration as OcrConfiguration

    return DjVu2PDFApi(ApiClient(OcrConfiguration(host=url, access_token=_token(url))))


_WAYS = {each.__name__: each for each in (upload, download, plain_upload, plain_download, sdk_upload, sdk_download)}


def _memory(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) << 10 if found else 0


@dataclass
class _Record:
    """What the turns of one way with documents of one size took."""

    way: str
    size: int
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak: int = 0
    digests: set[str] = field(default_factory=set)


def main() -> None:
    """Carry what the JSON object on the command line says, the ways taking turns, and print what each took as JSON."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    service, url = asked["service"], asked["url"]
    ways = {way: _WAYS[way](service, url) for way in asked["ways"]}
    sizes = [asked["warm"], *(size for size, _ in asked["sizes"])]
    ids = dict.fromkeys(sizes, "")
    if any(way.endswith("download") for way in ways):
        ids = {size: _start(service, url, asked["source"].format(size=size)) for size in sizes}
    for way, carry in ways.items():
        # So that everything is imported and connected.
        carry(ids[asked["warm"]], asked["ways"][way].format(size=asked["warm"]))
    found: list[_Record] = []
    for size, turns in asked["sizes"]:
        records = [_Record(way, size) for way in ways]
        for turn in range(turns):
            # The first may find another machine than the ones that follow.
            for record in records[:: -1 if turn % 2 else 1]:
                for result in Path(asked["results"]).glob("*.pdf"):
                    result.unlink()
                _take(record, ways[record.way], ids[size], asked["ways"][record.way].format(size=size))
        found += records
    print(json.dumps([{**asdict(record), "digests": sorted(record.digests)} for record in found]))


def _take(record: _Record, carry: Carry, operation_id: str, uri: str) -> None:
    # What others have freed is given back, so that it isn't used unseen; what they still hold is not counted.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    idle = _memory("VmRSS")
    # Sets the kernel's high-water mark back to what is in use now.
    Path("/proc/self/clear_refs").write_text("5")
    began, busy = time.perf_counter(), time.process_time()
    digest = carry(operation_id, uri)
    record.processor.append(time.process_time() - busy)
    record.seconds.append(time.perf_counter() - began)
    record.peak = max(record.peak, _memory("VmHWM") - idle)
    record.digests.update(filter(None, [digest]))


if __name__ == "__main__":
    main()
