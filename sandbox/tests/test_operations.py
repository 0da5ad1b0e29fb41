"""The queue: order, progress, cancelling, time limits and forgetting."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from docconv_sandbox import Sandbox, Settings
from docconv_sandbox.errors import ConversionError
from docconv_sandbox.job import Job, Outcome
from docconv_sandbox.operations import Operation, Operations, State
from tests.client import Client, is_running
from tests.patience import wait_until

SLOW = 1000.0


def test_an_operation_waits_for_a_worker(made: dict[str, Path]) -> None:
    with Sandbox(engine="wheels", workers=1, seconds_per_page=SLOW) as sandbox:
        client = Client(sandbox)
        first, second = client.start_slides(made["pptx"]), client.start_slides(made["pptx"])
        third = client.start_groupdocs(made["docx"], "pdf")
        fourth = client.start_ocr(made["djvu"].read_bytes())
        wait_until(lambda: client.slides_status(first)["status"] == "Started")
        waiting = client.slides_status(second)
        assert waiting["status"] == "Enqueued"
        assert "started" not in waiting
        status = client("GET", "/v2.0/conversion/async", params={"id": third}).json()
        assert (status["status"], status["started"]) == ("Created", None)
        pending = client.ocr_status(fourth)
        assert (pending["taskStatus"], pending["responseStatusCode"]) == ("Pending", "NotReady")


def test_a_cancelled_task_frees_its_worker(made: dict[str, Path]) -> None:
    with Sandbox(engine="wheels", workers=1, seconds_per_page=SLOW) as sandbox:
        client = Client(sandbox)
        running, queued, next_one = (client.start_ocr(made["djvu"].read_bytes()) for _ in range(3))
        wait_until(lambda: client.ocr_status(running)["taskStatus"] == "Processing")
        for id in (queued, running):
            answer = client("DELETE", "/v5.0/ocr/DJVU2pdf", params={"id": id})
            assert (answer.status_code, answer.content) == (200, b"")
            gone = client("GET", "/v5.0/ocr/DjVu2PDF", params={"id": id}).json()
            assert gone == {
                "id": id,
                "responseStatusCode": "TaskNotFound",
                "taskStatus": "NotExist",
                "results": None,
                "error": None,
            }
        wait_until(lambda: client.ocr_status(next_one)["taskStatus"] == "Processing")
        assert [operation["id"] for operation in sandbox.stats()["operations"]] == [next_one]


def test_cancelling_kills_what_runs(pids: Callable[[], list[int]], made: dict[str, Path], tmp_path: Path) -> None:
    async def scenario() -> None:
        operations = Operations(Settings(engine="libreoffice"), tmp_path / "operations")
        operation = operations.create("slides", "Convert", "open.odp", "pdf")
        folder = operation.folder
        task = Job(source=str(made["odp"]), folder=str(folder), target="pdf", tier="libreoffice")
        operations.submit(operation, lambda _: task)
        running = await asyncio.to_thread(pids)
        assert all(is_running(pid) for pid in running)
        await operations.cancel(operation)
        assert operation.state is State.CANCELED
        assert operations.find(operation.id) is None
        assert not folder.exists()
        await asyncio.to_thread(wait_until, lambda: not any(map(is_running, running)))

    asyncio.run(scenario())


@pytest.mark.usefixtures("hanging_soffice")
def test_a_job_that_hangs_is_ended(made: dict[str, Path]) -> None:
    with Sandbox(engine="libreoffice", job_timeout=1) as sandbox:
        client = Client(sandbox)
        status = client.wait_slides(client.start_slides(made["odp"]))
        assert status["status"] == "Canceled"
        assert "time limit" in status["error"]["message"]
        assert "canceled" in status


def test_an_engine_that_crashes_fails_its_operation_only(
    made: dict[str, Path], fake_soffice: Callable[[str], None]
) -> None:
    fake_soffice("kill -SEGV $PPID")
    with Sandbox(engine="auto") as sandbox:
        client = Client(sandbox)
        status = client.wait_slides(client.start_slides(made["odp"]))
        assert "crashed" in status["error"]["message"]
        assert status["error"]["httpStatusCode"] == 500
        assert client.wait_ocr(client.start_ocr(made["djvu"].read_bytes()))["taskStatus"] == "Completed"


def test_an_engine_that_lies_about_success_is_found_out(
    made: dict[str, Path], fake_soffice: Callable[[str], None]
) -> None:
    fake_soffice('echo "Error: source file could not be loaded"')
    with Sandbox(engine="libreoffice") as sandbox:
        client = Client(sandbox)
        assert "damaged" in client.wait_slides(client.start_slides(made["odp"]))["error"]["message"]


def test_stopping_the_sandbox_kills_what_runs(pids: Callable[[], list[int]], made: dict[str, Path]) -> None:
    with Sandbox(engine="libreoffice") as sandbox:
        client = Client(sandbox)
        client.start_slides(made["odp"])
        running = pids()
    wait_until(lambda: not any(map(is_running, running)))


def test_the_caller_can_set_a_time_limit(made: dict[str, Path]) -> None:
    with Sandbox(engine="wheels", seconds_per_page=SLOW) as sandbox:
        client = Client(sandbox)
        id = client.start_slides(made["pptx"], headers={"x-aspose-timeout": "1"})
        assert client.wait_slides(id)["status"] == "Canceled"


def test_progress_goes_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("docconv_sandbox.operations.time", clock)
    paced = Operation(
        service="slides",
        method="Convert",
        source_name="deck.pptx",
        target="png",
        folder=tmp_path,
        seconds_per_page=2.0,
        time_limit=None,
    )
    paced.begin()
    paced.report(3, 3, "Converted")
    for clock.now, done in ((100.0, 0), (101.9, 0), (102.0, 1), (104.0, 2), (109.0, 3)):
        assert paced.steps == (done, 3)
    paced.outcome = Outcome(files=[], pages=3, engine="", source="pptx")
    clock.now = 105.0
    assert paced.pace() == 1.0
    paced.end(State.SUCCEEDED)
    assert paced.steps == (3, 3)


def test_progress_ends_at_the_last_page(client: Client, made: dict[str, Path]) -> None:
    progress = client.wait_slides(client.start_slides(made["pptx"], "png"))["progress"]
    assert (progress["stepIndex"], progress["stepCount"]) == (3, 3)


def test_operations_are_forgotten(made: dict[str, Path]) -> None:
    with Sandbox(engine="wheels", retention=0.5) as sandbox:
        client = Client(sandbox)
        slides = client.start_slides(made["pptx"])
        ocr = client.start_ocr(made["djvu"].read_bytes())
        status = f"/v3.0/slides/async/{slides}"
        wait_until(lambda: client("GET", status).status_code == 404)
        wait_until(lambda: client.ocr_status(ocr)["taskStatus"] == "NotExist")
        assert client("GET", f"{status}/result").status_code == 404
        wait_until(lambda: sandbox.stats()["operations"] == [])


def test_only_the_result_is_kept(made: dict[str, Path], tmp_path: Path) -> None:
    async def scenario() -> None:
        operations = Operations(Settings(engine="wheels"), tmp_path / "operations")
        operation = operations.create("slides", "Convert", "deck.pptx", "png")
        source = operation.folder / "source"
        source.write_bytes(made["pptx"].read_bytes())
        operations.submit(operation, lambda _: Job(source=str(source), folder=str(operation.folder), target="png"))
        await asyncio.to_thread(wait_until, lambda: operation.ended and len(os.listdir(operation.folder)) == 1)
        assert os.listdir(operation.folder) == ["pages.zip"]

    asyncio.run(scenario())


def test_a_failure_of_the_sandbox_itself_ends_the_operation(tmp_path: Path) -> None:
    async def scenario() -> None:
        operations = Operations(Settings(), tmp_path)
        operation = operations.create("slides", "Convert", "deck.pptx", "pdf")

        def prepare(_: object) -> Job:
            raise ZeroDivisionError

        operations.submit(operation, prepare)
        await asyncio.to_thread(wait_until, lambda: operation.state.is_terminal)
        assert operation.state is State.FAILED
        assert isinstance(operation.failure, ConversionError)

    asyncio.run(scenario())


def test_many_operations_come_through(client: Client, made: dict[str, Path]) -> None:
    ids = [client.start_slides(made["pptx"]) for _ in range(12)]
    assert {client.wait_slides(id)["status"] for id in ids} == {"Finished"}
    operations = {found["id"]: found for found in client("GET", "/sandbox/stats").json()["operations"]}
    for id in ids:
        assert operations[id]["engine"] == "office2pdf"
        assert operations[id]["pages"] == 3
        assert operations[id]["state"] == "succeeded"
