"""The connection forms and the test button of a real Airflow."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests

from dev.airflow import Airflow
from dev.rest import RestError
from dev.sandbox import CONNECTIONS, Sandbox
from tests.support.planted_secrets import CLIENT_SECRET


@pytest.fixture(scope="module")
def forms(airflow: Airflow) -> dict[str, dict[str, Any]]:
    airflow.rest.get("version")  # logs in
    headers = {"Authorization": airflow.rest.session.headers["Authorization"]}
    answer = requests.get(f"{airflow.url}/ui/connections/hook_meta", headers=headers, timeout=30)
    return {form["connection_type"]: form for form in answer.json()}


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_the_form_asks_for_what_the_service_needs(forms: dict[str, dict[str, Any]], conn_type: str) -> None:
    standard, extra = forms[conn_type]["standard_fields"], forms[conn_type]["extra_fields"]

    assert standard["login"]["title"] == "Client ID"
    assert standard["password"]["title"] == "Client Secret"
    assert standard["host"]["placeholder"].startswith("https://api.")
    # Hidden, it would make the button of 3.3.1 and 3.3.2 send port 0, which Airflow refuses.
    assert standard["port"]["hidden"] is False
    assert standard["port"]["placeholder"].startswith("443 ")
    assert {"auth_url", "read_timeout", "connect_timeout", "verify"} <= set(extra)
    assert ("storage_name" in extra) == (conn_type != "aspose_ocr")


def press(airflow: Airflow, conn_type: str, **fields: str | int | None) -> dict[str, Any]:
    body = {"connection_id": "tried", "conn_type": conn_type, "login": "sandbox", **fields}
    return airflow.rest.post("connections/test", body)


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_the_button_logs_in(airflow: Airflow, sandbox: Sandbox, conn_type: str) -> None:
    answer = press(airflow, conn_type, host=sandbox.url, password=CLIENT_SECRET)

    assert answer["status"] is True
    assert answer["message"].endswith(f" at {sandbox.url}.")


def save(airflow: Airflow, conn_type: str, **fields: str | int | None) -> dict[str, Any]:
    """Save a connection as the form does, and return what the button in the list sends about it, but for the port."""
    conn_id = f"saved_{conn_type}_{'_'.join(fields)}"
    saved = {"connection_id": conn_id, "conn_type": conn_type, "login": "sandbox", "password": CLIENT_SECRET}
    airflow.rest.post("connections", {**saved, **fields, "extra": '{"read_timeout": 30}'})
    shown = airflow.rest.get(f"connections/{conn_id}")
    empty = {"extra": "{}"}
    texts = ("description", "extra", "host", "login", "password", "schema")
    body = {each: shown[each] or empty.get(each, "") for each in texts}
    assert CLIENT_SECRET not in str(body)
    return {"connection_id": conn_id, "conn_type": conn_type, **body, "port": shown["port"]}


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_the_button_in_the_list_logs_in_with_what_is_saved(airflow: Airflow, sandbox: Sandbox, conn_type: str) -> None:
    """What the pages of Airflow 3 send: all fields as the API gives them, the password masked, the port a number."""
    host, _, port = sandbox.url.rpartition(":")
    answer = airflow.rest.post("connections/test", save(airflow, conn_type, host=host, port=int(port)))
    assert answer == {"status": True, "message": answer["message"]}
    assert answer["message"].endswith(f" at {sandbox.url}.")


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_a_connection_without_a_port_is_tested_where_the_page_sends_none(
    airflow: Airflow, sandbox: Sandbox, conn_type: str
) -> None:
    body = save(airflow, conn_type, host=sandbox.url)
    assert body["port"] is None
    assert airflow.rest.post("connections/test", body)["status"] is True
    # What the page of 3.3.1 and 3.3.2 makes of it. When Airflow takes this, the port may be hidden again.
    with pytest.raises(RestError, match="host or port to test differs"):
        airflow.rest.post("connections/test", {**body, "port": 0})


@pytest.mark.parametrize("port", [None, 0])
def test_no_port_and_port_0_are_the_same_in_what_is_not_saved(
    airflow: Airflow, sandbox: Sandbox, port: int | None
) -> None:
    answer = press(airflow, "aspose_ocr", host=sandbox.url, password=CLIENT_SECRET, port=port)
    assert answer["message"].endswith(f" at {sandbox.url}.")


def test_the_button_says_that_two_ports_contradict_each_other(airflow: Airflow, sandbox: Sandbox) -> None:
    answer = press(airflow, "aspose_ocr", host=sandbox.url, password=CLIENT_SECRET, port=443)
    assert answer["status"] is False
    assert f"port 443, but its host names port {sandbox.url.rpartition(':')[2]}; remove one" in answer["message"]


def test_the_command_line_logs_in_without_a_port(airflow: Airflow, sandbox: Sandbox) -> None:
    body = save(airflow, "aspose_slides", host=sandbox.url, description="of the command line")
    command = [sys.executable, "-m", "airflow", "connections", "test", body["connection_id"]]
    done = subprocess.run(command, env=airflow.environment, capture_output=True, text=True, check=False)
    assert "Connection success!" in done.stdout


def test_the_button_says_what_is_wrong(airflow: Airflow, sandbox: Sandbox) -> None:
    refused = press(airflow, "aspose_slides", host=sandbox.url, password="not-the-secret")
    assert refused["status"] is False
    assert "Aspose.Slides Cloud's login refused the client id and secret" in refused["message"]
    assert "not-the-secret" not in refused["message"]

    dead = press(airflow, "aspose_ocr", host="http://127.0.0.1:9", password=CLIENT_SECRET)
    assert dead["status"] is False
    assert "Aspose.OCR Cloud at http://127.0.0.1:9 can't be reached (Connection refused)" in dead["message"]
