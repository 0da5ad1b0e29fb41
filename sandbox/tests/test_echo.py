"""The engine ``echo``: results that follow from their sources, and operations of a chosen pace."""

from __future__ import annotations

import base64
import tracemalloc
from pathlib import Path

import pytest

from docconv_sandbox import Sandbox, expected_result
from docconv_sandbox.echo import PIECE, SMALLEST, Echo, json_base64
from tests.client import Client
from tests.documents import DECK, NEAR_SCAN, sha256
from tests.patience import wait_until

HOUR = 3600.0


def test_a_result_names_its_source() -> None:
    result = expected_result(sha256(DECK), 5000)
    assert len(result) == 5000
    assert result.startswith(b"%PDF-1.7\n")
    assert sha256(DECK).encode() in result
    assert result.endswith(b"%%EOF\n")
    assert result == expected_result(sha256(DECK).upper(), 5000) != expected_result(sha256(NEAR_SCAN), 5000)
    with pytest.raises(ValueError, match="at least"):
        expected_result(sha256(DECK), SMALLEST - 1)


@pytest.mark.parametrize(
    "size", [SMALLEST, SMALLEST + 1, PIECE, PIECE + 7, 2 * PIECE + 6, 2 * PIECE + 9, 4 * PIECE - 1]
)
def test_the_pieces_of_a_result_fit_together(size: int) -> None:
    echo = Echo(bytes.fromhex(sha256(DECK)), size)
    pieces = list(echo.pieces())
    assert sum(map(len, pieces)) == size
    assert len(set(pieces)) == len(pieces)
    encoded = b"".join(echo.base64_pieces())
    assert encoded == json_base64(b"".join(pieces))
    assert base64.b64decode(encoded.replace(b"\\u002B", b"+")) == b"".join(pieces)


def test_a_large_result_is_never_in_memory() -> None:
    tracemalloc.start()
    try:
        assert sum(map(len, Echo(b"\0" * 32, 200 << 20).pieces())) == 200 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_all_three_services_echo(tmp_path: Path) -> None:
    deck = tmp_path / "deck.pptx"
    deck.write_bytes(DECK)
    with Sandbox(engine="echo", result_bytes=300_000) as sandbox:
        client = Client(sandbox)
        assert client.slides_result(client.start_slides(DECK)) == expected_result(sha256(DECK), 300_000)
        answer = client.groupdocs_result(client.start_groupdocs(deck, "pdf"))
        assert answer.content == expected_result(sha256(DECK), 300_000)
        assert 'filename="deck.pdf"' in answer.headers["Content-Disposition"]
        (result,) = client.wait_ocr(client.start_ocr(NEAR_SCAN))["results"]
        assert base64.b64decode(result["data"]) == expected_result(sha256(NEAR_SCAN), 300_000)
        assert set(sandbox.stats()["sources"]) == {sha256(DECK), sha256(NEAR_SCAN)}


def test_a_result_may_be_as_large_as_its_source() -> None:
    document = DECK + bytes(100_000)
    with Sandbox(engine="echo", result_bytes=None) as sandbox:
        client = Client(sandbox)
        assert client.slides_result(client.start_slides(document)) == expected_result(sha256(document), len(document))


def test_stored_documents_echo_to_the_storage() -> None:
    with Sandbox(engine="echo") as sandbox:
        client = Client(sandbox)
        client("PUT", "/v3.0/slides/storage/file/deck.pptx", data=DECK)
        answer = client("PUT", "/v3.0/slides/async/deck.pptx/pdf", params={"outPath": "out/deck.pdf"})
        assert client.wait_slides(answer.text)["status"] == "Finished"
        stored = client("GET", "/v3.0/slides/storage/file/out/deck.pdf").content
        assert stored == expected_result(sha256(DECK))
        assert sandbox.stats()["sources"][sha256(DECK)]["created"] == 1
        answer = client("POST", "/v3.0/slides/async/nothing.pptx/pdf")
        assert client.wait_slides(answer.text)["error"]["code"] == "errorNotFound"


def test_a_marked_document_fails() -> None:
    with Sandbox(engine="echo") as sandbox:
        client = Client(sandbox)
        status = client.wait_slides(client.start_slides(b"PK DAMAGED deck"))
        assert (status["status"], status["error"]["message"]) == ("Failed", "The document is damaged.")


def test_without_a_duration_an_operation_is_done_at_once() -> None:
    with Sandbox(engine="echo") as sandbox:
        client = Client(sandbox)
        for number in range(20):
            assert client.slides_status(client.start_slides(DECK + bytes([number])))["status"] == "Finished"


def test_what_exceeds_the_workers_queues_until_one_is_cancelled() -> None:
    with Sandbox(engine="echo", seconds=HOUR, workers=1) as sandbox:
        client = Client(sandbox)
        first, second = client.start_ocr(NEAR_SCAN), client.start_ocr(NEAR_SCAN + b"2")
        assert [client.ocr_status(id)["taskStatus"] for id in (first, second)] == ["Processing", "Pending"]
        client("DELETE", "/v5.0/ocr/DjVu2PDF", params={"id": first})
        assert [client.ocr_status(id)["taskStatus"] for id in (first, second)] == ["NotExist", "Processing"]
        totals = sandbox.stats()["totals"]
        assert (totals["canceled"], totals["in_flight"], totals["peak_in_flight"]) == (1, 1, 2)


def test_all_can_be_ended_at_once() -> None:
    with Sandbox(engine="echo", seconds=HOUR, workers=1) as sandbox:
        client = Client(sandbox)
        ids = [client.start_slides(DECK + bytes([number])) for number in range(3)]
        sandbox.finish()
        assert [client.wait_slides(id)["status"] for id in ids] == ["Finished"] * 3
        assert client.slides_status(client.start_slides(DECK))["status"] == "Started"


def test_progress_is_spread_over_the_duration() -> None:
    steps = 3_600_000
    with Sandbox(engine="echo", seconds=HOUR, steps=steps) as sandbox:
        client = Client(sandbox)
        id = client.start_slides(DECK)
        progress = wait_until(lambda: client.slides_status(id)["progress"])
        first = wait_until(lambda: client.slides_status(id)["progress"]["stepIndex"])
        assert (progress["description"], progress["stepCount"]) == ("Slide converted", steps)
        assert 0 < first < steps / 2


def test_durations_spread_around_the_one_that_is_set() -> None:
    with Sandbox(engine="echo", seconds=1.0, spread=0.5, seed=3) as sandbox:
        client = Client(sandbox)
        ids = [client.start_slides(DECK + bytes([number])) for number in range(20)]
        for id in ids:
            client.wait_slides(id)
        seconds = [operation["seconds"] for operation in sandbox.stats()["operations"]]
        assert 0.5 <= min(seconds) < 0.8 < 1.2 < max(seconds)


def test_an_operation_is_forgotten_but_stays_in_the_account() -> None:
    with Sandbox(engine="echo", retention=0) as sandbox:
        client = Client(sandbox)
        id = client.start_slides(DECK)
        for path in (f"/v3.0/slides/async/{id}", f"/v3.0/slides/async/{id}/result"):
            assert client("GET", path).status_code == 404
        source = sandbox.stats()["sources"][sha256(DECK)]
        assert [source[key] for key in ("created", "polls", "results")] == [1, 1, 1]
