"""
The merge of Aspose.Slides Cloud: documents sent along, documents in its storage, or both.

Facts: the vendor's SDKs and documentation. Parts named ``file1``, ``file2`` … are merged in their order, unless an
``OrderedMergeRequest`` says more; that names a part by its file name ("Merging Presentations from Various Sources").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_docconv.services.bodies import Body, FilePart, MultipartBody, json_body
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, StoredDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.messages import Request, query


def merge_request(
    path: str, presentations: Sequence[PresentationToMerge], out_path: str | None, storage: str | None
) -> Request:
    """
    Build the request that starts a merge.

    :param path: the URL's path
    :param presentations: what to merge, in this order
    :param out_path: where the result is saved, or None to keep it for a download
    :param storage: the storage of what is stored, unless a document names its own
    :raises InvalidOptions: if there are less than two documents, or slides are not numbered from 1, or storages differ
    """
    if len(presentations) < 2:
        raise InvalidOptions("a merge needs two documents or more")
    if any(number < 1 for each in presentations for number in each.slides):
        raise InvalidOptions("slides must be a list of slide numbers from 1")
    documents = [each.document for each in presentations if isinstance(each.document, Document)]
    files = [FilePart(document, f"file{number}", f"file{number}") for number, document in enumerate(documents, 1)]
    names = iter(files)
    order = {"presentations": [_describe(each, names) for each in presentations]}
    plain = all(isinstance(each.document, Document) and not each.slides and not each.password for each in presentations)
    body: Body = MultipartBody(files, {} if plain else {"pipeline": order}) if files else json_body(order)
    parameters = query(outPath=out_path, storage=_one_storage(presentations, storage))
    return Request("PUT" if out_path else "POST", path, parameters, body=body, repeatable=False)


def _describe(presentation: PresentationToMerge, files: Iterator[FilePart]) -> dict[str, Any]:
    stored = presentation.document if isinstance(presentation.document, StoredDocument) else None
    found: dict[str, Any] = {"path": stored.path if stored else next(files).file_name}
    if presentation.password:
        found["password"] = presentation.password
    if presentation.slides:
        found["slides"] = list(presentation.slides)
    return found | {"source": "Storage" if stored else "Request"}


def _one_storage(presentations: Sequence[PresentationToMerge], default: str | None) -> str | None:
    stored = [each.document for each in presentations if isinstance(each.document, StoredDocument)]
    storages = {document.storage or default for document in stored} or {default}
    if len(storages) > 1:
        raise InvalidOptions(
            "the documents to merge lie in different storages of the vendor, and a call takes one",
            remedy="copy them into one storage",
        )
    return storages.pop()
