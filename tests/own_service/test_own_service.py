"""A service in a package of its own: nothing but its entry point tells this package of it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.get_provider_info import get_provider_info
from airflow_provider_docconv.hooks import docconv as hooks
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import DownloadResultOperator, StartConversionOperator
from airflow_provider_docconv.services.catalog import SERVICES, all_services
from dev.environment import ROOT
from tests.own_service.conftest import PACKAGE
from tests.own_service.server import KEY, ToyServer
from tests.support.batch_runs import BatchRuns
from tests.support.tasks import connect, context, wait


def connect_toy(monkeypatch: pytest.MonkeyPatch, server: ToyServer, **fields: Any) -> str:
    return connect(monkeypatch, server.url, "toy", **{"login": None, "password": KEY, **fields})


def airflow(site: Path, *command: str) -> str:
    path = os.pathsep.join([str(site), str(ROOT), str(ROOT / "sandbox" / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    run = subprocess.run(
        [sys.executable, "-m", "airflow", *command], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout


@pytest.mark.parametrize("deferrable", [False, True])
def test_operators_and_sensor(
    deferrable: bool, toy: ToyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn_id = connect_toy(monkeypatch, toy, extra={"team": " blue "})
    (tmp_path / "letter.txt").write_text("Dear <you>")
    source = f"file://{tmp_path}/letter.txt"
    options = {"title": "A & B"}
    start = StartConversionOperator(
        task_id="start", source=source, target_format="html", conn_id=conn_id, options=options
    )
    operation = start.execute(context())
    assert wait({"operation_id": operation}, deferrable=deferrable) == operation
    download = DownloadResultOperator(
        task_id="get", operation_id=operation, conn_id=conn_id, source=source, destination=f"file://{tmp_path}/out/"
    )
    [result] = download.execute(context())
    assert result["uri"].endswith("/out/letter.html")
    assert (tmp_path / "out" / "letter.html").read_text() == (
        "<!doctype html><title>A &amp; B</title><pre>Dear &lt;you&gt;</pre>"
    )
    assert toy.jobs[operation]["query"] == {"to": "html", "title": "A & B", "team": "blue"}
    assert toy.jobs[operation]["polls"] == 3


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_batch_and_the_next(
    deferrable: bool, toy: ToyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_toy(monkeypatch, toy)
    toy.polls = 8  # So that there is something to wait for.
    runs = BatchRuns(tmp_path)
    for name in ("a.txt", "b.txt", "sub/c.txt", "note.md"):
        (path := tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "in" / "broken.txt").write_bytes(b"\0")
    (tmp_path / "in" / "secret.txt").write_bytes(b"REFUSE")
    with pytest.raises(exceptions.DocumentsFailed, match=r"2 of 5 documents were not converted \(2 rejected, 0 failed"):
        runs.run(deferrable=deferrable, target_format="html")
    assert bool(runs.deferred) is deferrable
    assert runs.results(".html") == {"a.html", "b.html", "sub/c.html"}
    assert "The text has a NUL in it." in json.dumps(runs.report()["broken.txt"])
    assert "This text may not be converted." in json.dumps(runs.report()["secret.txt"])
    assert KEY not in runs.written()
    with pytest.raises(exceptions.DocumentsFailed):
        runs.run("run 2", deferrable=deferrable, target_format="html")
    assert set(toy.starts.values()) == {1}, "a document was converted twice"


def test_a_job_is_cancelled(toy: ToyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    hook = DocConvHook.for_connection(connect_toy(monkeypatch, toy))
    job = toy.start({}, "a.txt", b"a")
    assert hook.cancel_if_running(job)
    assert hook.get_operation(job).state.value == "canceled"


def test_the_test_button(toy: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = DocConvHook.for_connection(connect_toy(monkeypatch, toy))
    assert hook.test_connection() == (True, f"Logged in to Toy at {toy.url}.")
    connect_toy(monkeypatch, toy, password="wrong-key")
    ok, said = DocConvHook.for_connection("docs").test_connection()
    assert not ok
    assert said == (
        'Toy refused the credentials (HTTP 401), saying "The key *** is wrong."; '
        "check password (API key) of connection 'docs'."
    )
    connect_toy(monkeypatch, toy, password="")
    ok, said = DocConvHook.for_connection("docs").test_connection()
    assert not ok
    assert said.startswith("the connection 'docs' has no API key; set its password to the API key")


def test_the_connection_type_and_its_form(installed: Path) -> None:
    assert list(all_services()) == [*SERVICES, "toy"]
    [form] = [each for each in get_provider_info()["connection-types"] if each["connection-type"] == "toy"]
    assert form["hook-class-name"] == "airflow_provider_docconv.hooks.docconv.ToyHook"
    behaviour = form["ui-field-behaviour"]
    assert behaviour["hidden-fields"] == ["schema", "login"]
    assert behaviour["relabeling"] == {"host": "Base URL", "password": "API key"}
    assert {"team", "read_timeout"} < set(form["conn-fields"])
    assert not {"auth_url", "storage_name"} & set(form["conn-fields"])
    hook = hooks.ToyHook
    assert (hook.conn_type, hook.hook_name, hook.default_conn_name) == ("toy", "Toy", "toy_default")
    assert hook is hooks.ToyHook


def test_airflow_lists_it_beside_the_others(site: Path) -> None:
    listed = airflow(site, "providers", "hooks", "--output", "json")
    found = {each["connection_type"]: each for each in json.loads(listed)}
    assert found["toy"]["class"] == "airflow_provider_docconv.hooks.docconv.ToyHook"
    assert set(SERVICES) < set(found)
    assert "'toy'" in str(json.loads(airflow(site, "providers", "behaviours", "--output", "json")))


def test_without_the_package_nothing_is_there() -> None:
    assert set(all_services()) == set(SERVICES)
    with pytest.raises(AttributeError):
        _ = hooks.ToyHook


def test_a_broken_package_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info = tmp_path / "docconv_broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: docconv-broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[docconv.services]\nmissing = docconv_broken:X\nodd = json:loads\n"
        "taken = airflow_provider_docconv.services.catalog:api_key\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    all_services.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert set(all_services()) == set(SERVICES)
    all_services.cache_clear()
    assert {record.getMessage().partition(" ")[0] for record in caplog.records} == {"The", "json:loads"} | {
        "airflow_provider_docconv.services.catalog:api_key"
    }


def test_a_dag_file_does_not_look_for_services(site: Path) -> None:
    code = (
        "import sys, importlib.metadata, airflow.sdk\n"
        "importlib.metadata.entry_points = None\n"
        "import airflow_provider_docconv.operators.docconv, airflow_provider_docconv.sensors.docconv\n"
        "print('loaded:', *[name for name in sys.modules if name.endswith('.service')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("name", ["pyproject.toml", "docconv_toy/__init__.py", "docconv_toy/service.py"])
def test_the_page_shows_the_package(name: str) -> None:
    page = (ROOT / "docs" / "own-service.md").read_text()
    blocks = re.findall(r"```(?:toml|python)\n(.*?)```", page, re.DOTALL)
    assert (PACKAGE / name).read_text() in blocks
