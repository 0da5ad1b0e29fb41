"""Gives the events of a task's ``outlets`` what it has delivered, and makes none if that is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import quote

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.compat import AIRFLOW_VERSION

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.batch import Batch
    from airflow_provider_docconv.compat import Context
    from airflow_provider_docconv.transfer.delivery import DeliveredFile

# How many results an event names, and how long their addresses may be together: Airflow's database keeps each event.
_LISTED = 100
_MAX_CHARS = 8 << 10
# Each is an asset of its own, which Airflow makes while the task ends.
_MOST_FOLDERS = 100
# Airflow's limit for an asset.
_LONGEST_URI = 1500
# What an address keeps in an asset's URI: MySQL takes nothing but ASCII there, and Airflow drops what follows # or ?.
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "%#?")


class Outlets(Protocol):
    """What is read of an operator, and changed in it."""

    outlets: list[Any]

    @property
    def log(self) -> Any:
        """The task's log."""


class Delivery(NamedTuple):
    """
    The results of a document.

    :param folder: where they were delivered, with a slash at its end
    :param results: the delivered files
    :param more: how many there are beyond these
    """

    folder: str
    results: Sequence[DeliveredFile]
    more: int = 0


def announce(
    operator: Outlets,
    context: Context,
    deliveries: Sequence[Delivery],
    extra: Mapping[str, Any],
    counts: Mapping[str, int],
) -> None:
    """
    Prepare the events that Airflow makes of a task's ``outlets`` when it succeeds.

    An ``Asset`` gets one event with the results. An ``AssetAlias`` gets an event for each folder that has new results,
    whose asset has the folder's address.

    :param operator: the task's operator
    :param context: the task's context
    :param deliveries: the results, by document
    :param extra: what all events tell beside the results
    :param counts: what the events of assets tell beside that, which is about all results
    """
    if not deliveries:
        # Airflow makes an event of each outlet that the executed copy of the operator has at the end.
        operator.outlets = []
    if not operator.outlets:
        return
    from airflow_provider_docconv.compat import AssetAlias

    events: Any = context["outlet_events"]
    for outlet in operator.outlets:
        try:
            if isinstance(outlet, AssetAlias):
                _announce_folders(operator, events[outlet], deliveries, extra)
            elif isinstance(outlet, _asset_types()):  # Lineage has other outlets.
                accessor = events[outlet]
                accessor.extra = {**accessor.extra, **extra, **counts, **_results(deliveries)}
        except Exception as error:  # Whatever Airflow has against an asset: the results are delivered.
            operator.log.warning("The event of %r will not tell what was delivered: %s", outlet, error)


def announce_batch(operator: Outlets, context: Context, batch: Batch, summary: Mapping[str, Any]) -> None:
    """
    Prepare the events of a batch.

    :param operator: the task's operator
    :param context: the task's context
    :param batch: the batch
    :param summary: its summary
    """
    if not operator.outlets:
        return
    found = [(each.request, each.entry) for each in batch.documents.values()]
    deliveries = [
        Delivery(_folder(request.destination), entry.results, entry.more_results)
        for request, entry in found
        if entry.state_in(batch.run) is DocumentState.DELIVERED
    ]
    extra = {key: summary[key] for key in ("record", "report", "page")}
    counts = {key: summary[key] for key in ("documents", "delivered", "skipped", "rejected", "failed", "bytes_out")}
    announce(operator, context, deliveries, extra, counts)


def announce_results(
    operator: Outlets, context: Context, results: Sequence[DeliveredFile], extra: Mapping[str, Any]
) -> None:
    """
    Prepare the events of a download.

    :param operator: the task's operator
    :param context: the task's context
    :param results: the delivered files
    :param extra: what the events tell beside them
    """
    deliveries = [Delivery(_folder(each["uri"]), [each]) for each in results]
    announce(operator, context, deliveries, extra, {"bytes_out": sum(each["size"] for each in results)})


def _announce_folders(
    operator: Outlets, accessor: Any, deliveries: Iterable[Delivery], extra: Mapping[str, Any]
) -> None:
    from airflow_provider_docconv.compat import Asset

    folders: dict[str, list[Delivery]] = {}
    for each in deliveries:
        folders.setdefault(_asset_uri(each.folder), []).append(each)
    # Before, Airflow makes a set of these extras as the task ends, and fails at a list.
    listed = _LISTED if AIRFLOW_VERSION >= (3, 1, 8) else 0
    told = [uri for uri in folders if len(uri) <= _LONGEST_URI][:_MOST_FOLDERS]
    for uri in told:
        results = _results(folders[uri], listed)
        accessor.add(Asset(uri), extra={**extra, **results})
    if more := len(folders) - len(told):
        operator.log.warning("%d folders with new results get no event; at most %d do", more, _MOST_FOLDERS)


def _asset_types() -> tuple[type, ...]:
    from airflow_provider_docconv.compat import Asset

    if AIRFLOW_VERSION < (3, 0):
        return (Asset,)
    from airflow.sdk.definitions.asset import AssetRef  # Airflow 2 has none.

    return Asset, AssetRef


def _results(deliveries: Iterable[Delivery], most: int = _LISTED) -> dict[str, Any]:
    """Return the addresses of some results, and how many there are beyond these."""
    listed: list[str] = []
    number = chars = 0
    for each in deliveries:
        number += len(each.results) + each.more
        for result in each.results:
            chars += len(result["uri"])
            if len(listed) < most and chars <= _MAX_CHARS:
                listed.append(result["uri"])
    return {**({"results": listed} if most else {}), "more_results": number - len(listed)}


def _folder(address: str) -> str:
    return address[: address.rfind("/") + 1]


def _asset_uri(folder: str) -> str:
    """Return the URI of a folder's asset: without the Airflow connection, and without a slash at its end."""
    scheme, found, rest = folder.partition("://")
    if not found:
        scheme, rest = "file", folder
    host, slash, path = rest.partition("/")
    text = f"{host.rpartition('@')[2]}{slash}{path}".rstrip("/")
    return f"{scheme}://{quote(text, safe=_KEPT, errors='surrogatepass')}"
