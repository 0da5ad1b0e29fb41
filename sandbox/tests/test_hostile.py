"""Requests that are not what they say: each is refused in the vendor's words, or does no harm."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import requests

from tests.client import Client
from tests.patience import PATIENCE

CONVERT = "/v3.0/slides/async/convert/pdf"
STORAGE = "/v2.0/conversion/storage"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=edge"}
FORM = "application/x-www-form-urlencoded"


def parts(*parts: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"--edge\r\n%s\r\n\r\n%s\r\n" % part for part in parts) + b"--edge--\r\n"


def named(name: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="file"; filename="%s"' % name


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(parts((b"no header", b"x")), id="no header"),
        pytest.param(parts((b"X: " + b"y" * 20_000, b"x")), id="a long header"),
        pytest.param(parts((b"\r\n".join(b"X%d: y" % number for number in range(5000)), b"x")), id="many headers"),
        pytest.param(parts((named(b"a"), b"x"))[:-12], id="cut short"),
        pytest.param(
            parts((b"Content-Type: multipart/mixed; boundary=in", b"--in\r\n\r\nx\r\n--in--")), id="parts in a part"
        ),
    ],
)
def test_malformed_parts_are_refused(client: Client, body: bytes) -> None:
    answer = client("POST", CONVERT, data=body, headers=MULTIPART)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "errorInvalidRequest")


@pytest.mark.parametrize("path", [CONVERT, "/v5.0/ocr/djvu2pdf", "/v3.0/slides/async/deck.pptx/pdf"])
def test_a_body_that_does_not_unpack_is_refused(client: Client, path: str) -> None:
    answer = client("POST", path, data=b"no gzip" * 20, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "not what its headers say" in answer.text


def test_a_bomb_of_a_body_is_refused(client: Client) -> None:
    answer = client("POST", CONVERT, data=gzip.compress(bytes(64 << 20)), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def test_parts_that_are_too_large_together_are_refused(client: Client) -> None:
    body = parts(*[(named(b"a"), bytes(1 << 20))] * 9)
    answer = client("POST", CONVERT, data=iter([body]), headers=MULTIPART)
    assert answer.status_code == 413


def test_a_name_that_is_no_utf_8_comes_back_as_one(client: Client) -> None:
    put = client("PUT", f"{STORAGE}/file/bytes/", data=parts((named(b"d\xff.bin"), b"abc")), headers=MULTIPART)
    assert put.json()["uploaded"] == ["d?.bin"]
    assert client("GET", f"{STORAGE}/file/bytes/d%3F.bin").content == b"abc"


@pytest.mark.parametrize("key", ["FilePath", "OutputPath"])
@pytest.mark.parametrize("path", ["half a \ud800", "a\0b", "../x"])
def test_a_path_in_json_is_a_path(client: Client, key: str, path: str) -> None:
    settings = {"FilePath": "deck.pptx", "OutputPath": "deck.pdf", "Format": "pdf", key: path}
    answer = client("POST", "/v2.0/conversion/async", json=settings)
    assert answer.status_code == 400
    assert "Invalid value for path" in answer.json()["error"]["message"]


def test_a_folder_of_fonts_that_cannot_be_is_not_there(client: Client, stored: str) -> None:
    answer = client("POST", f"/v3.0/slides/async/deck.pptx/pdf?folder={stored}&fontsFolder={'x' * 300}")
    assert client.wait_slides(answer.text)["status"] == "Finished"


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "true", "1e999", "-1", '"x"'])
def test_a_width_is_a_number(client: Client, value: str) -> None:
    body = '{"FilePath": "a", "Format": "png", "ConvertOptions": {"Width": ' + value + "}}"
    answer = client("POST", "/v2.0/conversion/async", data=body)
    assert answer.status_code == 400
    assert len(answer.content) < 1000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (f"{FORM}; charset=nonsense", b"client_id=x"),
        (FORM, b"client_id=\xff%ff&client_secret=%00"),
        (FORM, b"&&&==="),
        ("application/json", json.dumps({"grant_type": "client_credentials"}).encode()),
        (MULTIPART["Content-Type"], parts((b"no header", b"x"))),
    ],
    ids=str,
)
def test_a_login_that_is_no_form_is_refused(client: Client, kind: str, body: bytes) -> None:
    answer = requests.post(
        f"{client.sandbox.url}/connect/token", data=body, headers={"Content-Type": kind}, timeout=PATIENCE
    )
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_head_sends_no_result(client: Client, made: dict[str, Any]) -> None:
    id = client.start_ocr(made["djvu"].read_bytes())
    client.wait_ocr(id)
    for method in ("HEAD", "GET"):
        answer = client(method, "/v5.0/ocr/DjVu2PDF", params={"id": id})
        assert (answer.status_code, answer.content == b"") == ((405, True) if method == "HEAD" else (200, False))
