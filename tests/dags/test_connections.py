"""The connection forms and the test button of a real Airflow."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from dev.airflow import Airflow
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
    assert standard["port"]["placeholder"] == "443"
    assert {"auth_url", "read_timeout", "connect_timeout", "verify"} <= set(extra)
    assert ("storage_name" in extra) == (conn_type != "aspose_ocr")


def press(airflow: Airflow, conn_type: str, **fields: str) -> dict[str, Any]:
    body = {"connection_id": "tried", "conn_type": conn_type, "login": "sandbox", **fields}
    return airflow.rest.post("connections/test", body)


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_the_button_logs_in(airflow: Airflow, sandbox: Sandbox, conn_type: str) -> None:
    answer = press(airflow, conn_type, host=sandbox.url, password=CLIENT_SECRET)

    assert answer["status"] is True
    assert answer["message"].endswith(f" at {sandbox.url}.")


@pytest.mark.parametrize("conn_type", CONNECTIONS.values())
def test_the_button_in_the_list_logs_in_with_what_is_saved(airflow: Airflow, sandbox: Sandbox, conn_type: str) -> None:
    """What Airflow's page sends: all fields as the API gives them, the password masked, the port a number."""
    host, _, port = sandbox.url.rpartition(":")
    conn_id = f"saved_{conn_type}"
    # As the form saves it.
    saved = {"connection_id": conn_id, "conn_type": conn_type, "login": "sandbox", "password": CLIENT_SECRET}
    airflow.rest.post("connections", {**saved, "host": host, "port": int(port), "extra": '{"read_timeout": 30}'})
    shown = airflow.rest.get(f"connections/{conn_id}")
    body = {
        "connection_id": conn_id,
        "conn_type": conn_type,
        "description": shown["description"] or "",
        "extra": shown["extra"] or "{}",
        "host": shown["host"] or "",
        "login": shown["login"] or "",
        "password": shown["password"] or "",
        "port": int(shown["port"] or 0),
        "schema": shown["schema"] or "",
    }
    assert CLIENT_SECRET not in str(body)
    answer = airflow.rest.post("connections/test", body)
    assert answer == {"status": True, "message": answer["message"]}
    assert answer["message"].endswith(f" at {sandbox.url}.")


def test_the_button_says_what_is_wrong(airflow: Airflow, sandbox: Sandbox) -> None:
    refused = press(airflow, "aspose_slides", host=sandbox.url, password="not-the-secret")
    assert refused["status"] is False
    assert "Aspose.Slides Cloud's login refused the client id and secret" in refused["message"]
    assert "not-the-secret" not in refused["message"]

    dead = press(airflow, "aspose_ocr", host="http://127.0.0.1:9", password=CLIENT_SECRET)
    assert dead["status"] is False
    assert "Aspose.OCR Cloud at http://127.0.0.1:9 can't be reached (Connection refused)" in dead["message"]
