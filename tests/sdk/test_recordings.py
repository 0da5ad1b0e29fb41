"""The requests that the vendors' SDKs were recorded to send, sent again byte for byte over a plain socket."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from docconv_sandbox import Sandbox
from tests.sdk.waiting import SCAN
from tests.support.patience import wait_until

RECORDINGS = Path(__file__).parent / "recordings"
BOUNDARY = b"3840fb6dca521ae5aeac09f1aee4bdeb"

# What the recordings expect to find: (service, storage, path).
STORED = [
    ("slides", "Main", "in/dir/My Pres.pptx"),
    ("slides", "Main", "in/MyPres.pptx"),
    ("slides", "MyStore", "in/MyPres.pptx"),
    ("slides", "Main", "out/conv.pdf"),
    ("slides", "MyStore", "out/conv.pdf"),
    ("groupdocs", "Main", "WordProcessing/four-pages.docx"),
    ("groupdocs", "MyStorage", "WordProcessing/four-pages.docx"),
    ("groupdocs", "Main", "converted/four-pages.pdf"),
    ("groupdocs", "MyStorage", "converted/four-pages.pdf"),
]
STORAGE = {"slides": "/v3.0/slides/storage", "groupdocs": "/v2.0/conversion/storage"}


@dataclass
class Answer:
    status: int
    kind: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Replay:
    """Sends recordings."""

    def __init__(self, sandbox: Sandbox, deck: Path, secret_deck: Path, letter: Path) -> None:
        self._host = sandbox.url.removeprefix("http://")
        self._documents = {"slides": deck, "secret": secret_deck, "groupdocs": letter, "ocr": SCAN}
        self.token = self.send("slides-01-token").json()["access_token"]

    def send(self, name: str, id: str = "") -> Answer:
        recorded = (RECORDINGS / f"{name}.http").read_bytes()
        service = name.partition("-")[0]
        document = self._documents["secret" if b"\r\npassword: pw" in recorded else service].read_bytes()
        head, _, body = recorded.partition(b"\r\n\r\n")
        body = body.replace(b"<<document as base64>>", base64.b64encode(document))
        body = body.replace(b"<<boundary>>", BOUNDARY).replace(b"<<document>>", document)
        for placeholder, value in {
            b"<<host>>": self._host.encode(),
            b"<<length>>": str(len(body)).encode(),
            b"<<boundary>>": BOUNDARY,
            b"<<operation id>>": id.encode(),
            **({} if b"<<token>>" not in head else {b"<<token>>": self.token.encode()}),
        }.items():
            head = head.replace(placeholder, value)
        assert b"<<" not in head
        return self.exchange(head + b"\r\n\r\n" + body)

    def get(self, path: str, id: str = "") -> Answer:
        return self.request("GET", f"{path}{id}")

    def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self.token}\r\n"
        return self.exchange(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def exchange(self, request: bytes) -> Answer:
        host, port = self._host.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(request)
            response = HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
            response.begin()
            return Answer(response.status, response.headers["Content-Type"] or "", response.read())


@pytest.fixture
def replay(sandbox: Sandbox, deck: Path, secret_deck: Path, letter: Path) -> Iterator[Replay]:
    found = Replay(sandbox, deck, secret_deck, letter)
    for service, storage, path in STORED:
        document = {"slides": deck, "groupdocs": letter}[service].read_bytes()
        target = f"{STORAGE[service]}/file/{path.replace(' ', '%20')}?storageName={storage}"
        assert found.request("PUT", target, document).status == 200
    yield found
    for service, base in STORAGE.items():
        for folder in {path.partition("/")[0] for owner, _, path in STORED if owner == service}:
            found.request("DELETE", f"{base}/folder/{folder}?recursive=true")


def slides_end(replay: Replay, id: str) -> dict[str, Any]:
    def status() -> dict[str, Any] | None:
        found = replay.send("slides-08-status", id).json()
        return found if found["status"] in {"Finished", "Failed", "Canceled"} else None

    return wait_until(status)


def groupdocs_end(replay: Replay, id: str) -> dict[str, Any]:
    def status() -> dict[str, Any] | None:
        found = replay.send("groupdocs-06-status", id).json()
        return found if found["status"] in {"Finished", "Failed", "Canceled"} else None

    return wait_until(status)


@pytest.mark.parametrize("name", ["slides-01-token", "groupdocs-01-token"])
def test_token(replay: Replay, name: str) -> None:
    answer = replay.send(name)
    assert answer.status == 200
    assert answer.json().keys() == {"access_token", "expires_in", "token_type"}


@pytest.mark.parametrize(
    ("name", "method", "magic"),
    [
        ("slides-02-convert", "Convert", b"%PDF-"),
        ("slides-03-convert-with-options", "Convert", b"%PDF-"),
        ("slides-04-convert-and-save", "ConvertAndSave", None),
        ("slides-05-download-presentation", "DownloadPresentation", b"%PDF-"),
        ("slides-06-download-presentation-with-options", "DownloadPresentation", b"%PDF-"),
        ("slides-07-save-presentation", "SavePresentation", None),
    ],
)
def test_slides_conversions(replay: Replay, name: str, method: str, magic: bytes | None) -> None:
    answer = replay.send(name)
    assert answer.status == 201
    assert answer.kind.startswith("text/plain")
    id = answer.body.decode()
    assert len(id) == 36
    status = slides_end(replay, id)
    assert (status["status"], status["method"]) == ("Finished", method), status
    if magic:
        assert replay.send("slides-09-result", id).body.startswith(magic)
    path, storage = {
        "slides-04-convert-and-save": ("out/conv.pdf", "MyStore"),
        "slides-07-save-presentation": ("out/img.zip", "Main"),
    }.get(name, ("out/conv.pdf", "Main"))
    exists = replay.get(f"{STORAGE['slides']}/exist/{path}?storageName={storage}").json()
    assert exists == {"exists": True, "isFolder": False}


@pytest.mark.parametrize("name", ["slides-10-async-upload", "slides-12-upload"])
def test_slides_upload(replay: Replay, name: str) -> None:
    answer = replay.send(name).json()
    assert answer == {"uploaded": ["My Pres.pptx" if "async" in name else "x.pptx"], "errors": []}


@pytest.mark.parametrize("name", ["slides-11-async-download", "slides-13-download"])
def test_slides_download(replay: Replay, deck: Path, name: str) -> None:
    answer = replay.send(name)
    assert (answer.status, answer.body) == (200, deck.read_bytes())


def test_slides_storage(replay: Replay) -> None:
    assert replay.send("slides-14-exists").json() == {"exists": True, "isFolder": False}
    [entry] = replay.send("slides-15-list").json()["value"]
    assert entry.keys() == {"name", "isFolder", "modifiedDate", "size", "path"}
    assert replay.send("slides-16-delete").status == 200
    assert replay.send("slides-15-list").json() == {"value": []}


@pytest.mark.parametrize("name", ["groupdocs-02-convert", "groupdocs-03-convert-pages"])
def test_groupdocs_conversions(replay: Replay, name: str) -> None:
    answer = replay.send(name)
    assert answer.status == 200
    assert answer.kind.startswith("application/json")
    id = answer.json()
    status = groupdocs_end(replay, id)
    assert (status["status"], status["method"]) == ("Finished", "Convert"), status
    assert replay.send("groupdocs-07-result", id).body.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("groupdocs-04-convert-and-save", "converted/four-pages.pdf"),
        ("groupdocs-05-convert-and-save-file-name", "converted/async-result.pdf"),
    ],
)
def test_groupdocs_conversions_in_the_storage(replay: Replay, name: str, path: str) -> None:
    status = groupdocs_end(replay, replay.send(name).json())
    assert (status["status"], status["method"]) == ("Finished", "ConvertAndSave"), status
    [result] = status["result"]
    assert result.keys() == {"name", "size", "path", "url"}
    assert result["path"] == path


def test_groupdocs_storage(replay: Replay, letter: Path) -> None:
    assert replay.send("groupdocs-08-upload").json() == {"uploaded": ["four pages.docx"], "errors": []}
    assert replay.send("groupdocs-09-download").body == letter.read_bytes()
    assert replay.send("groupdocs-10-exists").json() == {"exists": True, "isFolder": False}
    assert [entry["name"] for entry in replay.send("groupdocs-11-list").json()["value"]] == ["four-pages.pdf"]
    assert replay.send("groupdocs-12-delete-file").status == 200
    assert replay.send("groupdocs-10-exists").json()["exists"] is False
    assert replay.send("groupdocs-13-delete-folder").status == 200
    assert replay.get(f"{STORAGE['groupdocs']}/exist/converted").json()["exists"] is False


def test_groupdocs_formats(replay: Replay) -> None:
    assert all(
        entry.keys() == {"sourceFormat", "targetFormats"} for entry in replay.send("groupdocs-14-formats").json()
    )


@pytest.mark.parametrize("name", ["ocr-01-start", "ocr-02-start-with-settings"])
def test_ocr(replay: Replay, name: str) -> None:
    answer = replay.send(name)
    assert answer.status == 200
    assert answer.kind.startswith("text/plain")
    id = answer.body.decode()
    wait_until(lambda: replay.send("ocr-04-status", id).json()["taskStatus"] == "Completed")
    done = replay.send("ocr-03-result", id)
    assert done.kind.startswith("application/json")
    assert base64.b64decode(done.json()["results"][0]["data"]).startswith(b"%PDF-")
    cancelled = replay.send("ocr-05-cancel", id)
    assert (cancelled.status, cancelled.body) == (200, b"")
    assert replay.send("ocr-04-status", id).json()["taskStatus"] == "NotExist"


def test_every_recording_is_used() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in RECORDINGS.glob("*.http") if path.stem not in source] == []
