"""The reference pages name what there is, and all of it."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from pathlib import Path

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.operators import docconv as operators
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from airflow_provider_docconv.services.http import MEANINGS, Call, Meaning
from airflow_provider_docconv.services.operations import OperationState
from airflow_provider_docconv.triggers.documents import IncomingDocumentsTrigger

DOCS = Path(__file__).parent.parent / "docs"
OPERATORS = (
    operators.ConvertDocumentsOperator,
    operators.StartConversionOperator,
    operators.MergePresentationsOperator,
    operators.DownloadResultOperator,
    ConversionSensor,
)


def section(page: str, heading: str) -> str:
    _, found, text = f"\n{(DOCS / page).read_text()}".partition(f"\n## {heading}\n")
    assert found, f"docs/{page} has no section {heading}"
    return text.partition("\n## ")[0]


def first_column(text: str) -> list[str]:
    """Return all that stands as code in the first column of the tables, without the default of a parameter."""
    rows = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return [name.partition("=")[0] for row in rows for name in re.findall(r"`([^`]+)`", row)]


def parameters(kind: type) -> list[str]:
    found = inspect.signature(kind.__init__).parameters.values()
    return [each.name for each in found if each.name != "self" and each.kind is not each.VAR_KEYWORD]


@pytest.mark.parametrize("kind", OPERATORS, ids=lambda kind: kind.__name__)
def test_every_parameter_is_in_the_reference_and_no_other(kind: type[BaseOperator]) -> None:
    tables = section("operators.md", kind.__name__).partition("\n### ")[0]
    assert sorted(first_column(tables)) == sorted(parameters(kind))


def test_every_parameter_of_the_watcher_is_in_its_page() -> None:
    assert sorted(first_column(section("events.md", "What fires"))) == sorted(parameters(IncomingDocumentsTrigger))


def test_every_error_is_in_its_page() -> None:
    errors = {name for name in exceptions.__all__ if inspect.isclass(getattr(exceptions, name))} - {"DocConvError"}
    rows = first_column((DOCS / "errors.md").read_text())
    assert sorted(rows) == sorted(errors)


def statuses_of(meaning: Meaning) -> str:
    """Write the statuses of a row: single ones, hundreds as ``5xx``, or ``any``."""
    known = [status for status in meaning.statuses if 100 <= status < 600]
    if len(known) == 500:
        return "any other"
    full = [each for each in range(1, 6) if set(range(each * 100, each * 100 + 100)) <= set(known)]
    single = [str(status) for status in known if status // 100 not in full]
    return ", ".join(single + [f"{each}xx" for each in full])


def asked_by(meaning: Meaning) -> str:
    return "anything" if set(meaning.calls) == set(Call) else ", ".join(meaning.calls)


def test_the_table_of_replies_is_that_of_the_code() -> None:
    written = [line for line in section("errors.md", "What a reply means").splitlines() if line.startswith("| ")][2:]
    assert written == [
        f"| {asked_by(row)} | {row.form} | {statuses_of(row)} | `{row.error.__name__}` |" for row in MEANINGS
    ]


@pytest.mark.parametrize(
    ("heading", "states"),
    [("States of an operation", OperationState), ("States of a document in a batch", DocumentState)],
)
def test_the_glossary_has_every_state(heading: str, states: type[StrEnum]) -> None:
    assert first_column(section("glossary.md", heading)) == [state.value for state in states]
