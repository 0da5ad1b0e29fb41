"""Waiting: the same end in the worker and in the triggerer."""

from __future__ import annotations

import importlib.util
import re
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_docconv.polling import Pace, Wait
from airflow_provider_docconv.sensors import docconv as sensors
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from tests.support.hostile import HTML, Answer, Hostile
from tests.support.tasks import connect, wait

SERVICES = ["aspose_slides", "groupdocs_conversion", "aspose_ocr"]
KEY = {"aspose_slides": "status", "groupdocs_conversion": "status", "aspose_ocr": "taskStatus"}
RUNNING = {"aspose_slides": "Started", "groupdocs_conversion": "Started", "aspose_ocr": "Processing"}
DONE = {"aspose_slides": "Finished", "groupdocs_conversion": "Finished", "aspose_ocr": "Completed"}
GONE = Answer({"error": {"message": "Operation does not exist"}}, 404)
SAID = {"error": {"message": "Slide 7 is broken."}}


def outcome(values: dict[str, Any], *, deferrable: bool) -> tuple[Any, ...]:
    """Return how a wait ends: the XCom, or the error's types and text."""
    try:
        return (wait(values, deferrable=deferrable),)
    except AirflowException as error:
        # The two transports have their own words for a broken connection.
        text = re.sub(r"at http:.*? \(operation", "(operation", str(error))
        return ([kind.__name__ for kind in type(error).__mro__], text)


def both(monkeypatch: pytest.MonkeyPatch, *answers: Answer, conn_type: str = "aspose_slides", **values: Any) -> Any:
    """Wait in both modes, compare, and return the one end."""
    ends = []
    for deferrable in (False, True):
        with Hostile(*answers) as server:
            connect(monkeypatch, server.url, conn_type)
            ends.append(
                outcome({"operation_id": "op-1", "source": "s3://b/deck.pptx", **values}, deferrable=deferrable)
            )
    plain, deferred = ends
    assert plain == deferred
    return plain


def running(conn_type: str) -> Answer:
    return Answer({KEY[conn_type]: RUNNING[conn_type]})


@pytest.mark.parametrize("conn_type", SERVICES)
@pytest.mark.parametrize("polls", [0, 1, 3])
def test_success(conn_type: str, polls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [*[running(conn_type)] * polls, Answer({KEY[conn_type]: DONE[conn_type]})]
    assert both(monkeypatch, *answers, conn_type=conn_type, operation_id=' "op-1"\n') == ("op-1",)


ENDS: list[tuple[str, Answer, str, str]] = [
    ("aspose_slides", Answer({"status": "Failed", **SAID}), "ConversionFailed", "Slide 7 is broken."),
    ("aspose_slides", Answer({"status": "Canceled"}), "ConversionCanceled", "cancelled"),
    ("aspose_slides", GONE, "OperationNotFound", "Operation does not exist"),
    ("groupdocs_conversion", Answer({"status": "Failed", "error": "Wrong password."}), "ConversionFailed", "Wrong pa"),
    ("groupdocs_conversion", Answer({"status": "Canceled"}), "ConversionCanceled", "clear the task that started it"),
    ("groupdocs_conversion", GONE, "OperationNotFound", "results are kept for about 24 hours"),
    (
        "aspose_ocr",
        Answer({"taskStatus": "Error", "error": {"messages": ["No page."]}}),
        "ConversionFailed",
        "No page.",
    ),
    ("aspose_ocr", Answer({"taskStatus": "NotExist"}), "OperationNotFound", "does not know the operation"),
]


@pytest.mark.parametrize(("conn_type", "end", "kind", "words"), ENDS)
@pytest.mark.parametrize("at_once", [True, False])
def test_every_other_end_is_the_same_error_without_retries(
    conn_type: str, end: Answer, kind: str, words: str, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    types, text = both(monkeypatch, *([] if at_once else [running(conn_type)]), end, conn_type=conn_type)
    assert types[0] == kind
    assert {kind, "DocConvError", AirflowFailException.__name__} <= set(types)
    assert text.startswith("s3://b/deck.pptx: ")
    assert words in text
    assert "(operation op-1, connection 'docs')" in text
    assert text.endswith(".")


def test_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    types, text = both(monkeypatch, running("aspose_slides"), timeout=0.1)
    assert {"DeadlineExceeded", AirflowSensorTimeout.__name__} <= set(types)
    assert "op-1" in text
    assert "raise the timeout" in text


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (Answer({"status": "Paused"}), r"in time: it was running \(Paused\) "),
        (Answer({"message": "Maintenance."}, 503), r'in time: Aspose.Slides Cloud is .* saying "Maintenance."'),
    ],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_deadline_tells_what_the_service_said_last(
    last: Answer, words: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(last) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DeadlineExceeded, match=words):
            wait({"operation_id": "op-1", "timeout": 0.1}, deferrable=deferrable)


@pytest.mark.parametrize("end", [GONE, Answer({"status": "Finished"})], ids=["it has vanished", "it is known"])
def test_an_operation_is_unknown_if_the_service_says_so_twice(end: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = both(monkeypatch, GONE, end)
    assert found == ("op-1",) if end is not GONE else found[0][0] == "OperationNotFound"


FAULTS = {
    "unavailable": Answer(b"", 503),
    "closed": Answer(fault="close"),
    "html": Answer(HTML),
    "html that says not found": Answer(HTML, 404),
    "truncated": Answer(b'{"status": "Fin', length=90),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_failed_polls_are_no_failed_conversion(fault: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [running("aspose_slides"), *[fault] * 12, running("aspose_slides"), *[fault] * 12]
    assert both(monkeypatch, *answers, Answer({"status": "Finished"}), fault_tolerance=60) == ("op-1",)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_but_not_for_ever(fault: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    types, text = both(monkeypatch, running("aspose_slides"), fault, fault_tolerance=0.0)
    assert types[0] in ("ServiceUnavailable", "UnexpectedReply")
    assert AirflowFailException.__name__ not in types
    assert "(operation op-1)" in text
    assert "connection 'docs'" in text


def test_tolerance_is_a_span_of_time() -> None:
    going = Operation("op-1", OperationState.RUNNING, "Started")
    fault = exceptions.ServiceUnavailable("X is away")
    waiting = Wait("op-1", "X", deadline=1000, pace=Pace(5, 5), fault_tolerance=100)
    assert waiting.after_poll(fault, 0) == pytest.approx(5, rel=0.1)
    assert waiting.after_poll(fault, 99) == pytest.approx(5, rel=0.1)
    assert waiting.after_poll(going, 100) == pytest.approx(5, rel=0.1)
    assert waiting.after_poll(fault, 150) == pytest.approx(5, rel=0.1)
    assert waiting.after_poll(fault, 249) == pytest.approx(5, rel=0.1)
    with pytest.raises(exceptions.ServiceUnavailable, match=r"operation op-1"):
        waiting.after_poll(fault, 250)
    assert waiting.after_poll(going, 997) == 3
    with pytest.raises(exceptions.DeadlineExceeded):
        waiting.after_poll(going, 1000)


@pytest.mark.parametrize("how", ["soft_fail", "never_fail"])
@pytest.mark.parametrize(
    ("end", "words", "limits"),
    [
        (Answer({"status": "Failed"}), "could not convert", {}),
        (GONE, "does not know", {}),
        (running("aspose_slides"), "in time", {"timeout": 0.1}),
        (Answer(b"", 503), "HTTP 503", {"fault_tolerance": 0.05}),
    ],
    ids=["failed", "gone", "late", "unavailable"],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_failures_can_be_skips_that_say_why(
    how: str, end: Answer, words: str, limits: dict[str, float], deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hostile(running("aspose_slides"), end) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowSkipException, match=words):
            wait({"operation_id": "op-1", **limits, how: True}, deferrable=deferrable)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_skip_at_the_first_poll(deferrable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(Answer({"status": "Failed"})) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(AirflowSkipException):
            wait({"operation_id": "op-1", "soft_fail": True}, deferrable=deferrable)


@pytest.mark.parametrize("operation_id", ["", None, "None", "a b", "<html>", {"id": 1}])
@pytest.mark.parametrize("deferrable", [False, True])
def test_what_is_no_operation_id(operation_id: Any, deferrable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(GONE) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.InvalidOptions, match="not an operation id") as raised:
            wait({"operation_id": operation_id}, deferrable=deferrable)
    assert isinstance(raised.value, AirflowFailException)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that a task's log gets."""
    found: list[str] = []
    log = SimpleNamespace(info=lambda text, *args: found.append(text % args))
    monkeypatch.setattr(ConversionSensor, "log", log)
    monkeypatch.setattr(ConversionTrigger, "log", log)
    return found


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_log_gives_a_fault_no_remedy(deferrable: bool, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(GONE, Answer({"status": "Paused"}), Answer(HTML), Answer({"status": "Failed"})) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.ConversionFailed):
            wait({"operation_id": "op-1"}, deferrable=deferrable)
    assert [line.partition("operation op-1: ")[2] for line in lines][:3] == [
        "not found (404)",
        "running (Paused)",
        "poll failed: Aspose.Slides Cloud replied with an HTML page instead of JSON, "
        'saying "Sign in to the company proxy"',
    ]


@pytest.mark.parametrize("deferrable", [False, True])
def test_progress_is_logged_once_a_step(deferrable: bool, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [{"description": "Slide converted", "stepIndex": step, "stepCount": 3} for step in (1, 1, 2)]
    answers = [Answer({"status": "Started", "progress": progress}) for progress in steps]
    with Hostile(*answers, Answer({"status": "Finished"})) as server:
        connect(monkeypatch, server.url)
        wait({"operation_id": "op-1"}, deferrable=deferrable)
    said = "\n".join(lines)
    assert said.count("operation op-1: running (Started), step 2 of 3: Slide converted") == 1
    assert "Aspose.Slides Cloud, operation op-1: running (Started), step 1 of 3" in said


@pytest.mark.parametrize("value", ["True", "False"])
def test_airflows_default_decides_on_the_mode(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", value)
    spec = importlib.util.spec_from_file_location("sensors_again", sensors.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again.ConversionSensor(task_id="t", conn_id="c", operation_id="o").deferrable is (value == "True")
