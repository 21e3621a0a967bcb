"""Keep episode fields that are not part of the format in a column, whatever their type.

Plain values get a column of their own type. Values that no single Arrow type can hold exactly (objects, mixed
kinds, numbers beyond 64 bits) are stored as JSON text in a marked column, and read back unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa

from roboreel.format.json_depth import is_deep
from roboreel.types import Json

_FORM = b"roboreel.form"
_MARK = {_FORM: b"json"}


def extra_column(name: str, values: Sequence[Json]) -> tuple[pa.Field, pa.Array]:
    """The field declaration and the column of one extra field."""
    if _one_kind(values):
        try:
            column = pa.array(values)
            if not pa.types.is_null(column.type):
                return pa.field(name, column.type), column
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            pass
    strings = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return pa.field(name, pa.string(), metadata=_MARK), pa.array(strings, pa.string())


def extra_values(field: pa.Field, column: pa.ChunkedArray) -> list[Json]:
    """The field's values as JSON values."""
    values = _plain(column)
    if (field.metadata or {}).get(_FORM) != _MARK[_FORM]:
        return values
    return [_parsed(text) if isinstance(text, str) else text for text in values]


def alike(tables: Sequence[pa.Table], names: Iterable[str]) -> list[pa.Table]:
    """Tables whose extra fields of the same name can share one column.

    Fields that one type can hold stay as they are; others are converted by `extra_column`.
    """
    made = list(tables)
    for name in names:
        at = [n for n, table in enumerate(made) if name in table.column_names]
        fields = [made[n].schema.field(name) for n in at]
        if _go_together(fields):
            continue
        parts = [extra_values(field, made[n][name]) for field, n in zip(fields, at, strict=True)]
        field, column = extra_column(name, [value for part in parts for value in part])
        start = 0
        for n, part in zip(at, parts, strict=True):
            position = made[n].column_names.index(name)
            made[n] = made[n].set_column(position, field, column.slice(start, len(part)))
            start += len(part)
    return made


def _go_together(fields: Sequence[pa.Field]) -> bool:
    if len({(field.metadata or {}).get(_FORM) for field in fields}) > 1:
        return False
    try:
        pa.unify_schemas([pa.schema([field]) for field in fields], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _plain(column: pa.ChunkedArray) -> list[Json]:
    """The values as Python objects; values that Python cannot represent, as text.

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
    except (ValueError, RecursionError):  # another tool wrote this column
        return text


def _one_kind(values: Iterable[Json]) -> bool:
    """True if all values, and all items of their lists, are strings, booleans, whole numbers or floats."""
    return len({kind for value in values for kind in _kinds(value)}) <= 1


def _kinds(value: Json) -> set[object]:
    if value is None:
        return set()
    if isinstance(value, dict):
        return {"object", None}  # two kinds, so that it never gets a column of its own
    if isinstance(value, list):
        inner = [_kinds(item) for item in value]
        nothing = {None, "nothing"} if any(item is None for item in value) else set()
        return {("list", kind) for kinds in inner for kind in kinds} | nothing or {("list", None)}
    return {type(value)}
