"""What becomes of the tables: their columns, schema, and what is measured on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from roboreel.edit.plan import TableProgram
from roboreel.edit.single_lists import SINGLE_LISTS, wrap_as_target_reads
from roboreel.edit.view import MAX_TIMESTAMP_ERROR_S, View
from roboreel.errors import PlanError, Problem
from roboreel.format.feature import (
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TIMESTAMP,
    Feature,
    dtype_of,
    feature_from_arrow,
    holds_numbers,
    huggingface_metadata,
    is_feature_name,
    is_image,
    is_list,
)
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.format.parse import Problems

_INDEX_TYPES = {
    name: pa.float32() if dtype == "float32" else pa.int64() for name, dtype in INDEX_DTYPES.items()
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a view's tables have, one type each."""

    types: Mapping[str, pa.Field]
    schema_metadata: Mapping[bytes, bytes]
    widened: frozenset[str]
    """Columns whose type is wider than in some of the tables."""


def columns_of(view: View, inventory: Inventory, problems: Problems) -> Columns:
    """The columns of all tables of a view; types that differ from file to file are widened.

    Raises:
        PlanError: a column has types that no one type can hold.
    """
    schemas = _schemas(view, inventory)
    types: dict[str, pa.Field] = {}
    widened: set[str] = set()
    for schema in schemas:
        for item in schema:
            known = types.get(item.name)
            types[item.name] = _common(known, item, problems)
            if known is not None and not known.type.equals(types[item.name].type):
                widened.add(item.name)
    for name in types:
        every = [schema.field(name) for schema in schemas if name in schema.names]
        if len(every) < len(schemas) or any(item.nullable for item in every):
            types[name] = types[name].with_nullable(True)
        without = sum(name not in schema.names for schema in schemas)
        if without and name not in INDEX_DTYPES:
            message = "some tables do not have this column"
            problems.add("table.columns", message, column=name, action="empty there")
    dropped = (b"huggingface", b"pandas", b"ARROW:schema")
    first = schemas[0].metadata or {}
    return Columns(
        types,
        {key: value for key, value in first.items() if key not in dropped},
        frozenset(widened),
    )


def episodes_without(view: View, inventory: Inventory) -> dict[int, list[Problem]]:
    """Episodes whose table lacks a declared column that others have, by row."""
    names = set(view.model.info.features) - set(INDEX_DTYPES)
    paths = view.model.episodes[DATA_PATH].to_pylist()
    numbers = view.model.episodes[EPISODE].to_pylist()
    present = {path: set(inventory.schemas[path].names) for path in inventory.schemas}
    anywhere = names & set().union(*present.values()) if present else set()
    broken: dict[int, list[Problem]] = {}
    for row in view.rows.tolist():
        for name in sorted(anywhere - present.get(paths[row], anywhere)):
            problem = Problem(
                rule="table.columns",
                severity="error",
                message="its table lacks this declared column, which other episodes have",
                path=paths[row],
                episode=numbers[row],
                column=name,
            )
            broken.setdefault(row, []).append(problem)
    return broken


def features_of(
    view: View, inventory: Inventory, columns: Columns, problems: Problems
) -> dict[str, Feature]:
    """The result's features: declared and there, then undeclared columns, then supplied ones."""
    features: dict[str, Feature] = {}
    for name, feature in view.model.info.features.items():
        if feature.is_video:
            if name in inventory.cameras:
                features[name] = feature
        elif name in columns.types or name in INDEX_DTYPES:
            features[name] = feature
        else:
            message = "declared, but no table has this column"
            problems.add("feature.absent", message, column=name, action="left out")
    for name, item in columns.types.items():
        if name in features and features[name].is_video:
            message = "the tables have a column with the name of a camera stored as video"
            problems.add("table.columns", message, column=name, action="the column is left out")
        elif name not in features and not is_feature_name(name):
            message = "the tables have a column whose name no feature can have"
            problems.add("table.columns", message, column=name, action="left out")
        elif name not in features:
            features[name] = feature_from_arrow(name, item.type, inventory.shapes.get(name, ()))
            message = f"the tables have a column that is not declared ({item.type})"
            action = f"declared as {features[name].dtype} {list(features[name].shape)}"
            if name not in INDEX_DTYPES:
                problems.add("feature.undeclared", message, column=name, action=action)
    for name in INDEX_DTYPES:
        if name not in features:
            features[name] = feature_from_arrow(name, _INDEX_TYPES[name], ())
    return features


def program_of(
    view: View,
    inventory: Inventory,
    columns: Columns,
    features: dict[str, Feature],
    new_from_old_task: Mapping[int, int],
    problems: Problems,
) -> tuple[TableProgram, dict[str, Feature]]:
    """The table program, and the features with the column it may add."""
    irregular = float(inventory.timestamp_error_s[view.rows].max(initial=0.0))
    regular, kept = _timestamps(view, irregular, columns, problems)
    types = {name: columns.types.get(name, pa.field(name, pa.null())) for name in features}
    fields = [
        _index_field(item, regular=regular) if name in INDEX_DTYPES else item
        for name, item in _in_file_order(types, columns)
        if not features[name].is_video
    ]
    fields, unwrapped = wrap_as_target_reads(
        fields, features, columns.schema_metadata, version=view.target.version, problems=problems
    )
    if kept is not None:
        stamp = _unwrapped(columns.types[TIMESTAMP].type)
        fields.append(pa.field(kept, stamp))
        features = {**features, kept: feature_from_arrow(kept, stamp, ())}
    exact = columns.widened | set(INDEX_DTYPES)
    features = {
        name: _agreeing(feature, fields) if name in exact else feature
        for name, feature in features.items()
    }
    schema = pa.schema(fields)
    described = json.dumps(huggingface_metadata(schema, features))
    metadata = {k: v for k, v in columns.schema_metadata.items() if k != SINGLE_LISTS}
    schema = schema.with_metadata({**metadata, **unwrapped, b"huggingface": described.encode()})
    program = TableProgram(
        schema_ipc=schema.serialize().to_pybytes(),
        fps=view.model.info.fps,
        regular_timestamps=regular,
        source_timestamp=kept,
        new_from_old_task=new_from_old_task,
        measured=_measured(view, inventory, features, fields, problems),
        images=tuple(item.name for item in fields if is_image(item.type)),
        quantiles=view.target.version.has_quantiles,
    )
    return program, features


def _fits(feature: Feature, type_: pa.DataType | None) -> bool:
    """True where a column's type can hold what is declared: numbers, pictures, or anything else."""
    if type_ is None or feature.is_video:
        return type_ is None
    if feature.dtype == "image":
        return is_image(type_)
    return holds_numbers(type_) or pa.types.is_null(type_) or not feature.is_numeric


def _schemas(view: View, inventory: Inventory) -> list[pa.Schema]:
    paths = view.model.episodes[DATA_PATH].to_pylist()
    used = dict.fromkeys(paths[row] for row in view.rows.tolist())
    distinct: list[pa.Schema] = []
    for path in used:
        schema = inventory.schemas[path]
        if not any(schema.equals(other) for other in distinct):
            distinct.append(schema)
    return distinct


def _common(known: pa.Field | None, item: pa.Field, problems: Problems) -> pa.Field:
    if known is None or known.type.equals(item.type):
        return known if known is not None else item
    wider = _wider(known.type, item.type)
    if wider is not None and pa.types.is_null(known.type) | pa.types.is_null(item.type):
        return pa.field(item.name, wider, metadata=known.metadata)
    if wider is None:
        message = f"is {known.type} in some tables and {item.type} in others"
        problem = Problem(rule="table.types", severity="error", message=message, column=item.name)
        raise PlanError("the tables do not fit together", [problem])
    message = f"is {known.type} in some tables and {item.type} in others"
    problems.add("table.types", message, column=item.name, action=f"written as {wider}")
    return pa.field(item.name, wider, metadata=known.metadata)


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """A type that holds the values of both exactly, or None."""
    if a.equals(b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if is_list(a) and is_list(b):
        inner = _wider(a.value_type, b.value_type)
        if inner is None:
            return None
        fixed = [t.list_size for t in (a, b) if pa.types.is_fixed_size_list(t)]
        same = len(set(fixed)) == 1 and len(fixed) == 2
        return pa.list_(inner, fixed[0]) if same else pa.list_(inner)
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        return _wider_struct(a, b)
    for kinds in (
        (pa.float16(), pa.float32(), pa.float64()),
        (pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        (pa.string(), pa.large_string()),
    ):
        if a in kinds and b in kinds:
            return max(a, b, key=kinds.index)
    return None


def _wider_struct(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    names = [a.field(i).name for i in range(a.num_fields)]
    if names != [b.field(i).name for i in range(b.num_fields)]:
        return None
    types = [_wider(a.field(i).type, b.field(i).type) for i in range(a.num_fields)]
    if None in types:
        return None
    return pa.struct(list(zip(names, types, strict=True)))


def _timestamps(
    view: View, error_s: float, columns: Columns, problems: Problems
) -> tuple[bool, str | None]:
    """Whether `timestamp` is written as k / fps, and the column that keeps the originals."""
    if TIMESTAMP not in columns.types or error_s <= MAX_TIMESTAMP_ERROR_S:
        return TIMESTAMP not in columns.types, None
    episodes = "timestamps are up to " + _seconds(error_s) + " away from k / fps"
    if view.target.timestamps == "keep":
        action = "kept as they are: lerobot refuses such datasets, or finds other frames for them"
        problems.add("table.timestamps", episodes, column=TIMESTAMP, action=action)
        return False, None
    taken = set(columns.types) | set(view.model.info.features)
    names = [SOURCE_TIMESTAMP, *(f"{SOURCE_TIMESTAMP}_{n}" for n in range(2, len(taken) + 3))]
    kept = next(name for name in names if name not in taken)
    action = f"written as k / fps; the recorded ones are kept in '{kept}'"
    problems.add("table.timestamps", episodes, column=TIMESTAMP, action=action)
    return True, kept


def _seconds(value: float) -> str:
    return f"{value:.4g} s" if np.isfinite(value) else "infinitely far"


def _in_file_order(
    types: Mapping[str, pa.Field], columns: Columns
) -> Iterable[tuple[str, pa.Field]]:
    """Columns as the tables have them, then those that are supplied."""
    order = [name for name in columns.types if name in types]
    order += [name for name in types if name not in columns.types]
    return [(name, types[name]) for name in order]


def _index_field(item: pa.Field, *, regular: bool) -> pa.Field:
    """The index column as it is written; timestamps keep their type where it can hold k / fps."""
    wanted, found = _INDEX_TYPES[item.name], _unwrapped(item.type)
    if item.name == TIMESTAMP and not pa.types.is_null(found):
        wanted = found if pa.types.is_floating(found) or not regular else wanted
    return pa.field(item.name, wanted)


def _unwrapped(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if is_list(type_) else type_


def _agreeing(feature: Feature, fields: Sequence[pa.Field]) -> Feature:
    """The feature with the dtype of its column as it is written; index columns are plain values."""
    type_ = next(item.type for item in fields if item.name == feature.name)
    shape = (1,) if feature.name in INDEX_DTYPES else feature.shape
    dtype = dtype_of(type_) if feature.is_numeric else feature.dtype
    if (feature.dtype, feature.shape) == (dtype, shape):
        return feature
    spec = {**feature.spec, "dtype": dtype, "shape": list(shape)}
    return Feature(name=feature.name, dtype=dtype, shape=shape, spec=spec)


def _measured(
    view: View,
    inventory: Inventory,
    features: Mapping[str, Feature],
    fields: Sequence[pa.Field],
    problems: Problems,
) -> tuple[str, ...]:
    """Columns to measure: the index columns, and what lacks statistics that the target wants."""
    types = {item.name: item.type for item in fields}
    fitting = {name for name, feature in features.items() if _fits(feature, types.get(name))}
    for name in [name for name in types if name not in fitting]:
        message = f"declared as {features[name].dtype}, but the tables hold {types[name]}"
        action = "kept as it is, without statistics"
        problems.add("feature.type", message, column=name, action=action)
    all_quantiles = view.target.version.has_quantiles and not view.model.info.version.has_quantiles

    def lacks(name: str) -> bool:
        known = inventory.with_stats.get(name)
        return known is None or not bool(known[view.rows].all())

    return tuple(
        name
        for name, feature in features.items()
        if name in fitting
        if (feature.is_numeric and (name in INDEX_DTYPES or all_quantiles or lacks(name)))
        or (feature.dtype == "image" and lacks(name))
    )
