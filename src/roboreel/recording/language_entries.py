"""Entries of the language columns, as lists of dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.format.language_types import LANGUAGE_FIELDS

_REQUIRED = ("role", "timestamp")
_CALLS = "tool_calls"


def checked_entries(value: Any, column: str, where: str) -> list[dict[str, Any]]:
    """The entries of one frame, with tool calls as JSON text.

    Raises:
        UsageError: it is not a list of entries with the column's fields.
    """
    names = LANGUAGE_FIELDS[column]
    if not isinstance(value, (list, tuple)):
        raise UsageError(f"{where}: got {type(value).__name__}, expected a list of entries")
    return [_entry(one, names, f"{where}, entry {at}") for at, one in enumerate(value)]


def _entry(one: object, names: Sequence[str], where: str) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        raise UsageError(f"{where}: got {type(one).__name__}, expected a dict")
    unknown = sorted(str(name) for name in one if name not in names)
    if unknown:
        raise UsageError(f"{where}: '{unknown[0]}' is not one of its fields ({', '.join(names)})")
    made: dict[str, Any] = {name: one.get(name) for name in names}
    for name in names:
        value = made[name]
        if value is None and name in _REQUIRED:
            raise UsageError(f"{where}: '{name}' is missing")
        kind: Any = (int, float) if name == "timestamp" else list if name == _CALLS else str
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            expected = (
                "a number" if name == "timestamp" else "a list" if name == _CALLS else "a string"
            )
            raise UsageError(f"{where}, '{name}': got {type(value).__name__}, expected {expected}")
        if isinstance(value, str):
            require_text(value, f"{where}, '{name}'")
    if made[_CALLS] is not None:
        made[_CALLS] = [_call(one, f"{where}, '{_CALLS}'") for one in made[_CALLS]]
    return made


def _call(given: Any, where: str) -> str:
    """A tool call as JSON text."""
    try:
        text = given if isinstance(given, str) else json.dumps(given)
        json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON ({error})") from error
    require_text(text, where)
    return text


def require_text(text: str, where: str) -> None:
    """Raise `UsageError` where no file can hold a text: it has half of a surrogate pair."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{where}: character {error.start} is half of a surrogate pair, which UTF-8 cannot encode"
        ) from error


def language_column(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The column of checked entries: Arrow makes JSON of text only by a cast."""
    return pa.array(values, _as_text(type_)).cast(type_)


def _as_text(type_: pa.DataType) -> pa.DataType:
    """The type with text for JSON."""
    if isinstance(type_, pa.BaseExtensionType):
        return type_.storage_type
    if pa.types.is_list(type_):
        return pa.list_(_as_text(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([item.with_type(_as_text(item.type)) for item in type_])
    return type_
