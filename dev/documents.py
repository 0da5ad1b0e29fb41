"""The documents of the demo and the tests: ``python -m dev.documents`` writes ``docs/documents.md`` anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dev import authoring
from dev.environment import DOCUMENTS, ROOT
from dev.sdists import ODFPY, PYTHON_DOCX, PYTHON_PPTX, SDISTS, Sdist, download

PAGE = ROOT / "docs" / "documents.md"
SOURCES = (Path(__file__), Path(authoring.__file__), *(ROOT / "tests" / "data").glob("*.djvu"))


@dataclass(frozen=True)
class Document:
    """
    A document to convert.

    :param name: its name in the inbox.
    :param about: what is in it.
    :param origin: where it comes from.
    :param licence: what it may be used under.
    :param make: returns its bytes.
    :param hopeless: why no service can convert it, if so.
    """

    name: str
    about: str
    origin: str
    licence: str
    make: Callable[[], bytes]
    hopeless: str = ""

    @property
    def kind(self) -> str:
        """The ending of its name, without the dot."""
        return self.name.rpartition(".")[2]

    @property
    def path(self) -> Path:
        """Where it lies once it has been made."""
        return DOCUMENTS / self.name


def published(name: str, about: str, sdist: Sdist, member: str) -> Document:
    """Describe a document out of a source distribution."""
    origin = f"{sdist.name} {sdist.version}, `{member}`"
    return Document(name, about, origin, sdist.licence, partial(sdist.read, member))


def own(name: str, about: str, make: Callable[[], bytes], library: str, hopeless: str = "") -> Document:
    """Describe a document that we write ourselves."""
    return Document(name, about, f"made at set-up with {library}", "Apache-2.0 (this project)", make, hopeless)


PPTX_FILES = "features/steps/test_files"
DOCX_FILES = "features/steps/test_files"

DOCUMENTS_OF_THE_DEMO: Sequence[Document] = (
    published("chart-series.pptx", "Charts of every family", PYTHON_PPTX, f"{PPTX_FILES}/cht-series.pptx"),
    published("chart-types.pptx", "Bar, line, pie and radar charts", PYTHON_PPTX, f"{PPTX_FILES}/cht-chart-type.pptx"),
    published("fills.pptx", "Gradients, patterns and pictures", PYTHON_PPTX, f"{PPTX_FILES}/dml-fill.pptx"),
    published("layouts.pptx", "Every layout", PYTHON_PPTX, f"{PPTX_FILES}/ph-populated-placeholders.pptx"),
    published("headers.docx", "First-page headers", PYTHON_DOCX, f"{DOCX_FILES}/sct-first-page-hdrftr.docx"),
    published("pictures.docx", "Inline pictures", PYTHON_DOCX, "tests/test_files/having-images.docx"),
    published("sections.docx", "Portrait and landscape", PYTHON_DOCX, f"{DOCX_FILES}/sct-section-props.docx"),
    published("columns.odp", "A deck of OpenOffice", ODFPY, "tests/examples/cols.odp"),
    published("manual.odt", "The manual of odfpy's API", ODFPY, "api-for-odfpy.odt"),
    published("triangles.ods", "A sheet with formulas", ODFPY, "tests/examples/pythagoras.ods"),
    own("annual-report.pptx", "60 slides with tables, charts, pictures", authoring.report, "python-pptx"),
    own("welcome.ppsx", "A slide show", authoring.slide_show, "python-pptx"),
    own("figures.xlsx", "Two sheets, formulas, a chart", authoring.workbook, "openpyxl"),
    own("licence.docx", "The project's licence", authoring.licence, "python-docx"),
    own("damaged.pptx", "Half of a deck", authoring.damaged, "python-pptx", hopeless="damaged"),
    own("encrypted.docx", "Encrypted", authoring.encrypted, "msoffcrypto-tool", hopeless="encrypted"),
    Document(
        "project-scan.djvu",
        "Two scanned pages about the project",
        "`tests/data/project_scan.djvu`, made once with DjVuLibre",
        "Apache-2.0 (this project)",
        (ROOT / "tests" / "data" / "project_scan.djvu").read_bytes,
    ),
)


def prepare() -> list[Document]:
    """Make the documents that are missing or older than what makes them, and return all of them."""
    newest = max(source.stat().st_mtime for source in SOURCES)
    stale = [d for d in DOCUMENTS_OF_THE_DEMO if not d.path.exists() or d.path.stat().st_mtime < newest]
    if stale:
        download()
        DOCUMENTS.mkdir(parents=True, exist_ok=True)
    for document in stale:
        partial_file = document.path.with_suffix(".partial")
        partial_file.write_bytes(document.make())
        partial_file.replace(document.path)
    return list(DOCUMENTS_OF_THE_DEMO)


def page() -> str:
    """Return ``docs/documents.md``."""
    projects = ", ".join(f"{sdist.name} {sdist.version}" for sdist in SDISTS)
    lines = [
        "# The documents of the demo and the tests",
        "",
        "Only the scan is in this repository. The others are made at set-up: taken from published sources",
        f"({projects}), or written by `dev/authoring.py`.",
        "`python -m dev.documents` writes this page.",
        "",
        "| document | what it is | origin | licence |",
        "|---|---|---|---|",
        *(f"| {d.name} | {d.about} | {d.origin} | {d.licence} |" for d in DOCUMENTS_OF_THE_DEMO),
        "",
        "OpenDocument files are converted if LibreOffice is installed (`make libreoffice`). The damaged and the",
        "encrypted document fail on purpose.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
