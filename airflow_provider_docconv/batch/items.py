"""What the operator of a batch is given: which documents, to which format, with which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.addresses import address_of
from airflow_provider_docconv.services.errors import InvalidOptions

if TYPE_CHECKING:
    from airflow_provider_docconv.services.service import ConversionService

_KEYS = frozenset({"source", "folder", "documents", "target_format", "options"})


@dataclass(frozen=True, slots=True)
class Item:
    """
    One item of an operator's ``source``.

    :param source: a path, a folder or a glob; a folder if ``documents`` are given
    :param documents: the paths of some documents below the folder, or None
    :param target_format: the format to convert to
    :param options: the service's options, which may hold passwords
    """

    source: str
    documents: Sequence[str] | None
    target_format: str
    options: Mapping[str, Any] = field(repr=False)


def read_items(source: object, target_format: str, options: Mapping[str, Any] | None) -> list[Item]:
    """
    Read an operator's ``source``: a string or a path, a mapping, or a list of these.

    :param source: the source
    :param target_format: the format where an item has none of its own
    :param options: the options where an item has none of its own
    :raises InvalidOptions: if it is something else
    """
    values: Any = source if _is_list(source) else [source]
    return [_item(value, target_format, options or {}) for value in values]


def _item(value: object, target_format: str, options: Mapping[str, Any]) -> Item:
    if not isinstance(value, Mapping):
        if not (text := address_of(value)):
            raise InvalidOptions(
                "the source is not understood", remedy="give a path, a folder, a glob or a list of them"
            )
        return Item(text, None, target_format, options)
    named, documents = address_of(value.get("source", value.get("folder"))), value.get("documents", ())
    own_format = value.get("target_format") or target_format
    own_options = options if value.get("options") is None else value["options"]
    shaped = ("source" in value, "folder" in value, "documents" in value) in ((1, 0, 0), (0, 1, 1))
    texts: list[Any] = [named, own_format, *documents] if _is_list(documents) else [None]
    sound = all(isinstance(text, str) and text for text in texts) and isinstance(own_options, Mapping)
    if not shaped or set(value) - _KEYS or not sound:
        # Only the names: the options may hold passwords.
        raise InvalidOptions(
            f"a source with {', '.join(sorted(map(str, value)))[:200] or 'nothing in it'} is not understood",
            remedy="give 'source', or 'folder' and 'documents', and if need be 'target_format' and 'options'",
        )
    return Item(named, documents if "documents" in value else None, own_format, own_options)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_items(items: Sequence[Item], service: ConversionService) -> None:
    """
    Check that a service can convert the documents of all items, as far as that is known before they are found.

    :raises InvalidOptions: if it has no such format or option, or all results would be saved at one place
    """
    for item in items:
        if service.saving_option in service.check(item.target_format, item.options):
            raise InvalidOptions(
                f"{service.saving_option} would have the results of a batch replace each other at {service.label}",
                remedy="leave it out, or start such documents one by one with StartConversionOperator",
            )
