"""Options by the vendor's names: what each is checked against, before anything is sent."""

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

_FEW = 12
_REFUSED = object()


def fingerprint(*values: object, **parts: object) -> str:
    """Return a digest of what makes one conversion differ from another; leave secrets out."""
    return hashlib.sha256(json.dumps([*values, parts], sort_keys=True, default=str).encode()).hexdigest()


def without_passwords(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return options without what must not be written down, at any depth."""
    return {
        key: without_passwords(value) if isinstance(value, Mapping) else value
        for key, value in (options or {}).items()
        if "password" not in str(key).lower()
    }


def require_mapping(given: object, name: str) -> Mapping[Any, Any]:
    """
    Return options that are some at all.

    :raises InvalidOptions: if they are no mapping
    """
    if isinstance(given, Mapping):
        return given
    raise InvalidOptions(f"{name} must be a mapping of the vendor's options")


def read_options(service: str, given: object, schema: Any, where: str = "") -> dict[str, Any]:
    """
    Return options as the vendor types them, without those that are None or, but inside of an option, empty.

    Templates give texts, so a text of digits is taken for a number and ``true`` for a boolean. Inside of an option the
    letter case of names is the user's choice: the vendors' documentation and SDKs differ.

    :param service: the service's name, for messages
    :param given: the options
    :param schema: the TypedDict that they are to fit, or a union of some
    :param where: the option that they are the value of, if any
    :raises InvalidOptions: if there is no such option, or it is of another type
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
        # A template that has nothing to give gives an empty text.
        if value is not None and (where or value != ""):
            read[name] = _read(service, value, fields[name], full)
    return read


def slide_numbers(given: object, name: str) -> list[int]:
    """
    Return the numbers of slides; empty if there is nothing given.

    :param given: a number, a list of them, or a text such as ``"1,3"``
    :param name: the option that it is the value of
    :raises InvalidOptions: if it is something else, or no slide's number
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
    """Find the passwords in options, at any depth."""
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
    """Give for each name the types that its value may have: in a union, those of all its members."""
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
        return read_options(service, value, Union[nested], name)  # noqa: UP007  # known only when it runs
    for hint in hints:
        if hint not in nested and (found := _convert(service, value, hint, name)) is not _REFUSED:
            return found
    shown = "" if "password" in name.lower() else f", not {repr(value)[:100]}"
    raise InvalidOptions(f"{name} must be {' or '.join(dict.fromkeys(map(_describe, hints)))}{shown}")


def _convert(service: str, value: object, hint: Any, name: str) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        return value if value in get_args(hint) else _REFUSED
    if origin is Sequence:
        if not isinstance(value, list | tuple):
            return _REFUSED
        members = _members(get_args(hint)[0])
        return [_read(service, item, members, f"{name}[{index}]") for index, item in enumerate(value)]
    if origin is Mapping:
        texts = isinstance(value, Mapping) and all(isinstance(item, str) for pair in value.items() for item in pair)
        return value if texts else _REFUSED
    return _PLAIN[hint](value)


def _text(value: object) -> object:
    return value if isinstance(value, str) else _REFUSED


def _truth(value: object) -> object:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), _REFUSED)
    return value if isinstance(value, bool) else _REFUSED


def _whole(value: object) -> object:
    try:
        return int(value) if isinstance(value, str) else value if type(value) is int else _REFUSED
    except ValueError:
        return _REFUSED


def _number(value: object) -> object:
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return _REFUSED
    return number if type(number) in (int, float) and isfinite(number) else _REFUSED  # type: ignore[arg-type]  # it is


_PLAIN: dict[type, Callable[[object], object]] = {str: _text, bool: _truth, int: _whole, float: _number}
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_origin(hint) is Sequence:
        return "a list"
    return _WORDS.get(hint, "a mapping")


def _hint(name: str, fields: Mapping[str, object]) -> str:
    if len(fields) <= _FEW:
        return f"only {', '.join(sorted(fields))}"
    lower = {field.lower(): field for field in fields}
    return f"the nearest are {', '.join(lower[near] for near in get_close_matches(name.lower(), lower, 3, 0.0))}"
