"""What the services say of an operation, in one vocabulary."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_docconv.services.errors import (
    OperationNotFound,
    ServiceUnavailable,
    StartReplyLost,
    UnexpectedReply,
)
from airflow_provider_docconv.services.http import Reply, Vendor, has_error_object
from airflow_provider_docconv.services.operations import Operation, OperationState, clean_operation_id, read_started
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import OPERATION, play, reply
from tests.support.replies import VENDORS

VENDOR = Vendor("X", lambda value, status: has_error_object(value))
STATUS_KEY = {"aspose_slides": "status", "groupdocs_conversion": "status", "aspose_ocr": "taskStatus"}
WORDS = {
    "aspose_slides": {
        "Created": "queued",
        "Enqueued": "queued",
        "Started": "running",
        "Finished": "succeeded",
        "Failed": "failed",
        "Canceled": "canceled",
    },
    "groupdocs_conversion": {
        "Created": "queued",
        "Started": "running",
        "Finished": "succeeded",
        "Failed": "failed",
        "Canceled": "canceled",
    },
    "aspose_ocr": {
        "Pending": "queued",
        "Processing": "running",
        "Completed": "succeeded",
        "Error": "failed",
        "NotExist": "not_found",
    },
}


def ask(service: str, answer: Reply) -> Operation:
    _, operation = play(create_service(VENDORS[service]).status(OPERATION), answer)
    return operation


@pytest.mark.parametrize(
    ("service", "word", "state"), [(service, *pair) for service, words in WORDS.items() for pair in words.items()]
)
def test_every_word_has_its_state(service: str, word: str, state: str) -> None:
    for spelled in (word, word.upper(), word.lower()):
        operation = ask(service, reply({STATUS_KEY[service]: spelled}))
        assert (operation.id, operation.state, operation.vendor_status) == (OPERATION, OperationState(state), spelled)


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize("word", ["Paused", 7, True])
def test_an_unknown_word_is_waited_for(service: str, word: object) -> None:
    operation = ask(service, reply({STATUS_KEY[service]: word}))
    assert operation.state is OperationState.RUNNING
    assert not operation.state.is_terminal


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize("answer", [{}, *({"status": word, "taskStatus": word} for word in ("", None, ["Finished"]))])
def test_an_answer_without_a_status_is_a_fault(service: str, answer: dict[str, object]) -> None:
    with pytest.raises(UnexpectedReply, match="without the operation's status"):
        ask(service, reply(answer))


def test_slides_may_number_its_states_and_write_pascal_keys() -> None:
    assert ask("aspose_slides", reply({"Status": 5})).state is OperationState.SUCCEEDED
    assert ask("aspose_slides", reply({"status": "3"})).state is OperationState.FAILED


def test_the_terminal_states_are_those_after_which_nothing_happens() -> None:
    assert {state.value for state in OperationState if not state.is_terminal} == {"queued", "running"}


@pytest.mark.parametrize("service", VENDORS)
def test_an_unknown_operation_is_a_state_while_waiting_and_an_error_at_the_end(service: str) -> None:
    gone = reply({"error": {"message": "Operation does not exist"}}, 404)
    assert ask(service, gone).state is OperationState.NOT_FOUND
    if service == "groupdocs_conversion":
        with pytest.raises(OperationNotFound, match=OPERATION):
            play(create_service(VENDORS[service]).results(OPERATION), gone)


@pytest.mark.parametrize("status", [400, 500])
def test_groupdocs_may_say_in_words_that_an_operation_is_unknown(status: int) -> None:
    assert ask("groupdocs_conversion", reply({"error": "Operation not found"}, status)).state.value == "not_found"


@pytest.mark.parametrize("service", VENDORS)
def test_a_service_in_trouble_says_nothing_of_the_operation(service: str) -> None:
    with pytest.raises(ServiceUnavailable):
        ask(service, reply(b"", 502))


FAILURES: list[tuple[str, dict[str, Any], str | None]] = [
    (
        "aspose_slides",
        {
            "status": "Failed",
            "error": {"code": "x", "description": "Long.", "httpStatusCode": 400, "message": "Short."},
        },
        "Short.",
    ),
    ("aspose_slides", {"status": "Failed", "error": {"code": "errorX", "description": "Long."}}, "Long."),
    ("aspose_slides", {"status": "Failed", "error": {"code": "errorX"}}, "errorX"),
    ("aspose_slides", {"status": "Failed", "error": "a plain string"}, "a plain string"),
    ("aspose_slides", {"status": "Failed"}, None),
    ("groupdocs_conversion", {"status": "Failed", "error": "The password is wrong."}, "The password is wrong."),
    ("groupdocs_conversion", {"Status": "Failed", "Error": "Pascal keys."}, "Pascal keys."),
    ("groupdocs_conversion", {"status": "Failed", "error": None}, None),
    ("aspose_ocr", {"taskStatus": "Error", "error": {"messages": ["One.", "Two."], "warnings": None}}, "One.; Two."),
    ("aspose_ocr", {"taskStatus": "Error", "error": None}, None),
]


@pytest.mark.parametrize(("service", "value", "said"), FAILURES)
def test_the_services_own_words_are_kept(service: str, value: dict[str, Any], said: str | None) -> None:
    operation = ask(service, reply(value))
    assert (operation.state, operation.message) == (OperationState.FAILED, said)


@pytest.mark.parametrize("service", VENDORS)
def test_a_proxys_page_is_not_the_service_that_knows_no_operation(service: str) -> None:
    page = b"<html><head><title>404 Not Found</title></head></html>"
    with pytest.raises(UnexpectedReply, match=r"\(HTTP 404, an HTML page\), saying \"404 Not Found\""):
        ask(service, reply(page, 404))
    with pytest.raises(ServiceUnavailable, match="HTTP 500"):
        ask(service, reply(page, 500))


def test_progress_of_slides() -> None:
    progress = {"description": "Slide converted", "stepIndex": 3, "stepCount": 15}
    operation = ask("aspose_slides", reply({"status": "Started", "progress": progress}))
    assert operation.progress == "running (Started), step 3 of 15: Slide converted"
    for absent in ({}, {"progress": None}, {"progress": {"stepIndex": 3}}, {"progress": "3 of 15"}):
        assert ask("aspose_slides", reply({"status": "Started", **absent})).progress == "running (Started)"


def test_an_operation_survives_the_way_through_json() -> None:
    operation = Operation(OPERATION, OperationState.FAILED, "Failed", "said", 1, 2, "words")
    assert Operation.deserialize(json.loads(json.dumps(operation.serialize()))) == operation


@pytest.mark.parametrize("text", ["{}", '"{}"', ' "{}"\r\n', '" {} "', "\n{} "])
def test_quoted_and_bare_ids(text: str) -> None:
    for name in (OPERATION, "op#7/é"):
        started = read_started(reply(text.format(name).encode(), 201), VENDOR)
        assert (started, started.remote_source) == (name, None)


@pytest.mark.parametrize(
    "text",
    ["", '""', '"', "a b", "a\tb", '"a"b"', "<html>", '{"id": 1}', "a" * 201, "a\u202eb", "a\x00", "\ufeffa", "a\nb"],
)
def test_what_can_not_be_an_id_is_a_lost_reply(text: str) -> None:
    with pytest.raises(ValueError, match="not an operation id"):
        clean_operation_id(text)
    with pytest.raises(StartReplyLost):
        read_started(reply(text.encode(), 200), VENDOR)
