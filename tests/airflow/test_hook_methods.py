"""What people do with the two hooks, from the docs alone: the same in a thread and in an event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import (
    AIRFLOW_VERSION,
    AirflowException,
    AirflowFailException,
    ObjectStoragePath,
)
from airflow_provider_docconv.hooks.asynchronous import DocConvAsyncHook
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.operations import Operation, OperationState
from dev.sandbox import Sandbox
from docconv_sandbox import expected_result
from tests.support.tasks import CLIENT_ID, SECRET, connect, fire

Service = Callable[..., Sandbox]
RESULT = 2048
OPERATION = Operation("op-1", OperationState.SUCCEEDED, "Finished")
SCAN = Path(__file__).parent.parent / "data" / "project_scan.djvu"


class Blocking:
    """The hook as it is."""

    def __init__(self, conn_id: str = "docs") -> None:
        self.conn_id = conn_id

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return getattr(DocConvHook.for_connection(self.conn_id), name)


class Asynchronous(Blocking):
    """The other hook, each call in an event loop of its own."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            hook = await DocConvAsyncHook.for_connection(self.conn_id)
            return await getattr(hook, name)(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(call(*args, **kwargs))


@pytest.fixture(params=[Blocking, Asynchronous])
def hook(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a deck.pptx"
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04 a deck")
    return path


def result_of(path: Path) -> bytes:
    return expected_result(hashlib.sha256(path.read_bytes()).hexdigest(), RESULT)


@pytest.mark.parametrize("form", [str, Path, lambda path: ObjectStoragePath(f"file://{path}")])
@pytest.mark.parametrize("conn_type", ["aspose_slides", "groupdocs_conversion"])
def test_convert(
    conn_type: str,
    form: Callable[[object], Any],
    hook: Any,
    document: Path,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, service().url, conn_type)
    delivered = hook.convert(form(document), "pdf", form(tmp_path / "out"))
    expected = result_of(document)
    stored = tmp_path / "out" / "a deck.pdf"
    assert stored.read_bytes() == expected
    sha256 = hashlib.sha256(expected).hexdigest()
    assert [each | {"uri": each["uri"].removeprefix("file://")} for each in delivered] == [
        {"uri": str(stored), "size": RESULT, "sha256": sha256}
    ]


def test_convert_a_scan_to_a_named_file(
    hook: Any, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service()
    connect(monkeypatch, echo.url, "aspose_ocr")
    hook.convert(SCAN, "pdf", tmp_path / "searchable.pdf", {"language": "English"})
    assert (tmp_path / "searchable.pdf").read_bytes().startswith(b"%PDF")
    assert echo.stats()["calls"]["start"] == 1


def test_start_wait_and_download(hook: Any, document: Path, service: Service, tmp_path: Path) -> None:
    echo = service()
    operation_id = hook.start(document, "pdf", {"password": "open sesame"})
    assert isinstance(operation_id, str)
    assert json.loads(json.dumps(operation_id)) == operation_id
    operation = hook.wait(operation_id, timeout=timedelta(minutes=5), poke_interval=0.1)
    assert (operation.id, operation.state) == (operation_id, OperationState.SUCCEEDED)
    [delivered] = hook.download(str(operation_id), tmp_path / "out/", source=document)
    assert Path(delivered["uri"]).name == "a deck.pdf"
    [unnamed] = hook.download(operation_id, tmp_path / "out")
    assert unnamed["sha256"] == delivered["sha256"]
    assert echo.stats()["calls"]["start"] == 1


def test_what_was_uploaded_and_its_result_are_deleted(
    hook: Any, document: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, service("--storage", "Main").url, "groupdocs_conversion")
    left = DocConvHook.for_connection("docs")
    started = left.start(document, "pdf", {"loadOptions": {"format": "pptx"}, "storageName": "Main"})
    hook.wait(started, poke_interval=0.1)
    hook.download(started, tmp_path / "out", cleanup=True)
    assert started.remote_source is None or not left.remote_exists(
        started.remote_source.path, started.remote_source.storage
    )


@pytest.mark.parametrize(
    ("source", "target_format", "destination", "options", "words"),
    [
        (5, "pdf", "/out", None, "source is 5: expected a path or URI"),
        (None, "pdf", "/out", None, "source is None: expected a path or URI"),
        (b"/in/deck.pptx", "pdf", "/out", None, "source is b'/in/deck.pptx': expected a path or URI"),
        (["a.pptx"], "pdf", "/out", None, r"source is \['a.pptx'\]: expected a path or URI"),
        ("DECK", None, "/out", None, "None is not a target format"),
        ("DECK", 7, "/out", None, "7 is not a target format"),
        ("DECK", "docx", "/out", None, "can't convert to 'docx', only to"),
        ("DECK", "pdf", None, None, "destination is None: expected a path or URI"),
        ("DECK", "pdf", ["/out"], None, r"destination is \['/out'\]: expected a path or URI"),
        ("DECK", "pdf", "out/", None, "the destination 'out/' is a relative path"),
        ("DECK", "pdf", "/out/deck.docx", None, "ends with .docx, but the results are pdf files, so nothing was sent"),
        ("DECK", "pdf", "/out", "fast", "options must be a mapping"),
        ("DECK", "pdf", "/out", {"pasword": "x"}, "pasword"),
    ],
)
def test_wrong_values_give_a_sentence(
    source: Any,
    target_format: Any,
    destination: Any,
    options: Any,
    words: str,
    hook: Any,
    document: Path,
    service: Service,
) -> None:
    echo = service()
    with pytest.raises(exceptions.InvalidOptions, match=words) as raised:
        hook.convert(document if source == "DECK" else source, target_format, destination, options)
    assert isinstance(raised.value, AirflowFailException)
    assert "connection 'docs'" in str(raised.value)
    assert echo.stats()["calls"]["start"] == 0


@pytest.mark.parametrize("operation_id", [None, 5, "", b"op-1", ["op-1"], "None", "two\nlines", OPERATION])
def test_what_is_no_operation_id_gives_a_sentence(operation_id: Any, hook: Any, service: Service) -> None:
    service()
    kept = DocConvHook.for_connection("docs")
    for call in (
        hook.wait,
        lambda given: hook.download(given, "/out"),
        kept.get_operation,
        kept.get_results,
        kept.cancel,
    ):
        with pytest.raises(exceptions.InvalidOptions, match="operation id"):
            call(operation_id)


@pytest.mark.parametrize("value", ["soon", None, 0, -1, timedelta(0), True, float("nan")])
def test_what_is_no_time_gives_a_sentence_before_anything_is_sent(
    value: Any, hook: Any, document: Path, service: Service
) -> None:
    echo = service()
    with pytest.raises(exceptions.InvalidOptions, match="timeout must be a number of seconds or a timedelta"):
        hook.convert(document, "pdf", "/out", timeout=value)
    assert echo.stats()["calls"]["start"] == 0


@pytest.mark.parametrize("value", ["soon", None, -1, True])
def test_what_is_no_fault_tolerance_gives_a_sentence(value: Any, hook: Any, service: Service) -> None:
    service()
    with pytest.raises(exceptions.InvalidOptions, match="fault_tolerance must be a number of seconds or a timedelta"):
        hook.wait("op-1", fault_tolerance=value)


@pytest.mark.parametrize("tolerance", [0, timedelta(0)])
def test_no_fault_is_tolerated(tolerance: Any, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(exceptions.ServiceUnavailable):
        hook.wait("op-1", fault_tolerance=tolerance)


@pytest.mark.parametrize("parameter", ["remote_result", "remote_source"])
def test_what_is_no_address_in_the_vendors_storage_gives_a_sentence(
    parameter: str, hook: Any, service: Service
) -> None:
    service()
    with pytest.raises(exceptions.InvalidOptions, match="5 is not an address in the storage"):
        hook.download("op-1", "/out", **{parameter: 5})


@pytest.mark.parametrize("presentations", [5, "a.pptx", ["a.pptx"]])
def test_what_can_not_be_merged_gives_a_sentence(presentations: Any, service: Service) -> None:
    service()
    with pytest.raises(exceptions.InvalidOptions, match="expected a list of PresentationToMerge"):
        DocConvHook.for_connection("docs").start_merge(presentations)


def test_an_error_names_the_path_of_any_path_like(hook: Any, tmp_path: Path, service: Service) -> None:
    service()

    class Place:
        def __fspath__(self) -> str:
            return str(tmp_path / "none.pptx")

    with pytest.raises(exceptions.SourceNotFound, match=rf"^{tmp_path}/none\.pptx: "):
        hook.start(Place(), "pdf")


def test_a_missing_document(hook: Any, service: Service, tmp_path: Path) -> None:
    service()
    with pytest.raises(exceptions.SourceNotFound, match="the source does not exist, so nothing was sent"):
        hook.convert(tmp_path / "none.pptx", "pdf", tmp_path / "out")


@pytest.fixture
def converting(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect to a sandbox that really converts."""
    connect(monkeypatch, sandbox.url, login=sandbox.client_id, password=sandbox.client_secret)


@pytest.mark.usefixtures("converting")
def test_a_document_that_can_not_be_converted(hook: Any, document: Path, tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConversionFailed, match=r"a deck\.pptx: .*could not convert the document") as raised:
        hook.convert(document, "pdf", tmp_path / "out", poke_interval=0.1)
    assert raised.value.operation_id
    assert not (tmp_path / "out").exists()


def test_a_lost_reply_is_not_sent_again(hook: Any, document: Path, service: Service, tmp_path: Path) -> None:
    echo = service("--faults", "start=lost:1")
    with pytest.raises(exceptions.StartReplyLost) as raised:
        hook.convert(document, "pdf", tmp_path / "out")
    assert isinstance(raised.value, AirflowFailException)
    assert echo.stats()["calls"]["start"] == 1


def test_a_wait_that_takes_too_long_cancels_where_that_is_possible(
    hook: Any, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = service("--seconds", "600")
    connect(monkeypatch, echo.url, "aspose_ocr")
    with pytest.raises(exceptions.DeadlineExceeded, match="the operation was cancelled: raise the timeout"):
        hook.convert(SCAN, "pdf", tmp_path / "out", timeout=0.5, poke_interval=0.1)
    assert echo.stats()["calls"]["cancel"] == 1


def test_a_service_that_is_away_is_worth_a_retry(
    hook: Any, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(exceptions.ServiceUnavailable) as raised:
        hook.convert(document, "pdf", tmp_path / "out")
    assert isinstance(raised.value, AirflowException)
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.usefixtures("converting")
def test_a_password_is_not_shown(hook: Any, document: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(exceptions.ConversionFailed) as raised:
        hook.convert(document, "pdf", tmp_path / "out", {"password": "open-sesame-5"}, poke_interval=0.1)
    assert "open-sesame-5" not in caplog.text + str(raised.value)


@pytest.mark.parametrize("conn_type", ["aspose_slides", "groupdocs_conversion", "aspose_ocr"])
def test_formats(conn_type: str, hook: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, service().url, conn_type)
    source = {"aspose_ocr": "djvu"}.get(conn_type, "pptx")
    formats = hook.get_supported_formats()
    assert "pdf" in formats[source]
    for given in (source, f".{source.upper()}"):
        assert hook.get_supported_formats(given) == {source: formats[source]}
    with pytest.raises(exceptions.InvalidOptions, match="5 is not a source format"):
        hook.get_supported_formats(5)


def test_the_connection(hook: Any, service: Service) -> None:
    service()
    assert hook.test_connection() == (True, hook.test_connection()[1])
    assert Asynchronous("docs").test_connection()[1].startswith("Logged in to Aspose.Slides Cloud at http://127.0.0.1:")


@pytest.mark.usefixtures("converting")
def test_unpacked_pages(hook: Any, deck: str, tmp_path: Path) -> None:
    pages = hook.convert(deck, "png", tmp_path / "pages", unpack=True, poke_interval=0.1)
    assert len(pages) == 2
    assert all(Path(each["uri"].removeprefix("file://")).read_bytes().startswith(b"\x89PNG") for each in pages)


def test_a_document_in_the_vendors_storage_stays_there(
    hook: Any, document: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, service("--storage", "Main").url, "groupdocs_conversion")
    kept = DocConvHook.for_connection("docs")
    kept.upload(kept._open(document), "in/kept.pptx", "Main")
    hook.convert("groupdocs-conversion://Main/in/kept.pptx", "pdf", tmp_path / "out", poke_interval=0.1)
    assert (tmp_path / "out" / "kept.pdf").exists()
    assert kept.remote_exists("in/kept.pptx", "Main")
    hook.convert(RemoteDocument("in/kept.pptx", "Main"), "pdf", tmp_path / "again", poke_interval=0.1)
    assert (tmp_path / "again" / "kept.pdf").exists()


def test_many_at_once_share_a_session_and_do_not_hold_the_loop(
    document: Path, service: Service, tmp_path: Path, delays: list[float]
) -> None:
    echo = service()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        hook = await DocConvAsyncHook.for_connection("docs")
        ticking = asyncio.create_task(turn())
        await asyncio.gather(*(hook.convert(document, "pdf", tmp_path / f"{number}.pdf") for number in range(20)))
        ticking.cancel()

    asyncio.run(main())
    assert {path.name for path in tmp_path.glob("*.pdf")} == {f"{number}.pdf" for number in range(20)}
    calls = echo.stats()["calls"]
    assert (calls["start"], calls["login"]) == (20, 1)
    assert turns > 100


def test_documents_that_hang_leave_the_loops_own_threads_free(document: Path, service: Service) -> None:
    service()
    release = threading.Event()

    class Hanging:
        def __fspath__(self) -> str:
            release.wait()
            return str(document)

    async def main() -> None:
        hook = await DocConvAsyncHook.for_connection("docs")
        starts = [asyncio.create_task(hook.start(Hanging(), "pdf")) for _ in range(64)]
        try:
            await asyncio.sleep(0)
            # It would wait for the documents without end.
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 120)
        finally:
            release.set()
        assert len(set(await asyncio.gather(*starts))) == len(starts)

    asyncio.run(main())


class Converting(BaseTrigger):
    """A trigger of a user's own."""

    def __init__(self, source: str, destination: str) -> None:
        super().__init__()
        self.source, self.destination = source, destination

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"source": self.source, "destination": self.destination}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = await DocConvAsyncHook.for_connection("docs")
        yield TriggerEvent(await hook.convert(self.source, "pdf", self.destination))


def test_in_a_trigger(document: Path, service: Service, tmp_path: Path) -> None:
    service()
    [delivered] = fire(Converting(str(document), str(tmp_path / "out")))
    assert Path(delivered["uri"]).read_bytes() == result_of(document)


OUTSIDE = """
import sys
from airflow_provider_docconv.hooks.docconv import DocConvHook
print(DocConvHook.for_connection("docs").convert(sys.argv[1], "pdf", sys.argv[2])[0]["size"])
"""
OUTSIDE_ASYNC = """
import asyncio, sys
from airflow_provider_docconv.hooks.asynchronous import DocConvAsyncHook

async def main():
    hook = await DocConvAsyncHook.for_connection("docs")
    return await hook.convert(sys.argv[1], "pdf", sys.argv[2])

print(asyncio.run(main())[0]["size"])
"""


@pytest.mark.parametrize("program", [OUTSIDE, OUTSIDE_ASYNC], ids=["blocking", "asynchronous"])
def test_outside_airflow_without_a_database(program: str, document: Path, service: Service, tmp_path: Path) -> None:
    service()
    home = tmp_path / "no airflow here"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
    environment |= {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/none.db"}
    command = [sys.executable, "-c", program, str(document), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == str(RESULT), done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert CLIENT_ID not in done.stderr


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="tests/airflow/test_whole_dag.py runs Dags there")
def test_the_hook_imports_no_http_library() -> None:
    program = """
import sys
import airflow_provider_docconv.hooks.asynchronous
assert not {"aiohttp", "requests", "urllib3"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
