"""The stand-in speaks Aspose.Slides Cloud's protocol."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import shared_client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import StartReplyLost
from airflow_provider_docconv.services.operations import OperationState
from tests.workbench.standin_calls import (
    ASYNC,
    CONVERT,
    DECK,
    FORM,
    LOGIN,
    ask,
    counts,
    sha256,
    standing_in,
    start,
    status_of,
)
from workbench.processes import wait_until
from workbench.standin import StandIn, expected_result
from workbench.standin.operations import Operation
from workbench.standin.slides import Slides
from workbench.standin.tokens import is_valid


def test_the_vendors_sdk_converts(standin: StandIn) -> None:
    pytest.importorskip("asposeslidescloud")
    from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi
    from asposeslidescloud.configuration import Configuration
    from asposeslidescloud.models.pdf_export_options import PdfExportOptions
    from asposeslidescloud.rest import ApiException

    configuration = Configuration()
    configuration.base_url = configuration.auth_base_url = standin.url
    configuration.app_sid, configuration.app_key = "id", "secret"
    api = SlidesAsyncApi(configuration)
    ids = [api.start_convert(DECK, "pdf"), api.start_convert(DECK, "Pdf", options=PdfExportOptions())]
    for id in ids:
        wait_until(lambda id=id: api.get_operation_status(id).status == "Finished", "The conversion", 30)
        assert Path(api.get_operation_result(id)).read_bytes() == expected_result(sha256(DECK), 2048)
    with pytest.raises(ApiException) as caught:
        api.get_operation_status("nobody")
    assert (caught.value.status, caught.value.body) == (404, "Operation does not exist")
    stats = standin.stats()
    assert list(stats["sources"]) == [sha256(DECK)]
    assert stats["calls"]["token"] == 1


def test_the_blocking_client_converts(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--result-bytes", "300000") as standin:
        client = shared_client(Settings("aspose_slides", "id", "secret", host=standin.url))
        deck = Document("deck.pptx", lambda: io.BytesIO(DECK), len(DECK))
        id = client.run(client.service.start(deck, "pdf", {"exportOptions": {"jpegQuality": 90}}))
        assert client.run(client.service.status(id)).state is OperationState.SUCCEEDED
        (file,) = client.run(client.service.results(id))
        with client.open_result(file) as (stream, pieces):
            assert b"".join(pieces) == expected_result(sha256(DECK), 300_000)
        assert stream.name == "document.pdf"
        stats = standin.stats()
        assert stats["calls"] == {"token": 1, "start": 1, "status": 1, "result": 1, "cancel": 0}
        (source,) = stats["sources"].values()
        (noticed,) = source["noticed_after"]
        assert source == counts(created=1, polls=1, results=1, noticed_after=[noticed])
        standin.lose_next_start()
        with pytest.raises(StartReplyLost):
            client.run(client.service.start(deck, "pdf", {}))


def test_the_asynchronous_client_converts(standin: StandIn) -> None:
    async def convert() -> OperationState:
        async with shared_async_client(Settings("aspose_slides", "id", "secret", host=standin.url)) as client:
            deck = Document("deck.pptx", lambda: io.BytesIO(DECK), None)
            id = await client.run(client.service.start(deck, "pdf", {}))
            return (await client.run(client.service.status(id))).state

    assert asyncio.run(convert()) is OperationState.SUCCEEDED
    assert list(standin.stats()["sources"]) == [sha256(DECK)]


def test_logging_in_takes_any_id_and_secret(standin: StandIn) -> None:
    status, body = ask(standin, "POST", "/connect/token", LOGIN, FORM)
    token = json.loads(body)
    assert (status, token["expires_in"], token["token_type"]) == (200, 3600, "Bearer")
    assert is_valid(f"Bearer {token['access_token']}")
    status, body = ask(standin, "POST", "/connect/token", b"client_id=id&client_secret=", FORM)
    assert (status, json.loads(body)) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer standin.1.old", "Bearer other", "Basic aWQ6c2VjcmV0"])
def test_without_a_token_nothing_is_done(authorization: str, standin: StandIn) -> None:
    for method, path in [("POST", CONVERT), ("GET", f"{ASYNC}/x"), ("GET", f"{ASYNC}/x/result")]:
        assert ask(standin, method, path, DECK, {"Authorization": authorization})[0] == 401
    stats = standin.stats()
    assert stats["operations"]["created"] == 0
    assert stats["refused"] == {"401": 3}


def test_the_id_is_quoted_for_those_who_ask_for_json(standin: StandIn) -> None:
    status, body = ask(standin, "POST", CONVERT, DECK, {"Accept": "application/json"})
    assert status == 201
    assert status_of(standin, json.loads(body))["status"] == "Finished"


def test_a_start_without_a_document_is_refused(standin: StandIn) -> None:
    assert ask(standin, "POST", CONVERT, b"")[0] == 400
    endless = b'--b\r\nContent-Disposition: form-data; name="document"; filename="d"\r\n\r\nno end'
    for body in (b"no parts at all", endless):
        assert ask(standin, "POST", CONVERT, body, {"Content-Type": "multipart/form-data; boundary=b"})[0] == 400
    assert standin.stats()["operations"]["created"] == 0


def test_a_damaged_document_fails(standin: StandIn) -> None:
    id = start(standin, b"DAMAGED deck")
    operation = status_of(standin, id)
    assert operation["status"] == "Failed"
    assert operation["failed"].endswith("Z")
    assert operation["error"]["httpStatusCode"] == 400
    assert operation["error"]["message"] == "The presentation is damaged."
    assert ask(standin, "GET", f"{ASYNC}/{id}/result")[0] == 400


def test_a_quota_ends(standin: StandIn) -> None:
    standin.set_quota(2)
    answers = [ask(standin, "POST", CONVERT, DECK + bytes([number]))[0] for number in range(4)]
    assert answers == [201, 201, 403, 403]
    assert standin.stats()["operations"]["created"] == 2
    standin.set_quota(None)
    start(standin)


def test_what_exceeds_the_capacity_queues(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600", "--capacity", "2") as standin:
        ids = [start(standin, DECK + bytes([number])) for number in range(4)]
        assert [status_of(standin, id)["status"] for id in ids] == ["Started", "Started", "Enqueued", "Enqueued"]
        assert ask(standin, "GET", f"{ASYNC}/{ids[0]}/result")[0] == 400
        operations = standin.stats()["operations"]
        assert (operations["in_flight"], operations["peak_in_flight"]) == (4, 4)


def test_progress_is_spread_evenly_over_the_duration() -> None:
    operation = Operation("slides", b"", False, created=0, begun=10, ended=20)
    slides = Slides(steps=4)

    def progress(now: float) -> tuple[int, int] | None:
        told = json.loads(slides.status("id", operation, now).body).get("progress")
        return told and (told["stepIndex"], told["stepCount"])

    at = {5: None, 10: None, 12.4: None, 12.5: (1, 4), 15: (2, 4), 19.9: (3, 4), 20: (4, 4), 99: (4, 4)}
    assert {now: progress(now) for now in at} == at
    operation.damaged = True
    assert progress(99) is None
    assert "progress" not in json.loads(Slides().status("id", operation, 15).body)


def test_our_client_and_the_vendors_sdk_read_the_progress(tmp_path: Path) -> None:
    steps = 3_600_000
    with standing_in(tmp_path, "--steps", str(steps), "--seconds", "3600") as standin:
        client = shared_client(Settings("aspose_slides", "id", "secret", host=standin.url))
        id = start(standin)
        wait_until(lambda: client.run(client.service.status(id)).done > 0, "The first step", 30)
        seen = client.run(client.service.status(id))
        assert (seen.state, seen.steps, seen.step_description) == (OperationState.RUNNING, steps, "Slide converted")
        pytest.importorskip("asposeslidescloud")
        from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi
        from asposeslidescloud.configuration import Configuration

        configuration = Configuration()
        configuration.base_url = configuration.auth_base_url = standin.url
        configuration.app_sid, configuration.app_key = "id", "secret"
        progress = SlidesAsyncApi(configuration).get_operation_status(id).progress
        assert (progress.description, progress.step_count) == ("Slide converted", steps)
        assert seen.step <= progress.step_index < steps
