"""
The pages in a real browser, as part of a real Airflow's UI.

With the variable ``DOCCONV_PICTURES`` set to a folder, they leave their pictures there; ``make pictures`` does that.
With ``DOCCONV_AIRFLOW``, the Airflow is that of another virtual environment; ``make compat`` does that.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import msoffcrypto.format.ooxml
import pytest
from playwright.sync_api import Browser, FrameLocator, LocatorAssertions, Page, expect

from airflow_provider_docconv.links.docconv import report_url
from dev import authoring
from dev.airflow import Airflow
from dev.browser import chromium
from dev.cluster import LocalAirflow, migrated
from dev.debian import NotInstalled
from dev.environment import DAGS
from dev.postgres import Postgres
from dev.processes import Process, Processes, free_ports, wait_until
from dev.run import FINISHED, Run
from dev.sandbox import Sandbox

DAG = "nightly_batch"
OTHER = os.environ.get("DOCCONV_AIRFLOW")
GOOD = 8
# A page shows news after seconds, on a busy machine after more.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    # Nothing ends before a test says so.
    with Sandbox(folder / "sandbox.log", "--seconds-per-page", "1000") as sandbox:
        sandbox.wait_until_healthy()
        yield sandbox


@pytest.fixture(scope="module")
def inbox(folder: Path) -> Path:
    protected = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(authoring.deck(2, "Salaries"))).encrypt("secret", protected)
    contents = {"damaged.pptx": authoring.damaged(), "protected.pptx": protected.getvalue()}
    contents |= {f"quarter-{number}.pptx": authoring.deck(4, f"Quarter {number}") for number in range(GOOD)}
    (folder / "inbox").mkdir()
    for name, content in contents.items():
        (folder / "inbox" / name).write_bytes(content)
    (folder / "inbox" / "notes.txt").write_bytes(b"not for conversion")
    return folder / "inbox"


@pytest.fixture(scope="module")
def airflow(folder: Path, sandbox: Sandbox) -> Iterator[Airflow]:
    (folder / "dags").mkdir()
    for file in (*DAGS.glob("*.py"), *(Path(__file__).parent / "dag_files").glob("*.py")):
        (folder / "dags" / file.name).write_text(file.read_text())
    environment = {"AIRFLOW__DOCCONV__SHARED_FOLDERS": str(folder)}
    with ExitStack() as stack:
        # On PostgreSQL here, on SQLite with an older Airflow: the pages' queries must run on both.
        if OTHER:
            airflow = Airflow(folder / "airflow", folder / "dags", environment, Path(OTHER))
        else:
            try:
                postgres = stack.enter_context(Postgres(folder / "postgres", migrated()))
            except NotInstalled as error:
                pytest.skip(str(error))
            airflow = LocalAirflow(folder / "airflow", folder / "dags", postgres, 4, environment)
        stack.enter_context(airflow)
        sandbox.connect_all(airflow)
        yield airflow


def start(airflow: Airflow, inbox: Path, outbox: str, dag_id: str = DAG) -> Run:
    """Start a night."""
    return airflow.run(dag_id, {"inbox": inbox.as_uri(), "outbox": (inbox.parent / outbox).as_uri()})


def end(airflow: Airflow, sandbox: Sandbox, run: Run) -> None:
    """Let a night end, which must fail because of two of its documents."""

    def ended() -> bool:
        sandbox.finish()
        return run.state in FINISHED

    wait_until(ended, "The night", 300, airflow.processes.running, pause=1)
    assert run.state == "failed"


@pytest.fixture(scope="module")
def night(airflow: Airflow, sandbox: Sandbox, inbox: Path) -> Run:
    """A night that has ended."""
    run = start(airflow, inbox, "night")
    end(airflow, sandbox, run)
    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as browser:
            yield browser
    except NotInstalled as error:
        pytest.skip(str(error))  # It says what is not installed, and how it would be.


@pytest.fixture
def page(airflow: Airflow, browser: Browser) -> Iterator[Page]:
    """A page of Airflow's that may ask nobody else, and that must not complain."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light", accept_downloads=True)
    page.set_default_timeout(PATIENCE)
    hosts: set[str] = set()
    problems: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc.partition(":")[0]))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
    log_in(page, airflow.url)
    yield page
    page.close()
    assert hosts <= {"127.0.0.1", ""}
    assert problems == []


def log_in(page: Page, url: str) -> None:
    """Open Airflow's home page; before 3.2 it is where a login ends, whatever page was asked for."""
    page.goto(url)
    page.get_by_role("button", name="Browse").wait_for()


def follow(page: Page, name: str) -> None:
    """Follow a task's link in this tab, also where Airflow would open another one for it."""
    link = page.get_by_role("link", name=name)
    if link.get_attribute("target") == "_blank":
        page.goto(link.evaluate("node => node.href"))
    else:
        link.click()


def frame(page: Page) -> FrameLocator:
    """Return our page, inside of Airflow's."""
    return page.frame_locator("iframe")


def picture(page: Page, name: str) -> None:
    """Take a picture for the documentation, if it is wanted."""
    if wanted := os.environ.get("DOCCONV_PICTURES"):
        page.wait_for_timeout(500)
        page.screenshot(path=Path(wanted) / f"{name}.png")


def use(page: Page, theme: str) -> None:
    """Switch Airflow to its dark or light mode."""
    page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    page.reload()


def test_two_clicks_to_which_document_why_and_what_to_do(airflow: Airflow, page: Page, night: Run) -> None:
    page.goto(f"{airflow.url}/dags")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Conversions").click()
    rows = frame(page).locator("tr.failures")
    expect(rows).to_contain_text("damaged.pptx")
    expect(rows).to_contain_text("protected.pptx")
    row = frame(page).locator("#conversions tbody tr").first
    expect(row).to_contain_text(DAG)
    expect(row).to_contain_text("failed")
    expect(row).to_contain_text(f"{GOOD} delivered, 2 rejected")
    for line in rows.locator("li").all():
        # A sentence of why, and one of what to do.
        assert len(line.inner_text()) > 80
        assert len(line.locator("em").inner_text()) > 20
    expect(frame(page).locator(".costs")).to_contain_text("aspose_slides_default")
    picture(page, "conversions-light")
    use(page, "dark")
    expect(frame(page).locator("html.dark tr.failures")).to_be_visible()
    picture(page, "conversions-dark")


def test_a_tasks_link_leads_to_its_report(airflow: Airflow, page: Page, night: Run) -> None:
    page.goto(f"{airflow.url}/dags/{DAG}/runs/{night.run_id}/tasks/convert/details")
    follow(page, "Report")
    expect(frame(page).locator("#verdict")).to_contain_text("2 documents need attention")
    documents = frame(page).locator("#documents tbody tr")
    expect(documents).to_have_count(GOOD + 2)
    expect(documents.first).to_contain_text("damaged.pptx")
    picture(page, "report-light")
    frame(page).locator("button[data-state=delivered]").click()
    expect(documents).to_have_count(GOOD)
    frame(page).locator("#name").fill("QUARTER-3")
    expect(documents).to_have_count(1)
    frame(page).locator("button[data-state=delivered]").click()
    frame(page).locator("#name").fill("no such")
    expect(documents).to_contain_text("No documents.")
    frame(page).locator("#name").fill("")
    expect(documents).to_have_count(GOOD + 2)
    frame(page).get_by_role("link", name="task and log").click()
    page.wait_for_url(f"**/dags/{DAG}/runs/*/tasks/convert*")
    page.go_back()
    expect(frame(page).locator("#verdict")).to_be_visible()
    use(page, "dark")
    page.goto(f"{airflow.url}/{report_url(DAG, night.run_id, 'convert', -1)}")
    expect(frame(page).locator("html.dark #verdict")).to_be_visible()
    picture(page, "report-dark")


def test_it_follows_airflows_switch_while_it_is_open(airflow: Airflow, page: Page, night: Run) -> None:
    page.goto(f"{airflow.url}/plugin/conversions")
    expect(frame(page).locator("html.light")).to_be_attached()
    page.evaluate("document.documentElement.className = 'dark'")
    expect(frame(page).locator("html.dark")).to_be_attached()
    background = frame(page).locator("html").evaluate("node => getComputedStyle(node).backgroundColor")
    assert background == "rgb(0, 0, 0)"


def test_a_result_can_be_saved(airflow: Airflow, page: Page, night: Run, inbox: Path) -> None:
    page.goto(f"{airflow.url}/{report_url(DAG, night.run_id, 'convert', -1)}&state=delivered")
    with page.expect_download() as saved:
        frame(page).locator("a.result").first.click()
    name = saved.value.suggested_filename
    assert Path(saved.value.path()).read_bytes() == (inbox.parent / "night" / name).read_bytes()


def test_a_result_that_can_not_be_read_says_so(airflow: Airflow, page: Page, night: Run, inbox: Path) -> None:
    page.goto(f"{airflow.url}/{report_url(DAG, night.run_id, 'convert', -1)}")
    result = frame(page).locator("a.result").first
    result.wait_for()
    away = inbox.parent / "away"
    (inbox.parent / "night").rename(away)
    try:
        result.click()
        expect(frame(page).locator(".problem")).to_contain_text("no longer there")
    finally:
        away.rename(inbox.parent / "night")


def test_the_filters_of_all_conversions(airflow: Airflow, page: Page, night: Run) -> None:
    page.goto(f"{airflow.url}/plugin/conversions")
    rows = frame(page).locator("#conversions tbody tr:not(.failures)")
    failed = frame(page).locator("#conversions tbody tr.failed")
    expect(failed.first).to_be_visible()
    frame(page).locator("#state").select_option("success")
    expect(failed).to_have_count(0)
    frame(page).locator("#state").select_option("failed")
    expect(failed.first).to_be_visible()
    frame(page).locator("#conn_id").fill("groupdocs")
    frame(page).locator("#conn_id").press("Enter")
    expect(rows).to_contain_text("No conversions.")
    frame(page).locator("#conn_id").fill("aspose_slides_default")
    frame(page).locator("#conn_id").press("Enter")
    expect(failed.first).to_be_visible()
    frame(page).locator("#dag_id").fill("nightly_conversion")
    frame(page).locator("#dag_id").press("Enter")
    expect(rows).to_contain_text("No conversions.")


def test_progress_moves_while_a_batch_runs(airflow: Airflow, page: Page, sandbox: Sandbox, inbox: Path) -> None:
    run = start(airflow, inbox, "watched", "watched")
    run.wait_for("convert", "deferred")
    page.goto(f"{airflow.url}/{report_url('watched', run.run_id, 'convert', -1)}")

    def count(state: str) -> LocatorAssertions:
        return expect(frame(page).locator(f"button[data-state={state}] b"), state)

    # Nobody reloads the page.
    count("rejected").to_have_text("2")
    for done in (0, 2, 4):
        count("delivered").to_have_text(str(done))
        count("started").to_have_text("2")
        count("waiting").to_have_text(str(GOOD - done - 2))
        if done < 4:
            sandbox.finish()
    expect(frame(page).locator("#verdict")).to_contain_text(f"6 of {GOOD + 2} documents done")
    picture(page, "report-running")
    end(airflow, sandbox, run)
    count("delivered").to_have_text(str(GOOD))
    expect(frame(page).locator("#verdict")).to_contain_text("2 documents need attention")


@pytest.mark.skipif(bool(OTHER), reason="Airflow before 3.3 shows the address of the menu's entry")
def test_the_address_of_a_report_can_be_passed_on(airflow: Airflow, page: Page, night: Run) -> None:
    page.goto(f"{airflow.url}/{report_url(DAG, night.run_id, 'convert', -1)}&state=rejected")
    page.wait_for_url(f"{airflow.url}/plugin/conversions/docconv/dags/{DAG}/runs/*/tasks/convert/-1/report?*")
    page.reload()
    expect(frame(page).locator("#documents tbody tr")).to_have_count(2)


def test_it_works_below_a_base_path(airflow: Airflow, browser: Browser, night: Run) -> None:
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}/below/here"
    environment = {**airflow.environment, "AIRFLOW__API__BASE_URL": base, "AIRFLOW__API__PORT": str(port)}
    command = airflow.components["api-server"].command
    server = Process("The API server below a path", command, airflow.home / "logs" / "below.log", environment)
    with Processes() as processes:
        processes.start(server)
        health = f"http://127.0.0.1:{port}/below/here/api/v2/monitor/health"
        wait_until(lambda: _answers(health), "Starting the API server", 120, processes.running)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        log_in(page, f"{base}/")
        page.goto(f"{base}/dags/{DAG}/runs/{night.run_id}/tasks/convert/details")
        follow(page, "Report")
        expect(frame(page).locator("#verdict")).to_contain_text("2 documents need attention")
        frame(page).get_by_role("link", name="All conversions").click()
        row = frame(page).locator("#conversions tbody tr.failed", has_text=DAG).first
        row.get_by_role("link", name="convert").click()
        page.wait_for_url(f"{base}/dags/{DAG}/runs/*/tasks/convert*")
        page.close()


def _answers(url: str) -> bool:
    import requests

    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False
