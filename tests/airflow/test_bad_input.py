"""What bad input gets: an error of its own type and one sentence with the document, the service and the remedy."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msoffcrypto
import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowException, AirflowFailException
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from docconv_sandbox import Sandbox
from tests.support.hostile import HTML, Answer, Hostile, dead_url
from tests.support.tasks import SECRET, Store, connect, context, wait

PASSWORD = "the-password-of-the-document"
PDF = b"%PDF-1.7" + b"x" * 5000
SERVICES = {
    "aspose_slides": "Aspose.Slides Cloud",
    "groupdocs_conversion": "GroupDocs.Conversion Cloud",
    "aspose_ocr": "Aspose.OCR Cloud",
}
RESULT = {
    "aspose_slides": [Answer(b"op-1", 201), Answer({"status": "Finished"})],
    "groupdocs_conversion": [
        Answer(b'"op-1"'),
        Answer({"status": "Finished", "method": "Convert"}),
        Answer({"status": "Finished", "method": "Convert"}),
    ],
}


def encrypted(deck: bytes) -> bytes:
    made = io.BytesIO()
    msoffcrypto.OfficeFile(io.BytesIO(deck)).encrypt(PASSWORD, made)
    return made.getvalue()


@dataclass(frozen=True)
class Bad:
    """
    One kind of bad input.

    :param error: the type of the error
    :param says: what its text has beside the document and the service; the last is the remedy
    :param name: the document's file name
    :param content: makes the document out of a good deck; None makes none
    :param service: the connection type
    :param answers: of a hostile service; without them the sandbox serves
    :param host: of the connection, instead
    :param logins: of the hostile service
    :param retried: whether the task's next try may succeed
    """

    error: type[exceptions.DocConvError]
    says: tuple[str, ...]
    name: str = "quarterly report.pptx"
    content: Callable[[bytes], bytes | None] = bytes
    service: str = "aspose_slides"
    answers: list[Answer] | None = None
    host: Callable[[], str] | None = None
    logins: list[Answer] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    destination: str = "{folder}/"
    retried: bool = False


def served(*answers: Answer, service: str = "aspose_slides", **values: Any) -> dict[str, Any]:
    return {"answers": [*RESULT[service], *answers], "service": service, **values}


BAD = {
    "empty": Bad(exceptions.DocumentRejected, ("is empty", "repair or replace the document"), content=lambda _: b""),
    "damaged": Bad(
        exceptions.ConversionFailed,
        ("could not convert the document, saying", "correct the document or the options, then clear the task"),
        content=lambda deck: deck[: len(deck) // 2],
    ),
    "encrypted": Bad(
        exceptions.DocumentRejected, ("is encrypted", "give its password in options, or decrypt it"), content=encrypted
    ),
    "encrypted, wrong password": Bad(
        exceptions.ConversionFailed,
        ("Invalid password.", "correct the document or the options"),
        content=encrypted,
        options={"password": PASSWORD + "!"},
    ),
    "wrong password, repeated by the service": Bad(
        exceptions.DocumentRejected,
        ('saying "*** is wrong."', "correct the document, the target format or the options accordingly"),
        answers=[Answer({"error": {"message": f"{PASSWORD} is wrong."}}, 400)],
        options={"password": PASSWORD},
    ),
    "misnamed": Bad(
        exceptions.DocumentRejected,
        ("is not a .docx file (it is a PDF)", "rename or replace it"),
        name="letter.docx",
        content=lambda _: PDF,
        service="groupdocs_conversion",
    ),
    "unsupported by its content": Bad(
        exceptions.DocumentRejected, ("reads scans (PDF, ", "another service"), service="aspose_ocr"
    ),
    "unsupported by the service": Bad(
        exceptions.ConversionFailed,
        ("saying", "correct the document or the options, then clear the task"),
        name="firmware.bin",
        content=lambda _: b"\x7fELF" + bytes(900),
    ),
    "missing": Bad(exceptions.SourceNotFound, ("does not exist", "check the path"), content=lambda _: None),
    "unwritable": Bad(
        exceptions.DestinationUnwritable,
        ("file:///proc/nowhere/out.pdf can't be written", "check the path, and that its connection may write there"),
        **served(Answer(PDF)),
        destination="file:///proc/nowhere/out.pdf",
    ),
    "wrong credentials": Bad(
        exceptions.AuthenticationFailed,
        ("refused the client id and secret (HTTP 400)", "check login (client id) and password (client secret)"),
        host=lambda: "",
    ),
    "wrong credentials, repeated by the service": Bad(
        exceptions.AuthenticationFailed,
        ('saying "my-client/*** is unknown"', "check login (client id) and password"),
        answers=[],
        logins=[Answer({"error": "invalid_client", "error_description": f"my-client/{SECRET} is unknown"}, 400)],
    ),
    "a dead host": Bad(
        exceptions.ServiceUnavailable,
        ("can't be reached (Connection refused)", "check the host of connection 'docs'"),
        host=dead_url,
        retried=True,
    ),
    "HTML for a token": Bad(
        exceptions.LoginUnavailable,
        ('an HTML page instead of an access token, saying "Sign in to the company proxy"', "check host and auth_url"),
        answers=[],
        logins=[Answer(HTML)],
        retried=True,
    ),
    "HTML for an operation id": Bad(
        exceptions.StartReplyLost, ("an HTML page instead of an operation id", "clear the task"), answers=[Answer(HTML)]
    ),
    "HTML for a status": Bad(
        exceptions.UnexpectedReply,
        ("an HTML page instead of JSON", "not a proxy or a login page"),
        answers=[Answer(b"op-1"), Answer(HTML)],
        retried=True,
    ),
    "HTML for a listing": Bad(
        exceptions.UnexpectedReply,
        ("an HTML page instead of JSON", "not a proxy or a login page"),
        **{**served(service="groupdocs_conversion"), "answers": [*RESULT["groupdocs_conversion"][:2], Answer(HTML)]},
        retried=True,
    ),
    "HTML for a result": Bad(
        exceptions.ResultRejected,
        ("is not a .pdf file (it is an HTML page)", "nothing was written"),
        **served(Answer(HTML)),
        destination="{folder}/out.pdf",
    ),
    "a truncated download": Bad(
        exceptions.TruncatedResult,
        ("is incomplete", "downloads it again"),
        **served(Answer(PDF, length=len(PDF) + 1)),
        retried=True,
    ),
    "a name that walks out": Bad(
        exceptions.ResultRejected,
        ("returned an unsafe file name '../../etc/cron.d/x.pdf'", "nothing was written"),
        **served(Answer(PDF, headers={"Content-Disposition": 'attachment; filename="../../etc/cron.d/x.pdf"'})),
    ),
    "a link to another host": Bad(
        exceptions.OperationNotFound,
        ("has no file 'a.pdf' in its storage", "results are kept for about 24 hours"),
        service="groupdocs_conversion",
        answers=[
            *RESULT["groupdocs_conversion"][:2],
            Answer({"method": "ConvertAndSave", "result": [{"name": "a.pdf", "url": "http://127.0.0.1:9/a.pdf"}]}),
            Answer({"error": {"message": "The specified key does not exist."}}, 404),
        ],
    ),
}


@pytest.fixture
def service_of(sandbox: Sandbox) -> Iterator[Callable[[Bad], dict[str, str]]]:
    """Serve a kind of bad input and return what a connection to that says."""
    with ExitStack() as servers:

        def serve(bad: Bad) -> dict[str, str]:
            if bad.answers is not None:
                return {"url": servers.enter_context(Hostile(*bad.answers, logins=bad.logins)).url}
            if bad.host is not None:
                return {"url": bad.host() or sandbox.url}
            return {"url": sandbox.url, "login": sandbox.client_id, "password": sandbox.client_secret}

        yield serve


def convert(bad: Bad, source: str, destination: str, *, deferrable: bool) -> None:
    """Do what a Dag does with a document."""
    common: dict[str, Any] = {"conn_id": "docs", "source": source}
    start = StartConversionOperator(task_id="start", target_format="pdf", options=bad.options, **common)
    waiting = {"operation_id": start.execute(context(Store())), "source": source, "fault_tolerance": 0.0}
    operation_id = wait({**waiting, "poke_interval": 0.05}, deferrable=deferrable)
    DownloadResultOperator(task_id="d", operation_id=operation_id, destination=destination, **common).execute(context())


@pytest.mark.parametrize("deferrable", [False, True], ids=["plain", "deferrable"])
@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_bad_input(
    bad: Bad,
    deferrable: bool,
    deck_bytes: bytes,
    service_of: Callable[[Bad], dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, conn_type=bad.service, **service_of(bad))
    source, folder = tmp_path / "in" / bad.name, tmp_path / "out"
    source.parent.mkdir()
    folder.mkdir()
    if (content := bad.content(deck_bytes)) is not None:
        source.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(bad.error) as raised:
        convert(bad, f"file://{source}", bad.destination.format(folder=f"file://{folder}"), deferrable=deferrable)

    error, text = raised.value, str(raised.value)
    assert isinstance(error, AirflowException)
    assert isinstance(error, AirflowFailException) is not bad.retried
    assert text.startswith(f"file://{source}: ")
    assert SERVICES[bad.service] in text
    assert "connection 'docs'" in text
    assert all(words in text for words in bad.says)
    assert bad.says[-1] in error.remedy
    assert error.remedy in text
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 700
    assert sorted(tmp_path.rglob("*")) == before
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert not any(secret in shown for secret in (SECRET, PASSWORD, "token-1"))
