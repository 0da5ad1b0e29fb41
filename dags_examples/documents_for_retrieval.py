"""
Make chunks for retrieval of last night's documents: office documents, PDFs and web pages to Markdown, then to chunks.

docling-serve converts what is new or has changed in the inbox. `load` reads the Markdown, with the
`DocumentLoaderOperator` of `apache-airflow-providers-common-ai` where that is installed, and `chunk` cuts it at its
headings. Follow it with the task that embeds the chunks.

**What to set:** the params `inbox` and `outbox`, folders in any object storage, and the connection
`docling_serve_default`: the base URL of your docling-serve, and its API key if it asks for one.

**What a red task means:** some documents were not converted; the end of the task's log names the first ten with what to
do. `load` and `chunk` run for the others all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

try:
    from airflow.providers.common.ai.operators.document_loader import DocumentLoaderOperator
except ImportError:
    DocumentLoaderOperator = None

LONGEST = 2000


def chunks_of(text: str) -> Iterator[str]:
    """Cut Markdown at its headings, and longer parts at their paragraphs."""
    for part in re.split(r"(?m)^(?=#{1,6} )", text):
        chunk = ""
        for paragraph in part.split("\n\n"):
            if chunk and len(chunk) + len(paragraph) > LONGEST:
                yield chunk.strip()
                chunk = ""
            chunk += f"{paragraph}\n\n"
        if chunk.strip():
            yield chunk.strip()


@task(task_id="load", trigger_rule="all_done")
def read_texts(folder: str) -> list[dict[str, Any]]:
    """Read every Markdown file of a folder, in the form of the ``DocumentLoaderOperator``."""
    files = sorted(ObjectStoragePath(folder).rglob("*.md"))
    return [{"text": file.read_text(encoding="utf-8"), "metadata": {"file_path": str(file)}} for file in files]


@task
def chunk(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut each document into chunks, which keep its metadata."""
    return [
        {"text": text, "metadata": {**each["metadata"], "chunk": number}}
        for each in documents
        for number, text in enumerate(chunks_of(each["text"]), 1)
    ]


with DAG(
    dag_id="documents_for_retrieval",
    description="Convert a folder of documents to Markdown, and cut it into chunks for retrieval",
    doc_md=__doc__,
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "inbox": Param("s3://aws_default@documents/inbox", type="string", description="Folder of the documents"),
        "outbox": Param("s3://aws_default@documents/markdown", type="string", description="Folder for the Markdown"),
    },
    tags=["docconv"],
) as dag:
    convert = ConvertDocumentsOperator(
        task_id="convert",
        source="{{ params.inbox }}/",
        target_format="md",
        conn_id="docling_serve_default",
        destination="{{ params.outbox }}/{folder}{stem}-{extension}.{format}",
        # A lost reply costs the server's time only: nothing is billed.
        on_lost_reply="start_again",
        deferrable=True,
    )

    if DocumentLoaderOperator:
        load = DocumentLoaderOperator(
            task_id="load", source_path="{{ params.outbox }}/", file_extensions=[".md"], trigger_rule="all_done"
        )
        documents = load.output
    else:
        documents = read_texts("{{ params.outbox }}/")
        load = documents.operator

    convert >> load
    chunk(documents)
