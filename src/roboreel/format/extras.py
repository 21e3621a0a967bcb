"""Fields of episodes that are not part of the format: kept in a column, whatever their form.

Plain values have columns of their own type. Values that no one Arrow type holds exactly (objects, mixed
kinds, numbers beyond 64 bits) travel as JSON text in a column marked so, and come back as what they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa

from roboreel.format.json_types import Json, is_deep

_MARK = {b"roboreel.form": b"json"}


def extra_column(name: str, values: Sequence[Json]) -> tuple[pa.Field, pa.Array]:
    """The column of one extra field, and how it is declared."""
    if _one_kind(values):
        try:
            column = pa.array(values)
            if not pa.types.is_null(column.type):
                return pa.field(name, column.type), column
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            pass
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return pa.field(name, pa.string(), metadata=_MARK), pa.array(texts, pa.string())


def extra_values(field: pa.Field, column: pa.ChunkedArray) -> list[Json]:
    """The field's values as JSON has them."""
    values = _plain(column)
    if (field.metadata or {}).get(b"roboreel.form") != b"json":
        return values
    return [_parsed(text) if isinstance(text, str) else text for text in values]


def _plain(column: pa.ChunkedArray) -> list[Json]:
    """The values as Python has them; those that it has not, as texts.

    Python has no nanoseconds, no year 300000 and not every time zone.
    """
    try:
        values: list[Json] = column.to_pylist()
    except (ValueError, OverflowError, LookupError, pa.ArrowException):
        try:
            values = column.cast(pa.string()).to_pylist()
        except pa.ArrowException:
            values = [str(column.slice(at, 1).to_string()) for at in range(len(column))]
    return values


def _parsed(text: str) -> Json:
    if is_deep(text.encode()):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # another tool wrote into the column
        return text


def _one_kind(values: Iterable[Json]) -> bool:
    """True where all values, and all items of their lists, are texts, truths, whole numbers or floats."""
    return len({kind for value in values for kind in _kinds(value)}) <= 1


def _kinds(value: Json) -> set[object]:
    if value is None:
        return set()
    if isinstance(value, dict):
        return {"object", None}  # two kinds: never a column of its own
    if isinstance(value, list):
        inner = [_kinds(item) for item in value]
        nothing = {None, "nothing"} if any(item is None for item in value) else set()
        return {("list", kind) for kinds in inner for kind in kinds} | nothing or {("list", None)}
    return {type(value)}
