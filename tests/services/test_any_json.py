"""Whatever a service answers, it is an answer or an error of ours, and never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.http import Request, Token, read_token
from airflow_provider_docconv.services.operations import Operation, Started
from airflow_provider_docconv.services.service import create_service
from tests.support.flows import OPERATION, document, play, reply

WORDS = ["Finished", "Failed", "Started", "Completed", "Error", "NotExist", "ConvertAndSave", "Convert", "http://[", ""]
HUGE = 10**400
scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from([HUGE, -1, 0, 1.5, float("inf"), float("nan"), "\ud800", "x" * 5000, "\x00", "..", "a/../b"])
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
    | st.integers()
)
KEYS = (
    "status taskStatus progress stepIndex stepCount description error message messages code method result results name "
    "size path url data type access_token expires_in uploaded errors Status Result"
).split()
objects = st.recursive(
    st.dictionaries(st.sampled_from(KEYS), scalars, max_size=8),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner | scalars | st.lists(inner, max_size=3), max_size=8),
    max_leaves=12,
)
values = objects | scalars | st.lists(objects, max_size=3)
statuses = st.sampled_from([200, 200, 200, 201, 400, 401, 404, 500])


def survives(flow: Any, *replies: Any) -> Any:
    try:
        return play(flow, *replies)[1]
    except DocConvError as error:
        words = str(error)
    words.encode()
    assert "\n" not in words
    return None


@pytest.mark.parametrize("name", SERVICES)
@given(value=values, status=statuses)
def test_status(name: str, value: Any, status: int) -> None:
    operation = survives(create_service(SERVICES[name]).status(OPERATION), reply(value, status))
    if operation is None:
        return
    assert isinstance(operation, Operation)
    # It goes into a trigger's event, which is a row in a database.
    event = json.dumps(operation.serialize())
    assert Operation.deserialize(json.loads(event)) == operation
    assert len(event) < 5000
    operation.progress.encode()


@given(value=values, status=statuses)
@example(value={"method": "ConvertAndSave", "result": [{}]}, status=200)
def test_results(value: Any, status: int) -> None:
    files = survives(create_service(SERVICES["groupdocs_conversion"]).results(OPERATION), reply(value, status))
    for file in files or []:
        assert isinstance(file.request, Request)
        assert file.request.path.startswith("/v2.0/conversion/")
        assert file.request.path.isascii()


@given(item=objects)
@example(item={"url": "http://["})
@example(item={"path": "\ud800"})
@example(item={"path": ".."})
def test_results_in_the_vendors_storage(item: dict[str, Any]) -> None:
    value = {"method": "ConvertAndSave", "result": [item]}
    survives(create_service(SERVICES["groupdocs_conversion"]).results(OPERATION), reply(value))


@pytest.mark.parametrize("name", SERVICES)
@given(value=values, status=statuses)
def test_start(name: str, value: Any, status: int) -> None:
    source = document(b"AT&TFORM", "scan.djvu")
    started = survives(create_service(SERVICES[name]).start(source, "pdf", {}), reply(value, status))
    assert started is None or (isinstance(started, Started) and started.operation_id)


@given(value=values, status=statuses)
def test_upload(value: Any, status: int) -> None:
    flow = create_service(SERVICES["groupdocs_conversion"]).start(document(), "pdf", {"password": "x"})
    next(flow)
    try:
        request = flow.send(reply(value, status))
    except DocConvError:
        return
    assert request.method == "POST"


@given(value=values, status=statuses)
@example(value={"access_token": "t", "expires_in": HUGE}, status=200)
@example(value={"access_token": "t", "expires_in": float("inf")}, status=200)
@example(value={"access_token": "t\r\nHost: x", "expires_in": 5}, status=200)
def test_login(value: Any, status: int) -> None:
    try:
        token = read_token(reply(value, status), "X", 1000.0)
    except DocConvError:
        return
    assert isinstance(token, Token)
    assert token.renew_at > 1000.0


@pytest.mark.parametrize("name", SERVICES)
@given(body=st.binary(max_size=40), status=statuses)
def test_bytes(name: str, body: bytes, status: int) -> None:
    survives(create_service(SERVICES[name]).status(OPERATION), reply(body, status))
