"""Columns of shape (1,) that are stored as lists of one: plain values in v3.0, lists again on the way back.

The format stores such a feature as a plain value, and lerobot's v3.0 readers cast to that, which fails for
lists. v2.x readers take both, and some (those that slice `state[0:1]`) need the list. So v3.0 gets plain
values and a note in the tables' schema metadata, by which a v2.x result gets its lists back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from roboreel.format.declared import is_single_list
from roboreel.format.feature import Feature, is_list
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion

SINGLE_LISTS = b"roboreel.lists_of_one"
"""Schema metadata of v3.0 tables: JSON object, the list type (`list`, `fixed_size_list`) by column."""


def wrap_as_target_reads(
    fields: Sequence[pa.Field],
    features: Mapping[str, Feature],
    metadata: Mapping[bytes, bytes],
    *,
    version: FormatVersion,
    problems: Problems,
) -> tuple[list[pa.Field], dict[bytes, bytes]]:
    """The columns as the target's readers take them, and the schema metadata that says so."""
    noted = _noted(metadata)
    if version is not FormatVersion.V30:
        return [_wrapped(item, noted.get(item.name)) for item in fields], {}
    single = [item for item in fields if is_single_list(features[item.name], item.type)]
    for item in single:
        kind = "fixed_size_list" if pa.types.is_fixed_size_list(item.type) else "list"
        noted[item.name] = kind
        message = "its shape is (1,), but it is stored as lists of one, which v3.0 readers refuse"
        action = "written as plain values; lists again where v2.x is written from it"
        problems.add("table.list-of-one", message, column=item.name, action=action)
    plain = {item.name: pa.field(item.name, item.type.value_type) for item in single}
    note = {SINGLE_LISTS: json.dumps(noted, sort_keys=True).encode()}
    return [plain.get(item.name, item) for item in fields], note if noted else {}


def _noted(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        found = json.loads(metadata.get(SINGLE_LISTS, b"{}"))
    except ValueError:
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _wrapped(item: pa.Field, kind: str | None) -> pa.Field:
    if kind is None or is_list(item.type):
        return item
    inner = pa.field("element", item.type)
    type_ = pa.list_(inner, 1) if kind == "fixed_size_list" else pa.list_(inner)
    return pa.field(item.name, type_)
