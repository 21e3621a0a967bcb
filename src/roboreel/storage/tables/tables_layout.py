"""Convert Arrow's special layouts (dictionaries, views) to the plain ones that all readers accept.

A file may declare its strings as a dictionary (a pandas category) or as views, though Parquet stores them all
in the same way. Other readers reject these types, and tables with different dictionaries cannot be joined.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from roboreel.storage.tables.tables_memory import inner_types

_KINDS = ("DICTIONARY", "STRING_VIEW", "BINARY_VIEW", "LIST_VIEW", "LARGE_LIST_VIEW")
_OTHER_LAYOUTS = {getattr(pa.lib, f"Type_{kind}", None) for kind in _KINDS} - {None}
_VIEWS = {"string_view": pa.string(), "binary_view": pa.binary()}
"""By Arrow's name, because older releases of pyarrow lack these types."""


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with plain types; the same object if all are plain."""
    if all(
        map(_is_plain, schema.types)
    ):  # true for nearly all files, and checked whenever a file is opened
        return schema
    fields = [item.with_type(plain_type(item.type)) for item in schema]
    return pa.schema(fields, metadata=schema.metadata)


def _is_plain(type_: pa.DataType) -> bool:
    if type_.id in _OTHER_LAYOUTS:
        return False
    if not type_.num_fields or isinstance(type_, pa.BaseExtensionType):
        return True
    return all(map(_is_plain, inner_types(type_)))


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type with the same values in the plain layout, without dictionaries and views."""
    if isinstance(type_, pa.BaseExtensionType):
        return type_
    if pa.types.is_dictionary(type_):
        return plain_type(type_.value_type)
    if str(type_) in _VIEWS:
        return _VIEWS[str(type_)]
    if pa.types.is_struct(type_):
        fields = [type_.field(at) for at in range(type_.num_fields)]
        return _or_itself(pa.struct([f.with_type(plain_type(f.type)) for f in fields]), type_)
    if pa.types.is_map(type_):
        return _or_itself(pa.map_(plain_type(type_.key_type), plain_type(type_.item_type)), type_)
    return _plain_list(type_)


def plain_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Convert a table's columns to their types in a plain schema."""
    for at, name in enumerate(table.column_names):
        wanted = schema.field(name)
        if not table.schema.field(at).type.equals(wanted.type):
            chunks = [_plain(chunk, wanted.type) for chunk in table.column(at).chunks]
            table = table.set_column(at, wanted, pa.chunked_array(chunks, wanted.type))
    return table


def layouts_of(schema: pa.Schema) -> Mapping[str, tuple[str, str]]:
    """(its type, the plain type) as text, for each column that is not plain."""
    plain = plain_schema(schema)
    pairs = {item.name: (str(item.type), str(plain.field(item.name).type)) for item in schema}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _plain_list(type_: pa.DataType) -> pa.DataType:
    kind = str(type_).partition("<")[0]
    if kind not in ("list", "large_list", "fixed_size_list", "list_view", "large_list_view"):
        return type_
    item = type_.value_field.with_type(plain_type(type_.value_type))
    if kind == "fixed_size_list":
        return _or_itself(pa.list_(item, type_.list_size), type_)
    made = pa.large_list(item) if kind.startswith("large") else pa.list_(item)
    return _or_itself(made, type_)


def _or_itself(made: pa.DataType, type_: pa.DataType) -> pa.DataType:
    """Return `type_` if `made` equals it, because `made` has lost the fields' metadata."""
    return type_ if made.equals(type_) else made


def _plain(chunk: pa.Array, type_: pa.DataType) -> pa.Array:
    if "list_view" in str(chunk.type):  # a cast from these types loses values after a missing one
        return pa.array(chunk.to_pylist(), type_)
    try:
        return chunk.cast(type_)
    except pa.ArrowNotImplementedError:
        return pa.array(chunk.to_pylist(), type_)
