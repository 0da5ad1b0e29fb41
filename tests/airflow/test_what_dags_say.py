"""What is seen of an operator while its Dag is parsed, and what a mapped task is called by."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_docconv.compat import DAG, ObjectStoragePath
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from airflow_provider_docconv.operators.merge import merge_presentations
from airflow_provider_docconv.sensors.docconv import ConversionSensor
from tests.support.tasks import context

GIVEN: dict[str, Any] = {"task_id": "t", "target_format": "pdf", "conn_id": "docs", "destination": "s3://b/out"}

NAMES = [
    ("s3://c@b/in/q3 final.pptx", "q3 final.pptx"),
    (ObjectStoragePath("file:///in/deck.pptx"), "deck.pptx"),
    ({"source": "s3://b/deck.pptx", "options": {"password": "secret"}}, "deck.pptx"),
    (["s3://b/deck.pptx"], "deck.pptx"),
    (["s3://b/a.pptx", "s3://b/b.pptx"], "#7"),
    ({"folder": "s3://b/in/", "documents": ["a.pptx", "b.pptx"]}, "in/ (2)"),
    ("s3://b/2026/", "2026/"),
    ("s3://b/2026", "2026/"),
    ("s3://b/" + "x" * 300 + ".pptx", "x" * 195 + ".pptx"),
]


@pytest.mark.parametrize(("source", "name"), NAMES)
def test_a_mapped_task_is_called_by_its_document(source: Any, name: str) -> None:
    mapped = ConvertDocumentsOperator.partial(**GIVEN).expand(source=[source])
    task = ConvertDocumentsOperator(**GIVEN, source=source)
    template = NativeEnvironment().from_string(str(mapped.map_index_template))
    assert template.render(context(map_index=7) | {"task": task}) == name
    # Airflow renders it for whatever has one, and fails the task if that gives no text.
    assert task.map_index_template is None


@pytest.mark.parametrize("operator", [ConvertDocumentsOperator, ConversionSensor])
def test_a_template_of_the_users_own_comes_first(operator: Any) -> None:
    given = GIVEN if operator is ConvertDocumentsOperator else {"task_id": "t", "operation_id": "o", "conn_id": "docs"}
    mapped = operator.partial(**given, map_index_template="{{ ds }}").expand(source=["s3://b/a.pptx"])
    assert mapped.map_index_template == "{{ ds }}"


@pytest.mark.parametrize(
    "source",
    [
        "s3://b/in/",
        "s3://b/**/*.pptx",
        "{{ params.inbox }}/",
        ObjectStoragePath("s3://b/*.pptx"),
        ["s3://b/a.pptx", "s3://b/b.pptx"],
        {"source": "s3://b/in/"},
        {"folder": "s3://b/in", "documents": ["a.pptx", "b.pptx"]},
    ],
)
@pytest.mark.parametrize(
    "destination", ["s3://b/all.pdf", "s3://b/{{ ds }}/all.pdf", ObjectStoragePath("s3://b/all.pdf")]
)
def test_one_name_for_many_documents_is_refused(source: Any, destination: Any) -> None:
    with pytest.raises(ValueError, match="names a single file, but there may be several documents"):
        ConvertDocumentsOperator(**GIVEN | {"source": source, "destination": destination})


@pytest.mark.parametrize("source", ["s3://b/a.pptx", "s3://b/a [1].pptx", "{{ params.deck }}", ["s3://b/a.pptx"]])
@pytest.mark.parametrize("destination", ["s3://b/all.pdf", "s3://b/{{ ds }}/all.pdf", "{{ params.to }}", "s3://b/out"])
def test_one_name_for_one_document_is_taken(source: Any, destination: str) -> None:
    ConvertDocumentsOperator(**GIVEN | {"source": source, "destination": destination, "record": "s3://b/record/"})


@pytest.mark.parametrize(
    ("destination", "target_format", "fits"),
    [
        ("s3://b/all.pdf", "pdf", True),
        ("s3://b/all.JPEG", "jpg", True),
        ("s3://b/v1.2/", "pdf", True),
        ("{{ params.to }}", "pdf", True),
        ("s3://b/{{ ds }}.pdf", "pdf", True),
        ("s3://b/all.pdf", "{{ params.format }}", True),
        ("s3://b/all.docx", "pdf", False),
        ("s3://b/{{ ds }}.pptx", "pdf", False),
        ("s3://b/all.zip", "pdf", False),
    ],
)
def test_a_merge_has_the_extension_of_its_format(destination: str, target_format: str, fits: bool) -> None:
    given: dict[str, Any] = {"sources": ["s3://b/a.pptx", "s3://b/b.pptx"], "conn_id": "docs"}
    with DAG("d", schedule=None):
        if fits:
            merge_presentations(**given, destination=destination, target_format=target_format)
        else:
            with pytest.raises(ValueError, match="but the result is a pdf file"):
                merge_presentations(**given, destination=destination, target_format=target_format)
