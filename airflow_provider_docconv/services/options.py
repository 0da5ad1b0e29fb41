"""Checks options, by the vendor's names, before anything is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from airflow_provider_docconv.services.errors import InvalidOptions

# A message lists up to this many names, and suggests the nearest of more.
_MAX_LISTED = 14
_NO_MATCH = object()


def fingerprint(*values: object, **parts: object) -> str:
    """Return a digest that distinguishes one conversion from another; pass no secrets."""
    return hashlib.sha256(json.dumps([*values, parts], sort_keys=True, default=str).encode()).hexdigest()


def without_passwords(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options without the passwords in them, at any depth of mappings."""
    return {
        key: without_passwords(value) if isinstance(value, Mapping) else value
        for key, value in (options or {}).items()
        if "password" not in str(key).lower()
    }


def require_mapping(given: object, name: str) -> Mapping[Any, Any]:
    """
    Check that options are a mapping.

    :raises InvalidOptions: if not
    """
    if isinstance(given, Mapping):
        return given
    raise InvalidOptions(f"{name} must be a mapping of the vendor's options")


def read_options(service: str, given: object, schema: Any, where: str = "") -> dict[str, Any]:
    """
    Return options with the vendor's types, without those that are None or, at the top, empty.

    Templates render to texts, so a text of digits counts as a number and ``true`` as a boolean. Below the top, names
    may be in any letter case, because the vendors' documentation and SDKs differ.

    :param service: the service's name, for messages
    :param given: the options
    :param schema: the TypedDict that they must fit, or a union of several
    :param where: the option whose value they are; empty at the top
    :raises InvalidOptions: if an option is unknown, or of another type
    """
    options = require_mapping(given, where or "options")
    fields = _fields(schema)
    spelled = {name.lower() if where else name: name for name in fields}
    read: dict[str, Any] = {}
    for key, value in options.items():
        name = spelled.get(str(key).lower() if where else key)
        full = f"{where}.{name or key}" if where else str(name or key)
        if name is None:
            raise InvalidOptions(f"{service} has no option {full!r}, {_hint(str(key), fields)}")
        # A template without a value renders to an empty text.
        if value is not None and (where or value != ""):
            read[name] = _read(service, value, fields[name], full)
    return read


def slide_numbers(given: object, name: str) -> list[int]:
    """
    Return the numbers of slides; empty if none are given.

    :param given: a number, a list of numbers, or a text such as ``"1,3"``
    :param name: the option whose value it is
    :raises InvalidOptions: if it is something else, or a number is less than 1
    """
    if given is None or given == "":
        return []
    numbers = str(given).split(",") if isinstance(given, str | int) else given
    try:
        values = [int(number) for number in numbers] if isinstance(numbers, Iterable) else []
    except (TypeError, ValueError):
        values = []
    if not values or min(values) < 1:
        raise InvalidOptions(f"{name} must be a list of slide numbers from 1, not {given!r}")
    return values


def secrets_in(options: object) -> Iterator[str]:
    """Yield the passwords in options, at any depth."""
    if isinstance(options, Mapping):
        for key, value in options.items():
            if isinstance(value, str) and value and "password" in str(key).lower():
                yield value
            yield from secrets_in(value)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from secrets_in(value)


@lru_cache(maxsize=64)
def _fields(schema: Any) -> dict[str, tuple[Any, ...]]:
    """Return the types that each option may have: for a union, those of all its members."""
    fields: dict[str, tuple[Any, ...]] = {}
    for member in _members(schema):
        for name, hint in get_type_hints(member).items():
            fields[name] = tuple(dict.fromkeys((*fields.get(name, ()), *_members(hint))))
    return fields


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)


def _read(service: str, value: object, hints: tuple[Any, ...], name: str) -> Any:
    nested = tuple(hint for hint in hints if is_typeddict(hint))
    if nested and (isinstance(value, Mapping) or nested == hints):
        return read_options(service, value, Union[nested], name)  # noqa: UP007 - its members are known only at run time
    for hint in hints:
        if hint not in nested and (found := _convert(service, value, hint, name)) is not _NO_MATCH:
            return found
    shown = "" if "password" in name.lower() else f", not {repr(value)[:100]}"
    words = dict.fromkeys(_describe(hint, value) for hint in hints)
    raise InvalidOptions(f"{name} must be {' or '.join(words)}{shown}")


def _convert(service: str, value: object, hint: Any, name: str) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        return value if value in get_args(hint) else _NO_MATCH
    if origin is Sequence:
        if not isinstance(value, list | tuple):
            return _NO_MATCH
        members = _members(get_args(hint)[0])
        return [_read(service, item, members, f"{name}[{index}]") for index, item in enumerate(value)]
    if origin is Mapping:
        texts = isinstance(value, Mapping) and all(isinstance(item, str) for pair in value.items() for item in pair)
        return value if texts else _NO_MATCH
    return _PLAIN[hint](value)


def _text(value: object) -> object:
    return value if isinstance(value, str) else _NO_MATCH


def _truth(value: object) -> object:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), _NO_MATCH)
    return value if isinstance(value, bool) else _NO_MATCH


def _whole(value: object) -> object:
    try:
        return int(value) if isinstance(value, str) else value if type(value) is int else _NO_MATCH
    except ValueError:
        return _NO_MATCH


def _number(value: object) -> object:
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return _NO_MATCH
    return number if type(number) in (int, float) and isfinite(number) else _NO_MATCH  # type: ignore[arg-type]  # It is a number.


_PLAIN: dict[type, Callable[[object], object]] = {str: _text, bool: _truth, int: _whole, float: _number}
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def _describe(hint: Any, value: object) -> str:
    if get_origin(hint) is Literal:
        known = get_args(hint)
        if len(known) <= _MAX_LISTED:
            return f"one of {', '.join(known)}"
        return f"one of {len(known)} names, of which {_nearest(str(value), known)} are the nearest"
    if get_origin(hint) is Sequence:
        return "a list"
    return _WORDS.get(hint, "a mapping")


def _hint(name: str, fields: Mapping[str, object]) -> str:
    if len(fields) <= _MAX_LISTED:
        return f"only {', '.join(sorted(fields))}"
    return f"the nearest are {_nearest(name, fields)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    lower = {each.lower(): each for each in known}
    return ", ".join(lower[near] for near in get_close_matches(name.lower()[:100], lower, 3, 0.0))
