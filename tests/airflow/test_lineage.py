"""What OpenLineage is told of a task: bounded, under the names that its specification gives files in stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from openlineage.client.naming.dataset import ABFSS, GCS, S3, LocalFileSystem, RemoteFileSystem
from openlineage.client.serde import Serde

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    MergePresentationsOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from airflow_provider_docconv.worker.lineage import File, Lineage, dataset_name, openlineage_facets
from dev.sandbox import Sandbox
from tests.support.batches import add, empty_batch
from tests.support.hostile import Answer, Hostile
from tests.support.replies import own_error
from tests.support.tasks import Store, connect, context

NAMES: list[tuple[str, Any]] = [
    ("s3://aws_default@bucket/inbox/q3.pptx", S3("bucket", "inbox/q3.pptx")),
    ("s3a://bucket/q3.pptx", S3("bucket", "q3.pptx")),
    ("gs://bucket/a b/ü.pptx", GCS("bucket", "a b/ü.pptx")),
    ("abfs://azure@container/inbox/q3.pptx", ABFSS("container", "account", "inbox/q3.pptx")),
    ("file:///mnt/q3.pptx", LocalFileSystem("/mnt/q3.pptx")),
    ("/mnt/q3.pptx", LocalFileSystem("/mnt/q3.pptx")),
    ("file://host/mnt/q3.pptx", RemoteFileSystem("host", "/mnt/q3.pptx")),
]


@pytest.mark.parametrize(("address", "named"), NAMES, ids=[address for address, _ in NAMES])
def test_files_have_the_names_of_the_specification(address: str, named: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = "AccountName=account;AccountKey=YWNjb3VudCBrZXk=;BlobEndpoint=https://account.blob.core.windows.net"
    azure = {"conn_type": "wasb", "extra": {"connection_string": account}}
    monkeypatch.setenv("AIRFLOW_CONN_AZURE", json.dumps(azure))
    assert dataset_name(address) == (named.get_namespace(), named.get_name())


def test_documents_in_a_vendors_storage_have_its_scheme() -> None:
    assert dataset_name("aspose-slides://My%20Store/in/q3.pptx") == ("aspose-slides://My%20Store", "in/q3.pptx")
    assert dataset_name("aspose-slides:///in/q3.pptx") == ("aspose-slides://default", "in/q3.pptx")


def event(lineage: Lineage) -> dict[str, Any]:
    """Return what OpenLineage's client makes of it."""
    found: dict[str, Any] = json.loads(Serde.to_json(openlineage_facets(lineage)))
    return found


def test_a_large_batch_names_a_hundred_documents_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = empty_batch()
    for number in range(300):
        document = add(batch, f"{number}.pptx", "delivered")
        file = DeliveredFile(uri=f"s3://b/pdf/{number}.pdf", size=10, sha256="")
        document.entry = replace(document.entry, results=(file,), more_results=2)
        document.request = replace(document.request, size=7)
    for number in range(15):
        add(batch, f"bad-{number}.pptx", "rejected")
    add(batch, "skipped.pptx", "skipped")
    hook = DocConvHook.for_connection(connect(monkeypatch, "http://127.0.0.1:1"))
    lineage = Lineage.of_batch(batch, {"docs": hook})
    assert (len(lineage.inputs), lineage.more_inputs) == (100, 215)
    assert (len(lineage.outputs), lineage.more_outputs) == (100, 800)
    told = event(lineage)["run_facets"]["docconv_documents"]
    assert told["documents"] == {"delivered": 300, "rejected": 15, "skipped": 1}
    assert (told["bytesRead"], told["bytesWritten"], told["moreInputs"], told["moreOutputs"]) == (2100, 3000, 215, 800)
    assert (len(told["errors"]), told["moreErrors"]) == (10, 5)
    assert len(json.dumps(event(lineage))) < 150_000


def test_a_merge_reads_each_of_its_presentations(
    deck_bytes: bytes, tmp_path: Path, service: Callable[..., Sandbox]
) -> None:
    service()
    for name in ("a.pptx", "b.pptx"):
        (tmp_path / name).write_bytes(deck_bytes)
    sources = [f"file://{tmp_path}/a.pptx", {"source": f"file://{tmp_path}/b.pptx", "password": "the-password"}]
    operator = MergePresentationsOperator(task_id="merge", sources=sources, conn_id="docs")
    operation_id = operator.execute(context(Store()))
    facets = operator.get_openlineage_facets_on_complete(None)
    assert facets is not None
    assert [each.name for each in facets.inputs] == [f"{tmp_path}/a.pptx", f"{tmp_path}/b.pptx"]
    assert [each.inputFacets["inputStatistics"].size for each in facets.inputs] == [len(deck_bytes)] * 2
    assert facets.run_facets["externalQuery"].externalQueryId == operation_id
    assert "the-password" not in Serde.to_json(facets)


def test_a_start_that_fails_has_read_its_document(deck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = StartConversionOperator(task_id="start", source=deck, target_format="pdf", conn_id="docs")
    with Hostile(Answer(own_error("aspose_slides", 400), 400)) as server:
        connect(monkeypatch, server.url)
        with pytest.raises(exceptions.DocumentRejected):
            operator.execute(context(Store()))
        facets = operator.get_openlineage_facets_on_failure(None)
    assert facets is not None
    assert [each.name for each in facets.inputs] == [deck.removeprefix("file://")]
    assert "externalQuery" not in facets.run_facets


def test_a_task_that_has_not_begun_tells_nothing() -> None:
    operator = ConvertDocumentsOperator(
        task_id="t", source="s3://b/in/", target_format="pdf", conn_id="docs", destination="s3://b/out/"
    )
    assert operator.get_openlineage_facets_on_complete(None) is None
    assert operator.get_openlineage_facets_on_failure(None) is None


def test_a_file_of_unknown_size_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = DocConvHook.for_connection(connect(monkeypatch, "http://127.0.0.1:1"))
    [found] = event(Lineage(hooks=[hook], inputs=[File("aspose-slides://S/q3.pptx")]))["inputs"]
    assert (found["namespace"], found["name"]) == ("aspose-slides://S", "q3.pptx")
    assert found["inputFacets"]["inputStatistics"]["fileCount"] == 1
