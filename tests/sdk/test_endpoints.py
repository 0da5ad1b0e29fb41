"""What goes over the wire, endpoint by endpoint: the vendors' own SDKs and this package against the same server."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.support.hostile import Answer, Hostile, Seen

pytest.importorskip("asposeslidescloud", reason="asposeslidescloud is not installed: uv sync --group test")
pytest.importorskip("groupdocs_conversion_cloud", reason="groupdocs-conversion-cloud is not installed")
pytest.importorskip("aspose_ocr_cloud", reason="aspose-ocr-cloud is not installed: uv sync --group test")

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from tests.sdk.endpoint_calls import ID, Cases
from tests.sdk.endpoints_groupdocs import GROUPDOCS, GroupDocsApis
from tests.sdk.endpoints_ocr import OCR, ocr_api
from tests.sdk.endpoints_slides import SLIDES, slides_api

PAGE = Path(__file__).parent.parent.parent / "docs" / "endpoints.md"
SERVICES: dict[str, tuple[Callable[[str, Path], Any], Cases]] = {
    "aspose_slides": (slides_api, SLIDES),
    "groupdocs_conversion": (GroupDocsApis, GROUPDOCS),
    "aspose_ocr": (ocr_api, OCR),
}
CALLS = [
    pytest.param(service, endpoint, *case, id=f"{endpoint} {number}")
    for service, (_, cases) in SERVICES.items()
    for endpoint, found in cases.items()
    for number, case in enumerate(found, 1)
]


def answer(seen: Seen) -> Answer:
    """Say what both sides understand, whatever was asked."""
    if "/ocr/" in seen.path and seen.method == "POST":
        return Answer(ID.encode(), headers={"Content-Type": "text/plain"})
    if seen.method in ("POST", "PUT") and "/storage/" not in seen.path:
        return Answer(ID)
    if seen.path.endswith("/result") or ("/storage/file/" in seen.path and seen.method == "GET"):
        return Answer(b"%PDF-", headers={"Content-Type": "application/pdf"})
    if seen.path.endswith("/formats"):
        return Answer([{"sourceFormat": "docx", "targetFormats": ["pdf"]}])
    results = (
        [{"type": "Pdf", "data": base64.b64encode(b"%PDF-").decode()}]
        if "/ocr/" in seen.path and "Utilities" not in seen.path
        else []
    )
    return Answer(
        {
            **{"id": ID, "status": "Finished", "method": "Convert"},
            **{"taskStatus": "Completed", "responseStatusCode": "Ok", "results": results},
            **{"uploaded": ["x"], "errors": [], "exists": True, "isFolder": False, "value": [{"name": "a.pdf"}]},
        }
    )


@pytest.fixture
def server() -> Iterator[Hostile]:
    with Hostile(answer=answer) as running:
        yield running


def parts_of(seen: Seen) -> Any:
    """Give a body in a form that does not depend on boundaries, spaces or the order of keys."""
    kind = seen.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + seen.body)
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part.get_payload(decode=True) if part.get_filename() else json.loads(part.get_payload()),
            )
            for part in message.get_payload()
        ]
    return json.loads(seen.body) if seen.body else b""


def wire_form(seen: Seen) -> dict[str, Any]:
    """Give what the service goes by in a request."""
    query = dict(parse_qsl(seen.target.partition("?")[2]))
    if "recursive" in query:
        query["recursive"] = query["recursive"].lower()  # Python's True, where the documentation writes true
    accept = seen.headers.get("accept", "*/*")
    return {
        "line": (seen.method, seen.path, query),
        "password": seen.headers.get("password"),
        "bearer": seen.headers.get("authorization", "").startswith("Bearer "),
        "kind": seen.headers.get("content-type", "").partition(";")[0] if seen.body else None,
        # It decides how the id is written. The SDKs ask for JSON where files come back, too, and get files.
        "accept": accept if seen.method in ("POST", "PUT") and "/storage/" not in seen.path else None,
        "body": parts_of(seen),
    }


@pytest.mark.parametrize(("service", "endpoint", "theirs", "ours"), CALLS)
def test_the_wire_form_is_the_sdks(
    service: str, endpoint: str, theirs: Any, ours: Any, server: Hostile, tmp_path: Path
) -> None:
    theirs(SERVICES[service][0](server.url, tmp_path))
    [wanted] = server.calls
    ours(Client(Settings(service, "my-client", "my-secret", server.url)))
    *before, made = server.calls[1:]
    # The one call that asks first: what lists its results in the status.
    assert [seen.method for seen in before] == (["GET"] if endpoint.endswith("conversion/async/result") else [])
    assert wire_form(made) == wire_form(wanted)
    # The case is one of the row it stands under: {path} may have slashes, the others are one segment.
    pattern = re.sub(r"{(\w+)}", lambda name: ".+" if name[1] == "path" else "[^/]+", endpoint)
    assert re.fullmatch(pattern, f"{made.method} {made.path}")


def rows() -> dict[str, list[str]]:
    """Read the page: the endpoints of each service."""
    found: dict[str, list[str]] = {}
    services = iter(SERVICES)
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| Endpoint | SDK"):
            listed = found[next(services)] = []
        elif line.startswith("| Endpoint"):  # of a service without an SDK
            listed = []
        elif row := re.match(r"\| `((?:GET|PUT|POST|DELETE) [^`]+)`", line):
            listed.append(row[1])
    return found


def test_every_row_of_the_page_is_compared() -> None:
    assert rows() == {service: list(cases) for service, (_, cases) in SERVICES.items()}


def endpoints_of(package: str, pattern: str, prefix: str, *modules: str) -> set[str]:
    """Read the endpoints out of an SDK's source."""
    folder = Path(__import__(package).__file__).parent
    found = [re.findall(pattern, (folder / module).read_text(encoding="utf-8"), re.DOTALL) for module in modules]
    return {f"{method} {prefix}{path}" for pairs in found for path, method in pairs}


def test_every_endpoint_of_the_sdks_has_a_row() -> None:
    slides = endpoints_of("asposeslidescloud", r"call_api\(\s*'([^']+)', '(\w+)'", "/v3.0", "apis/slides_async_api.py")
    groupdocs = endpoints_of(
        "groupdocs_conversion_cloud", r" path = '([^']+)'.*?'method':'(\w+)'", "/v2.0", "apis/async_api.py"
    )
    modules = sorted((Path(__import__("aspose_ocr_cloud").__file__).parent / "api").glob("*_api.py"))
    pattern = r"method='(\w+)',\s+resource_path='([^']+)'"
    found = endpoints_of("aspose_ocr_cloud", pattern, "", *(f"api/{module.name}" for module in modules))
    ocr = {" ".join(reversed(endpoint.split(" "))) for endpoint in found}
    not_used = re.findall(r"`(\w+)`", PAGE.read_text().partition("\nNot used: ")[2].partition(", the former calls")[0])
    ocr -= {each for each in ocr if each.split("/ocr/")[1].split("/")[0] in not_used}
    assert (len(slides), len(groupdocs), len(ocr)) == (12, 4, 43)
    listed = rows()
    assert slides <= set(listed["aspose_slides"])
    assert groupdocs <= set(listed["groupdocs_conversion"])
    assert ocr == set(listed["aspose_ocr"])
