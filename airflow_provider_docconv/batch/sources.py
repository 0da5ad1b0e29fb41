"""Finds the documents of a batch: a path, a folder, a glob, or a list of them, in any object store."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_docconv.batch.items import Item
from airflow_provider_docconv.services.errors import InvalidOptions, SourceNotFound

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: The folder beside the results for what the batch keeps for itself.
OWN_FOLDER = ".docconv"
_MAGIC = frozenset("*?[")
# Fewer documents of a folder than this are asked for one by one instead of listing the folder.
_FEW = 20


@dataclass(frozen=True, slots=True)
class Found:
    """
    A document that was found.

    :param uri: its address
    :param relative: its path below the folder that was searched, or its name; hostile
    :param size: its length in bytes, or None if unknown
    :param version: tells this content from an earlier one, or is empty if the store does not
    """

    uri: str
    relative: str
    size: int | None = None
    version: str = ""


def find(item: Item, destination: str, vendor_scheme: str) -> Iterator[Found]:
    """
    Find the documents of an item.

    A document that is named and does not exist is given nevertheless, so that it fails by itself and not the batch.

    :param item: the item
    :param destination: the folder of the results, which is never searched
    :param vendor_scheme: the scheme of addresses in the vendor's own storage
    :raises SourceNotFound: if a folder does not exist, or the store does not answer
    """
    from airflow_provider_docconv.client.failures import explain

    if item.source.startswith(f"{vendor_scheme}://"):
        yield from _in_vendors_storage(item)
        return
    try:
        if item.documents is not None:
            found = _documents(item.source, item.documents)
        else:
            found = _search(item.source, destination)
        yield from found
    except Exception as error:  # The stores' drivers raise errors of their own kinds.
        raise SourceNotFound(
            f"the documents can't be listed ({explain(error)}), so nothing was sent", document=item.source
        ) from error


def _in_vendors_storage(item: Item) -> Iterator[Found]:
    """Take the addresses as they are: the service will say if there is nothing."""
    if item.documents is None:
        yield Found(item.source, unquote(item.source.rpartition("/")[2]))
    for relative in item.documents or ():
        # An address there may be percent-encoded; a path is not.
        yield Found(f"{item.source.rstrip('/')}/{relative.replace('%', '%25')}", relative)


def _search(source: str, destination: str) -> Iterator[Found]:
    from airflow_provider_docconv.storage import to_path

    path = to_path(source)
    path.fs.invalidate_cache()
    if _MAGIC & set(source) and not path.exists():
        folder = source[: min(source.index(sign) for sign in _MAGIC if sign in source)].rpartition("/")[0] + "/"
        listing = path.fs.glob(path.path, detail=True)
        yield from _below(folder, listing, destination)
    elif source.endswith("/") or path.is_dir():
        yield from list_folder(source, destination)
    else:
        yield _one(path, source, path.name)


def list_folder(folder: str, destination: str) -> Iterator[Found]:
    """
    List everything below a folder but hidden files and the results.

    :param folder: the folder
    :param destination: the folder of the results, which is never searched
    :raises Exception: whatever the store's driver raises, :class:`FileNotFoundError` if the folder does not exist
    """
    from airflow_provider_docconv.storage import to_path

    root = f"{folder.rstrip('/')}/"
    yield from _below(root, _list(to_path(root)), destination)


def _documents(folder: str, documents: Sequence[str]) -> Iterator[Found]:
    from airflow_provider_docconv.storage import to_path, version_of

    root = folder.rstrip("/") + "/"
    if len(documents) < _FEW:
        for relative in documents:
            yield _one(to_path(root + relative), root + relative, relative)
        return
    path = to_path(root)
    listing, base = _list(path), path.path.rstrip("/") + "/"
    for relative in documents:
        info = listing.get(base + relative, {})
        yield Found(root + relative, relative, info.get("size"), version_of(info))


def _list(path: ObjectStoragePath) -> dict[str, Any]:
    path.fs.invalidate_cache()
    listing: dict[str, Any] = path.fs.find(path.path, detail=True)
    # In an object store, a folder is there as long as there is something in it.
    if not listing and path.protocol in ("file", "local", "") and not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist")
    return listing


def _below(folder: str, listing: Mapping[str, Any], destination: str) -> Iterator[Found]:
    from airflow_provider_docconv.storage import to_path, version_of

    base = to_path(folder).path.rstrip("/") + "/"
    results = to_path(destination).path.rstrip("/") + "/"
    for name in sorted(listing):
        info, relative = listing[name], name.removeprefix(base)
        hidden = any(part.startswith(".") for part in relative.split("/"))
        # Results below the sources must not be the next night's documents.
        ours = results != base and results.startswith(base) and name.startswith(results)
        if info.get("type") == "file" and not hidden and not ours and relative:
            yield Found(folder + relative, relative, info.get("size"), version_of(info))


def _one(path: ObjectStoragePath, uri: str, relative: str) -> Found:
    from airflow_provider_docconv.storage import version_of

    path.fs.invalidate_cache()
    try:
        info = path.fs.info(path.path)
    except FileNotFoundError:
        return Found(uri, relative)
    return Found(uri, relative, info.get("size"), version_of(info))


def chunk_documents(folder: str, size: int = 1000, destination: str | None = None) -> list[dict[str, Any]]:
    """
    List a folder or a glob and cut it into chunks, for one mapped task each.

    .. code-block:: python

        chunks = task(chunk_documents)("s3://aws_default@documents/inbox/")
        ConvertDocumentsOperator.partial(task_id="convert", …).expand(source=chunks)

    :param folder: a folder or a glob
    :param size: how many documents a chunk has at most
    :param destination: the folder of the results, if it lies below the other: they are left out
    :return: what ``ConvertDocumentsOperator`` takes as ``source``: mappings with ``folder`` and ``documents``
    :raises SourceNotFound: if the folder does not exist, or the store does not answer
    """
    if size < 1:
        raise InvalidOptions(f"a chunk has at least one document, not {size}", remedy="correct the size")
    found = list(find(Item(folder, None, "", {}), destination or f"{folder.rstrip('/')}/{OWN_FOLDER}/", "\0"))
    if not found:
        return []
    root = found[0].uri.removesuffix(found[0].relative)
    names = [each.relative for each in found]
    return [{"folder": root, "documents": names[at : at + size]} for at in range(0, len(names), size)]
