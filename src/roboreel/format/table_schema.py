"""The Arrow schema of written tables: a type per column, and the metadata that `datasets` reads.

All versions store a feature in the same way, except for lists of one. The format stores a number of shape
(1,) as a plain value, and lerobot's v3.0 readers fail on lists. v2.x readers accept both, and some (those
that slice `state[0:1]`) need the list. So v3.0 tables get plain values and a note in their schema metadata,
from which a v2.x result gets its lists back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.format.declared import is_single_list
from roboreel.format.feature import (
    INDEX_DTYPES,
    Feature,
    arrow_type,
    dtype_of,
    is_image,
    is_list,
)
from roboreel.format.images import IMAGE
from roboreel.format.language_types import language_type
from roboreel.format.parse import Problems
from roboreel.format.readable import LANGUAGE
from roboreel.format.version import FormatVersion
from roboreel.types import Json

INDEX_TYPES = {
    name: pa.float32() if dtype == "float32" else pa.int64() for name, dtype in INDEX_DTYPES.items()
}
"""The types of index columns in written tables."""
_SINGLE_LISTS = b"roboreel.lists_of_one"
"""Schema metadata key of v3.0 tables: a JSON object with the list type (`list`, `fixed_size_list`) by
column."""

FILE_RECORD = b"roboreel.file_record"
"""Schema metadata key of what a table file says of itself alone: it does not travel with the rows."""


def without_record(schema: pa.Schema) -> pa.Schema:
    """A schema without what its file says of itself alone: it equals those of files like it."""
    if FILE_RECORD not in (schema.metadata or {}):
        return schema
    kept = {key: value for key, value in schema.metadata.items() if key != FILE_RECORD}
    return schema.with_metadata(kept or None)


def column_type(feature: Feature) -> pa.DataType:
    """The type of a new column for a feature.

    Raises:
        UsageError: no column can have that dtype.
    """
    if feature.dtype == "image":
        return IMAGE
    if feature.is_numeric or feature.dtype == "string":
        return arrow_type(feature)
    language = language_type(feature.name) if feature.dtype == LANGUAGE else None
    if language is not None:
        return language
    raise UsageError(
        f"feature '{feature.name}': dtype is '{feature.dtype}', expected a NumPy dtype, string, image or"
        " video"
    )


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """The schema of the tables of a new dataset in any version: a column per feature except videos.

    Raises:
        UsageError: a feature has a dtype that no column can have.
    """
    fields = [pa.field(f.name, column_type(f)) for f in features.values() if not f.is_video]
    return table_schema(fields, features, {})


def table_schema(
    fields: Sequence[pa.Field], features: Mapping[str, Feature], metadata: Mapping[bytes, bytes]
) -> pa.Schema:
    """A schema with these columns, described for `datasets`; other metadata is kept."""
    schema = pa.schema(fields)
    described = json.dumps(_huggingface_metadata(schema, features)).encode()
    return schema.with_metadata({**metadata, b"huggingface": described})


def fields_for_version(
    fields: Sequence[pa.Field],
    features: Mapping[str, Feature],
    metadata: Mapping[bytes, bytes],
    version: FormatVersion,
    problems: Problems,
) -> tuple[list[pa.Field], dict[bytes, bytes]]:
    """The columns as a version's readers expect them, and the schema metadata that records the change.

    Args:
        fields: the columns in the input files.
        features: their declarations.
        metadata: metadata of the input schema.
        version: the version to write.
        problems: warnings are added to it.
    """
    noted = _noted(metadata)
    others = {key: value for key, value in metadata.items() if key != _SINGLE_LISTS}
    if version is not FormatVersion.V30:
        return [_wrapped(item, noted.get(item.name)) for item in fields], others
    single = [item for item in fields if is_single_list(features[item.name], item.type)]
    for item in single:
        kind = "fixed_size_list" if pa.types.is_fixed_size_list(item.type) else "list"
        noted[item.name] = kind
        message = (
            "each value is stored as a list of one number, which v3.0 readers refuse for shape (1,)"
        )
        action = "stored as plain values in v3.0; as lists again when converted back to v2.x"
        problems.add("table.list-of-one", message, column=item.name, action=action)
    plain = {item.name: pa.field(item.name, item.type.value_type) for item in single}
    note = {_SINGLE_LISTS: json.dumps(noted, sort_keys=True).encode()}
    return [plain.get(item.name, item) for item in fields], others | note if noted else others


def _noted(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        found = json.loads(metadata.get(_SINGLE_LISTS, b"{}"))
    except ValueError:
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _wrapped(item: pa.Field, kind: str | None) -> pa.Field:
    if kind is None or is_list(item.type):
        return item
    inner = pa.field("element", item.type)
    type_ = pa.list_(inner, 1) if kind == "fixed_size_list" else pa.list_(inner)
    return pa.field(item.name, type_)


def _huggingface_metadata(schema: pa.Schema, features: Mapping[str, Feature]) -> dict[str, Json]:
    """The `huggingface` schema metadata, in a form that both `datasets` 3 and 4 read.

    It describes a fixed-length vector as `Sequence`, the older name, which both releases understand. The
    newer name `List` is refused by `datasets` 3 (huggingface/lerobot#1571).
    """
    described = {item.name: _huggingface(item.type, features.get(item.name)) for item in schema}
    return {"info": {"features": described}}


def _huggingface(type_: pa.DataType, feature: Feature | None) -> Json:
    if is_image(type_) or (feature is not None and feature.dtype == "image"):
        return {"_type": "Image"}
    if pa.types.is_struct(type_):
        return {item.name: _huggingface(item.type, None) for item in type_}
    if not is_list(type_):
        return {"dtype": dtype_of(type_), "_type": "Value"}
    shape = feature.shape if feature is not None else ()
    if is_list(type_.value_type) and 2 <= len(shape) <= 5:
        return {"shape": list(shape), "dtype": dtype_of(type_), "_type": f"Array{len(shape)}D"}
    length = type_.list_size if pa.types.is_fixed_size_list(type_) else -1
    inner = _huggingface(type_.value_type, None)
    if pa.types.is_struct(type_.value_type):
        return [inner]  # a `Sequence` of a struct would be read as a struct of sequences
    return {"feature": inner, "length": length, "_type": "Sequence"}
