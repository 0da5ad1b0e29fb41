"""Who gets to see what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_server import Database, get, summary

REPORT = "/docconv/dags/nightly/runs/run-1/tasks/convert/-1"
PATHS = ("/docconv/conversions", "/docconv/conversions.json", "/docconv/calls.json", f"{REPORT}/report",
         f"{REPORT}/report.json", f"{REPORT}/results/0123", "/docconv/static/1/page.js")  # fmt: skip


@pytest.fixture(autouse=True)
def night(database: Database) -> None:
    for dag_id in ("nightly", "secret"):
        database.add(dag_id, state="failed", xcoms={"summary": summary(calls_by_connection={dag_id: {"start": 5}})})


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_there_without_a_login(api: Any, path: str) -> None:
    assert api.get(path).status_code == 401
    assert get(api, path, "somebody-else").status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_keeps_to_itself(api: Any, path: str) -> None:
    for answer in (get(api, path), api.get(path)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("user", "status"), [("ann", 200), ("vic", 200), ("no-xcoms", 403), ("no-tasks", 403),
                                              ("nobody", 403)])  # fmt: skip
@pytest.mark.parametrize("path", ["report", "report.json"])
def test_a_report_needs_the_right_to_read_the_task_and_its_xcoms(api: Any, path: str, user: str, status: int) -> None:
    assert get(api, f"{REPORT}/{path}", user).status_code == status


@pytest.mark.parametrize("path", ["report", "report.json", "results/0123"])
def test_another_dag_is_out_of_reach(api: Any, path: str) -> None:
    assert get(api, f"/docconv/dags/secret/runs/run-1/tasks/convert/-1/{path}", "vic").status_code == 403


def test_the_right_for_one_dag_opens_no_other(api: Any) -> None:
    path = "/docconv/dags/secret/runs/run-1/tasks/convert/-1/report.json"
    assert get(api, path, "vic", dag_id="nightly").status_code == 403


@pytest.mark.parametrize(
    ("user", "dags"), [("ann", ["nightly", "secret"]), ("vic", ["nightly"]), ("no-xcoms", []), ("no-tasks", [])]
)
def test_lists_name_only_dags_that_one_may_read(api: Any, user: str, dags: list[str]) -> None:
    told = get(api, "/docconv/conversions.json", user).json()
    assert sorted(row["dag_id"] for row in told["conversions"]) == dags
    assert told["dag_ids"] == dags
    assert told["total"] == len(dags)
    assert [
        row["dag_id"] for row in get(api, "/docconv/conversions.json", user, dag_id="secret").json()["conversions"]
    ] == [dag_id for dag_id in dags if dag_id == "secret"]
    calls = get(api, "/docconv/calls.json", user).json()["connections"]
    assert sorted(row["connection"] for row in calls) == dags


def test_a_task_that_converts_nothing_has_no_report(api: Any, database: Database) -> None:
    database.add("nightly", task_id="other", operator="BashOperator")
    assert get(api, "/docconv/dags/nightly/runs/run-1/tasks/other/-1/report.json").status_code == 404
    assert get(api, "/docconv/dags/nightly/runs/run-1/tasks/none/-1/report").status_code == 404


def write_report(folder: Path, *results: str, name: str = "report.jsonl") -> str:
    lines = [
        {
            "source": f"s3://in/{number}.pptx", "state": "delivered", "target_format": "pdf", "operation_id": None,
            "results": [{"uri": uri, "size": 4, "sha256": "0" * 64}], "attempts": 1, "lost_replies": 0, "size": 4,
            "source_sha256": None, "seconds_at_service": 1.0, "seconds_waited": 0.0, "error": None, "error_type": None,
            "remedy": None,
        }
        for number, uri in enumerate(results)
    ]  # fmt: skip
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return f"file://{folder / name}"


def test_a_result_is_saved_and_never_shown(api: Any, database: Database, shared: Path) -> None:
    name = 'ev"il\u202efdp.ht ml'
    (shared / name).write_bytes(b"<script>")
    report = write_report(shared, f"file://{shared}/{name}")
    database.add("weekly", xcoms={"summary": summary(report=report)})
    path = "/docconv/dags/weekly/runs/run-1/tasks/convert/-1"
    [line] = get(api, f"{path}/report.json").json()["lines"]
    [result] = line["results"]
    assert "[U+202E]" in result["name"]
    for answer in (
        get(api, f"{path}/results/{result['key']}"),
        api.head(f"{path}/results/{result['key']}", headers={"Authorization": "Bearer ann"}),
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''ev%22il%E2%80%AEfdp.ht%20ml"
        assert answer.headers["Content-Length"] == "8"
    assert get(api, f"{path}/results/{result['key']}").content == b"<script>"
    assert get(api, f"{path}/results/{'0' * 32}").status_code == 404


def test_files_of_the_server_are_shown_from_shared_folders_only(
    api: Any, database: Database, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    private = tmp_path_factory.mktemp("private")
    (private / "airflow.cfg").write_text("secret")
    (shared / "link").symlink_to(private)
    addresses = [f"file://{private}/airflow.cfg", f"{private}/airflow.cfg", f"local://{private}/airflow.cfg",
                 f"file://{shared}/../{private.name}/airflow.cfg", f"file://{shared}/link/airflow.cfg"]  # fmt: skip
    report = write_report(shared, *addresses)
    database.add("weekly", xcoms={"summary": summary(report=report)})
    path = "/docconv/dags/weekly/runs/run-1/tasks/convert/-1"
    lines = get(api, f"{path}/report.json").json()["lines"]
    assert len(lines) == len(addresses)
    for line in lines:
        answer = get(api, f"{path}/results/{line['results'][0]['key']}")
        assert answer.status_code == 502
        assert "[docconv] shared_folders" in answer.json()["detail"]
    database.add("weekly", "run-2", xcoms={"summary": summary(report=write_report(private), run="run-2")})
    told = get(api, path.replace("run-1", "run-2") + "/report.json").json()
    assert told["lines"] is None
    assert "[docconv] shared_folders" in told["note"]
