"""What becomes of the tables: their columns, schema, and what is measured on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from roboreel.errors import PlanError, Problem
from roboreel.format.declared import compare_names, fits, joined_type, lacking_columns
from roboreel.format.feature import (
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TIMESTAMP,
    Feature,
    dtype_of,
    feature_from_arrow,
    holds_images,
    is_feature_name,
    is_image,
    is_list,
)
from roboreel.format.fps import MAX_TIMESTAMP_ERROR_S
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH
from roboreel.format.parse import Problems
from roboreel.format.table_schema import INDEX_TYPES, fields_for_version, table_schema
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import TableProgram
from roboreel.stats.sampling import SamplingProfile


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a view's tables have, one type each."""

    types: Mapping[str, pa.Field]
    schema_metadata: Mapping[bytes, bytes]
    widened: frozenset[str]
    """Columns whose type is wider than in some of the tables."""


def columns_of(view: MergedSources, inventory: Inventory, problems: Problems) -> Columns:
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


def episodes_without(view: MergedSources, inventory: Inventory) -> dict[int, list[Problem]]:
    """Episodes whose table lacks a declared column that others have, by row."""
    return lacking_columns(view.model, inventory.schemas, view.rows.tolist())


def features_of(
    view: MergedSources, inventory: Inventory, columns: Columns, problems: Problems
) -> dict[str, Feature]:
    """The result's features: declared and there, then undeclared columns, then supplied ones."""
    declared = view.model.info.features
    compare_names(declared, columns.types, inventory, problems)
    features = {
        name: feature
        for name, feature in declared.items()
        if (name in inventory.cameras if feature.is_video else name in columns.types)
        or (name in INDEX_DTYPES and not feature.is_video)
    }
    for name, item in columns.types.items():
        if name not in features and is_feature_name(name):
            features[name] = feature_from_arrow(name, item.type, inventory.shapes.get(name, ()))
    for name in INDEX_DTYPES:
        if name not in features:
            features[name] = feature_from_arrow(name, INDEX_TYPES[name], ())
    return features


def program_of(
    view: MergedSources,
    inventory: Inventory,
    columns: Columns,
    features: dict[str, Feature],
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
    fields, metadata = fields_for_version(
        fields, features, columns.schema_metadata, view.version, problems=problems
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
    program = TableProgram(
        schema_ipc=table_schema(fields, features, metadata).serialize().to_pybytes(),
        fps=view.view.fps or view.model.info.fps,
        step=view.step,
        regular_timestamps=regular,
        source_timestamp=kept,
        task_maps=view.tasks.maps,
        measured=_measured(view, inventory, features, fields, problems),
        measurable=_measurable(features, fields),
        per_last_axis=_per_last_axis(view, inventory, features),
        filled=_filled(view),
        masks=view.view.masks,
        shapes={n: features[n].shape for n in (*_filled(view), *view.view.masks) if n in features},
        decoded=tuple(name for name in features if name in view.view.images),
        images=tuple(item.name for item in fields if _is_camera(item, features)),
        depths=tuple(name for name, feature in features.items() if feature.is_depth),
        profile=sampling_of(view),
    )
    return program, features


def _is_camera(item: pa.Field, features: Mapping[str, Feature]) -> bool:
    declared = item.name in features and features[item.name].dtype == "image"
    return is_image(item.type) or (declared and holds_images(item.type))


def sampling_of(view: MergedSources) -> SamplingProfile:
    """How columns are measured: without quantiles where the version has no place for them."""
    known = view.view.sampling
    return known if view.version.has_quantiles else replace(known, quantiles=())


def _per_last_axis(
    view: MergedSources, inventory: Inventory, features: Mapping[str, Feature]
) -> tuple[str, ...]:
    """Matrices that are described per column of the last axis: as stored, or as a release has them."""
    asked = view.view.sampling.per_last_axis

    def is_per_last_axis(name: str) -> bool:
        dims = inventory.stats_dims.get(name)
        if asked is not None and (dims is None or name in view.view.recomputed):
            return asked
        return dims == 1

    matrices = [n for n, f in features.items() if f.is_numeric and len(f.shape) > 1]
    return tuple(filter(is_per_last_axis, matrices))


def _schemas(view: MergedSources, inventory: Inventory) -> list[pa.Schema]:
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
    joined, problem = joined_type(known, item)
    if joined is None:
        raise PlanError("the tables do not fit together", [problem] if problem else [])
    problems.found += [problem] if problem else []
    return pa.field(item.name, joined, metadata=known.metadata)


def _timestamps(
    view: MergedSources, error_s: float, columns: Columns, problems: Problems
) -> tuple[bool, str | None]:
    """Whether `timestamp` is written as k / fps, and the column that keeps the originals."""
    moved = bool(view.view.slices.start.any()) or view.step != 1
    if TIMESTAMP not in columns.types or error_s <= MAX_TIMESTAMP_ERROR_S:
        return TIMESTAMP not in columns.types or moved, None
    episodes = "timestamps are up to " + _seconds(error_s) + " away from k / fps"
    if view.options.timestamps == "keep" and view.step == 1:
        action = "kept as they are: lerobot refuses such datasets, or finds other frames for them"
        action += "; those of trimmed episodes are counted from their first frame" if moved else ""
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
    wanted, found = INDEX_TYPES[item.name], _unwrapped(item.type)
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


def _measurable(features: Mapping[str, Feature], fields: Sequence[pa.Field]) -> tuple[str, ...]:
    types = {item.name: item.type for item in fields}
    return tuple(
        name
        for name, feature in features.items()
        if fits(feature, types.get(name)) and (feature.is_numeric or feature.dtype == "image")
    )


def _filled(view: MergedSources) -> tuple[str, ...]:
    names = {name for source in view.view.sources for name in source.filled}
    return tuple(sorted(names))


def _measured(
    view: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    fields: Sequence[pa.Field],
    problems: Problems,
) -> tuple[str, ...]:
    """Columns to measure: the index columns, and what lacks statistics that the target wants."""
    types = {item.name: item.type for item in fields}
    fitting = {name for name, feature in features.items() if fits(feature, types.get(name))}
    for name in [name for name in types if name not in fitting]:
        message = f"declared as {features[name].dtype}, but the tables hold {types[name]}"
        action = "kept as it is, without statistics"
        problems.add("feature.type", message, column=name, action=action)
    all_quantiles = view.version.has_quantiles and not view.model.info.version.has_quantiles

    def lacks(name: str) -> bool:
        if name in view.view.recomputed:
            return features[name].is_numeric or name in view.view.images  # others have an op
        known = inventory.with_stats.get(name)
        return known is None or not bool(known[view.rows].all())

    return tuple(
        name
        for name, feature in features.items()
        if name in fitting
        if (feature.is_numeric and (name in INDEX_DTYPES or all_quantiles or lacks(name)))
        or (feature.dtype == "image" and lacks(name))
    )
