"""Every Python example of the pages is run: Dags are read, and what they show is done with a sandbox."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.compat import DAG
from airflow_provider_docconv.operators import docconv as operators
from airflow_provider_docconv.sensors import docconv as sensors
from dev.processes import free_ports

ROOT = Path(__file__).parent.parent
# Why an example can't be run by itself, by its page and a text in it.
NOT_RUN = {
    ("batch.md", "chunks = task(chunk_documents)"): "is a part of a Dag; howto/kubernetes-and-celery.md has the whole",
    ("connections.md", 'pool="docconv"'): "shows one argument",
    ("own-service.md", ""): "is the code of tests/own_service, which runs it",
    ("sandbox.md", ""): "tests/test_readme.py and the sandbox's own tests run it",
    ("testing.md", ""): "tests/airflow/test_testing_page.py runs it",
    ("README.md", ""): "tests/test_readme.py runs it",
    ("sandbox/README.md", ""): "the sandbox's own tests run it",
}


def pages() -> Iterator[Path]:
    yield from (ROOT / "README.md", ROOT / "sandbox" / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT)).removeprefix("docs/")


def fences(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def why_not(page: str, code: str) -> str | None:
    return next((why for (name, part), why in NOT_RUN.items() if name == page and part in code), None)


EXAMPLES = [
    pytest.param(code, id=f"{name_of(page)}-{number}")
    for page in pages()
    for number, code in enumerate(fences(page, "python"), 1)
    if not why_not(name_of(page), code)
]


def run(code: str, **given: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {**given, "__name__": "example"}
    exec(compile(code, "example", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_is_read(code: str, monkeypatch: pytest.MonkeyPatch, docconv_samples: Path) -> None:
    if "for_connection" in code and "DAG(" not in code and "class " not in code:
        pytest.skip("is run below")
    with DAG("example", schedule=None):  # for parts of a Dag
        namespace = run(code, **{**vars(operators), **vars(sensors)}, deck="s3://b/deck.pptx", folder="s3://b/pdf/")
    dags = {each.dag_id: each for each in namespace.values() if isinstance(each, DAG)}
    assert all(dag.tasks for dag in dags.values())
    if "DAG(" in code:
        assert dags


def test_all_that_is_not_run_is_there() -> None:
    found = {(name_of(page), code) for page in pages() for code in fences(page, "python")}
    assert [key for key in NOT_RUN if not any(name == key[0] and key[1] in code for name, code in found)] == []


@pytest.fixture
def data(docconv_sandbox: Any, docconv_samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have what the examples have: a folder ``/data`` with an inbox, and the connection ``docs``."""
    inbox = tmp_path / "data" / "inbox"
    inbox.mkdir(parents=True)
    shutil.copy(docconv_samples / "deck.pptx", inbox)
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", os.environ["AIRFLOW_CONN_ASPOSE_SLIDES_DEFAULT"])
    return tmp_path / "data"


def hooks_example(containing: str, data: Path) -> str:
    [code] = [code for code in fences(ROOT / "docs" / "hook.md", "python") if containing in code]
    return code.replace("/data/", f"{data}/")


@pytest.mark.parametrize(
    ("containing", "made"), [('[result] = hook.convert("', "deck.pdf"), ("hook.start(", "small.pdf")]
)
def test_the_hook_outside_airflow(containing: str, made: str, data: Path) -> None:
    run(hooks_example(containing, data))
    assert (data / "pdf" / made).read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("containing", ["    def convert(source", "    async def convert(sources"])
def test_the_hook_in_tasks(containing: str, data: Path, run_dag: Callable[..., Any]) -> None:
    dag = run(hooks_example(containing, data))["dag"]
    loop = asyncio.new_event_loop()  # One that another test has left may be running in a thread.
    asyncio.set_event_loop(loop)
    try:
        assert run_dag(dag)["convert"].state == "success"
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert (data / "pdf" / "deck.pdf").read_bytes().startswith(b"%PDF")


def test_the_hook_in_a_trigger(data: Path) -> None:
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from tests.support.tasks import fire

    kind = run(hooks_example("class ConvertedTrigger", data))["ConvertedTrigger"]
    started = DocConvHook.for_connection("docs").start(data / "inbox" / "deck.pptx", "pdf")
    trigger = kind(str(started))
    trigger.serialize = lambda: ("tests.test_examples.Converted", {"operation_id": str(started)})
    globals()["Converted"] = kind
    assert fire(trigger) == {"operation_id": started}


def batches(page: str, samples: Path) -> DAG:
    """Read the Dag of a page, with the samples in place of its bucket."""
    [code, *_] = fences(ROOT / "docs" / page, "python")
    inbox = re.compile(r"s3://aws_default@documents/(?:inbox|archive|decks)/")
    code = inbox.sub(f"{samples}/", code).replace("s3://aws_default@documents/", f"{samples.parent}/out/")
    [dag] = {id(each): each for each in run(code).values() if isinstance(each, DAG)}.values()
    for task in dag.tasks:
        if isinstance(task, operators.ConvertDocumentsOperator):
            task.on_document_error = task.on_document_error if task.on_document_error != "fail" else "ignore"
    return dag


@pytest.mark.usefixtures("docconv_sandbox")
@pytest.mark.parametrize(
    ("page", "results"),
    [
        ("howto/mixed-folders.md", {"deck-pptx.pdf", "text-docx.pdf", "table-xlsx.pdf", "scan-djvu.pdf"}),
        ("howto/page-images.md", {"slide_1.png", "slide_2.png"}),
        ("howto/retries.md", {"deck.pdf", "text.pdf", "table.pdf", "page.png"}),
    ],
)
def test_a_batch(
    page: str, results: set[str], docconv_samples: Path, run_dag: Callable[..., Any], no_wait: None
) -> None:
    for other in ("encrypted.pptx", "broken.pptx", "page.png", "page.jpg", "page.tiff", "page.pdf"):
        (docconv_samples / other).unlink()
    outcome = run_dag(batches(page, docconv_samples))
    assert outcome["convert"].state == "success", outcome["convert"].error
    out = docconv_samples.parent / "out"
    found = {path.name for path in out.rglob("*") if path.is_file() and ".docconv" not in path.relative_to(out).parts}
    assert found & results, found
    assert found - results <= {"deck.pdf", "text.pdf", "table.pdf", "scan.pdf"}


@pytest.fixture
def no_wait() -> Iterator[None]:
    from airflow_provider_docconv.testing import no_delays

    with no_delays():
        yield


@pytest.mark.usefixtures("docconv_sandbox", "no_wait")
def test_after_the_night(docconv_samples: Path, run_dag: Callable[..., Any]) -> None:
    outcome = run_dag(batches("howto/after-the-night.md", docconv_samples))
    assert {name: result.state for name, result in outcome.items()} == {
        "convert": "failed",  # Two samples can't be converted, and that is new.
        "choose": "success",
        "notify": "success",
        "nothing_to_do": "skipped",
    }
    summary = outcome["convert"].xcoms["summary"]
    code = fences(ROOT / "docs" / "howto" / "after-the-night.md", "python")[1]
    names = {Path(source).name for source, _ in run(code)["rejected"](summary)}
    assert {"broken.pptx", "encrypted.pptx"} <= names


@pytest.mark.servers
def test_the_start_in_three_minutes(tmp_path: Path) -> None:
    [block, *_] = fences(ROOT / "docs" / "start.md", "console")
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    (port,) = free_ports(1)
    # What is installed here takes the place of what a newcomer installs.
    script = "\n".join(line for line in lines if "venv" not in line and "pip install" not in line)
    file = tmp_path / "start.sh"
    file.write_text(script.replace("8123", str(port)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "sandbox" / "src")])
    done = subprocess.run(
        ["bash", "-e", str(file)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    subprocess.run(["pkill", "-f", f"docconv-sandbox --port {port}"], check=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.split()[-4:] == ["deck.pdf", "scan.pdf", "table.pdf", "text.pdf"]
