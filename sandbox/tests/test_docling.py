"""docling-serve, as the source and a running server of version 1.38 have it."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdfium2
import pytest
import requests
from pptx import Presentation

from docconv_sandbox import Sandbox


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Report", 0)
    document.add_heading("Results", 2)
    document.add_paragraph("All is\twell & <good>.")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Bullet")
    table = document.add_table(2, 2)
    for number, cell in enumerate(table._cells):
        cell.text = f"c|{number}"
    return saved(document)


def deck() -> bytes:
    presentation = Presentation()
    for number in (1, 2):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = "first\nsecond"
    return saved(presentation)


def sheet() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Sales"
    book.active.append(["Month", "Sum"])
    book.active.append(["May", 12])
    return saved(book)


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def url() -> Any:
    with Sandbox(engine="wheels") as sandbox:
        yield sandbox.url


def start(url: str, name: str, content: bytes, **fields: Any) -> requests.Response:
    files = {"files": (name, content)}
    return requests.post(f"{url}/v1/convert/file/async", files=files, data=fields, timeout=60)


def ended(url: str, task: str) -> dict[str, Any]:
    while True:
        reply = requests.get(f"{url}/v1/status/poll/{task}?wait=60", timeout=60)
        assert reply.status_code == 200
        if (status := reply.json())["task_status"] not in ("pending", "started"):
            return status
        time.sleep(0.05)


def converted(url: str, name: str, content: bytes, **fields: Any) -> dict[str, Any]:
    started = start(url, name, content, **fields)
    assert (started.status_code, started.json()["task_status"]) == (200, "pending")
    task = started.json()["task_id"]
    assert ended(url, task)["task_status"] == "success"
    return requests.get(f"{url}/v1/result/{task}", timeout=60).json()


def test_word_to_markdown(url: str) -> None:
    result = converted(url, "a.docx", word())
    assert result["status"] == "success"
    assert result["document"]["md_content"] == (
        "# Report\n\n## Results\n\nAll is well & <good>.\n\n- one\n- two\n\n"
        "| c\\|0 | c\\|1 |\n|---|---|\n| c\\|2 | c\\|3 |\n"
    )
    assert result["document"]["html_content"] is None


def test_the_other_formats(url: str) -> None:
    document = converted(url, "a.docx", word(), to_formats="html")["document"]
    assert "<h2>Results</h2>\n<p>All is well &amp; &lt;good&gt;.</p>" in document["html_content"]
    document = converted(url, "a.docx", word(), to_formats="text")["document"]
    assert document["text_content"].startswith("Report\n\nResults\n\nAll is well & <good>.")
    document = converted(url, "a.docx", word(), to_formats="json")["document"]
    assert {"label": "section_header", "text": "Results"} in document["json_content"]["texts"]
    document = converted(url, "a.docx", word(), to_formats="doctags")["document"]
    assert "<section_header_level_2>Results</section_header_level_2>" in document["doctags_content"]


def test_slides_sheets_and_others(url: str) -> None:
    slides = converted(url, "a.pptx", deck())["document"]["md_content"]
    assert slides == "# Slide 1\n\n- first\n- second\n\n# Slide 2\n\n- first\n- second\n"
    assert converted(url, "a.xlsx", sheet())["document"]["md_content"] == (
        "## Sales\n\n| Month | Sum |\n|---|---|\n| May | 12 |\n"
    )
    page = b"<title>x</title><h1>A</h1><p>b <b>c</b></p><table><tr><td>1</td><th>2</th></tr></table><ul><li>d</ul>"
    assert converted(url, "a.html", page)["document"]["md_content"] == "# A\n\nb c\n\n| 1 | 2 |\n|---|---|\n\nd\n"
    assert converted(url, "a.csv", b"a,b\n1,2\n")["document"]["md_content"] == "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert converted(url, "a.png", b"\x89PNG rest")["document"]["md_content"] == "<!-- image -->\n"


def test_the_text_layer_of_a_pdf(url: str, tmp_path: Path) -> None:
    from docconv_sandbox.engines.base import Work
    from docconv_sandbox.engines.office2pdf import Office2Pdf

    (tmp_path / "deck.pptx").write_bytes(deck())
    [pdf] = Office2Pdf().convert(tmp_path / "deck.pptx", "pptx", "pdf", Work(folder=tmp_path))
    both = converted(url, "a.pdf", pdf.read_bytes())["document"]["md_content"]
    assert "Slide 1" in both
    assert "Slide 2" in both
    second = converted(url, "a.pdf", pdf.read_bytes(), page_range=["2", "2"])["document"]["md_content"]
    assert "Slide 1" not in second
    assert "Slide 2" in second


def test_a_page_without_text(url: str) -> None:
    pdf, saved_pdf = pypdfium2.PdfDocument.new(), io.BytesIO()
    pdf.new_page(200, 200)
    pdf.save(saved_pdf)
    assert converted(url, "a.pdf", saved_pdf.getvalue())["document"]["md_content"] == "<!-- image -->\n"


def test_a_document_that_fails_ends_as_success(url: str) -> None:
    result = converted(url, "a.docx", b"PK\x03\x04 broken")
    assert (result["status"], result["document"]["md_content"]) == ("failure", None)
    assert "damaged" in result["errors"][0]["error_message"]


def test_unknown_tasks_and_results(url: str) -> None:
    reply = requests.get(f"{url}/v1/status/poll/x", timeout=60)
    assert (reply.status_code, reply.json()) == (404, {"detail": "Task not found."})
    reply = requests.get(f"{url}/v1/result/x", timeout=60)
    assert (reply.status_code, reply.json()["detail"][:22]) == (404, "Task result not found.")


@pytest.mark.parametrize("fields", [{"to_formats": "pdf"}, {"to_formats": ["md", "html"]}, {"target_type": "zip"}])
def test_bad_options(url: str, fields: dict[str, Any]) -> None:
    reply = start(url, "a.docx", word(), **fields)
    assert reply.status_code == 422
    assert set(reply.json()["detail"][0]) == {"loc", "msg", "type"}


def test_the_key() -> None:
    with Sandbox(engine="echo", api_key="the-key") as sandbox:
        reply = start(sandbox.url, "a.docx", b"x")
        assert (reply.status_code, reply.json()) == (401, {"detail": "Unauthorized"})
        assert "WWW-Authenticate" not in reply.headers
        poll = f"{sandbox.url}/v1/status/poll/x"
        assert requests.get(poll, headers={"X-Api-Key": "the-key"}, timeout=60).status_code == 404


def test_a_result_vanishes_after_it_was_fetched() -> None:
    with Sandbox(engine="echo", result_removal_delay=0) as sandbox:
        task = start(sandbox.url, "a.docx", b"x").json()["task_id"]
        ended(sandbox.url, task)
        first = requests.get(f"{sandbox.url}/v1/result/{task}", timeout=60)
        assert (first.status_code, first.json()["status"]) == (200, "success")
        assert requests.get(f"{sandbox.url}/v1/result/{task}", timeout=60).status_code == 404
        assert requests.get(f"{sandbox.url}/v1/status/poll/{task}", timeout=60).status_code == 404
        assert json.dumps(sandbox.stats()["operations"])
