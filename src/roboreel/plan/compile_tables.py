"""How table rows are written: the schema, timestamps, and the columns measured while rows are in memory.

A column of shape (1,) may be stored as lists of one. The format stores such a feature as a plain value, and
lerobot's v3.0 readers fail on lists. v2.x readers take both, and some (those that slice `state[0:1]`) need
the list. So v3.0 gets plain values and a note in the tables' schema metadata; v2.x gets its lists back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from roboreel.edit.stats_profile import rule_of
from roboreel.format.declared import fits, is_single_list
from roboreel.format.feature import (
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TIMESTAMP,
    Feature,
    dtype_of,
    feature_from_arrow,
    holds_images,
    huggingface_metadata,
    is_image,
    is_list,
)
from roboreel.format.fps import MAX_TIMESTAMP_ERROR_S
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.plan.columns import INDEX_TYPES, Columns
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import TableProgram

_SINGLE_LISTS = b"roboreel.lists_of_one"
"""Schema metadata of v3.0 tables: JSON object, the list type (`list`, `fixed_size_list`) by column."""


def program_of(
    merged: MergedSources,
    inventory: Inventory,
    columns: Columns,
    features: dict[str, Feature],
    problems: Problems,
) -> tuple[TableProgram, dict[str, Feature]]:
    """The table program, and the features with the column that it may add for recorded timestamps."""
    irregular = float(inventory.timestamp_error_s[merged.rows].max(initial=0.0))
    regular, kept = _timestamps(merged, irregular, columns, problems)
    types = {name: columns.types.get(name, pa.field(name, pa.null())) for name in features}
    fields = [
        _index_field(item, regular=regular) if name in INDEX_DTYPES else item
        for name, item in _in_file_order(types, columns)
        if not features[name].is_video
    ]
    fields, unwrapped = _wrap_as_target_reads(
        fields, features, columns.schema_metadata, version=merged.target.version, problems=problems
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
    metadata = {k: v for k, v in columns.schema_metadata.items() if k != _SINGLE_LISTS}
    schema = schema.with_metadata({**metadata, **unwrapped, b"huggingface": described.encode()})
    like = rule_of(merged.view.like)
    program = TableProgram(
        schema_ipc=schema.serialize().to_pybytes(),
        fps=merged.view.fps or merged.model.info.fps,
        step=merged.step,
        regular_timestamps=regular,
        source_timestamp=kept,
        task_maps=merged.tasks.maps,
        measured=_measured(merged, inventory, features, fields, problems),
        measurable=_measurable(features, fields),
        per_last_axis=_per_last_axis(merged, inventory, features),
        filled=_filled(merged),
        masks=merged.view.masks,
        shapes={
            n: features[n].shape for n in (*_filled(merged), *merged.view.masks) if n in features
        },
        decoded=tuple(name for name in features if name in merged.view.pictures),
        images=tuple(item.name for item in fields if _is_camera(item, features)),
        depths=tuple(name for name, feature in features.items() if feature.is_depth),
        quantiles=_quantiles(merged),
        histogram_quantiles=like is not None
        and like.histogram_quantiles
        and merged.target.version.has_quantiles,
        every_frame=merged.view.every_frame or (like is not None and like.every_table_image),
        every_pixel=like is not None and like.every_pixel,
        as_rgb=like is not None and like.rgb_tables,
    )
    return program, features


def _is_camera(item: pa.Field, features: Mapping[str, Feature]) -> bool:
    declared = item.name in features and features[item.name].dtype == "image"
    return is_image(item.type) or (declared and holds_images(item.type))


def _quantiles(merged: MergedSources) -> tuple[float, ...]:
    return merged.view.quantiles if merged.target.version.has_quantiles else ()


def _per_last_axis(
    merged: MergedSources, inventory: Inventory, features: Mapping[str, Feature]
) -> tuple[str, ...]:
    """Matrices with statistics per column of the last axis: as stored, or as in the release to follow."""
    like = rule_of(merged.view.like)

    def is_per_last_axis(name: str) -> bool:
        dims = inventory.stats_dims.get(name)
        if like is not None and (dims is None or name in merged.view.recomputed):
            return like.per_last_axis
        return dims == 1

    matrices = [n for n, f in features.items() if f.is_numeric and len(f.shape) > 1]
    return tuple(filter(is_per_last_axis, matrices))


def _timestamps(
    merged: MergedSources, error_s: float, columns: Columns, problems: Problems
) -> tuple[bool, str | None]:
    """Whether `timestamp` is written as k / fps, and the column that keeps the originals."""
    moved = bool(merged.view.slices.start.any()) or merged.step != 1
    if TIMESTAMP not in columns.types or error_s <= MAX_TIMESTAMP_ERROR_S:
        return TIMESTAMP not in columns.types or moved, None
    episodes = "timestamps are up to " + _seconds(error_s) + " away from k / fps"
    if merged.target.timestamps == "keep" and merged.step == 1:
        action = "kept as they are: lerobot refuses such datasets, or finds other frames for them"
        action += "; those of trimmed episodes are counted from their first frame" if moved else ""
        problems.add("table.timestamps", episodes, column=TIMESTAMP, action=action)
        return False, None
    used = set(columns.types) | set(merged.model.info.features)
    names = [SOURCE_TIMESTAMP, *(f"{SOURCE_TIMESTAMP}_{n}" for n in range(2, len(used) + 3))]
    kept = next(name for name in names if name not in used)
    action = f"written as k / fps; the recorded ones are kept in '{kept}'"
    problems.add("table.timestamps", episodes, column=TIMESTAMP, action=action)
    return True, kept


def _seconds(value: float) -> str:
    return f"{value:.4g} s" if np.isfinite(value) else "infinitely far"


def _in_file_order(
    types: Mapping[str, pa.Field], columns: Columns
) -> Iterable[tuple[str, pa.Field]]:
    """Columns in the order of the tables, then the others."""
    order = [name for name in columns.types if name in types]
    order += [name for name in types if name not in columns.types]
    return [(name, types[name]) for name in order]


def _index_field(item: pa.Field, *, regular: bool) -> pa.Field:
    """The index column as written; timestamps keep their type if it can hold k / fps."""
    wanted, found = INDEX_TYPES[item.name], _unwrapped(item.type)
    if item.name == TIMESTAMP and not pa.types.is_null(found):
        wanted = found if pa.types.is_floating(found) or not regular else wanted
    return pa.field(item.name, wanted)


def _unwrapped(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if is_list(type_) else type_


def _agreeing(feature: Feature, fields: Sequence[pa.Field]) -> Feature:
    """The feature with the dtype of its column as written; index columns are plain values."""
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


def _filled(merged: MergedSources) -> tuple[str, ...]:
    names = {name for source in merged.view.sources for name in source.filled}
    return tuple(sorted(names))


def _measured(
    merged: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    fields: Sequence[pa.Field],
    problems: Problems,
) -> tuple[str, ...]:
    """Columns to measure: index columns, and columns without the statistics that the target needs."""
    types = {item.name: item.type for item in fields}
    fitting = {name for name, feature in features.items() if fits(feature, types.get(name))}
    for name in [name for name in types if name not in fitting]:
        message = f"declared as {features[name].dtype}, but the tables hold {types[name]}"
        action = "kept as it is, without statistics"
        problems.add("feature.type", message, column=name, action=action)
    all_quantiles = (
        merged.target.version.has_quantiles and not merged.model.info.version.has_quantiles
    )

    def lacks(name: str) -> bool:
        if name in merged.view.recomputed:
            return features[name].is_numeric or name in merged.view.pictures  # others have an op
        known = inventory.with_stats.get(name)
        return known is None or not bool(known[merged.rows].all())

    return tuple(
        name
        for name, feature in features.items()
        if name in fitting
        if (feature.is_numeric and (name in INDEX_DTYPES or all_quantiles or lacks(name)))
        or (feature.dtype == "image" and lacks(name))
    )


def _wrap_as_target_reads(
    fields: Sequence[pa.Field],
    features: Mapping[str, Feature],
    metadata: Mapping[bytes, bytes],
    *,
    version: FormatVersion,
    problems: Problems,
) -> tuple[list[pa.Field], dict[bytes, bytes]]:
    """The columns as the target's readers expect them, and the schema metadata that records the change."""
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
    note = {_SINGLE_LISTS: json.dumps(noted, sort_keys=True).encode()}
    return [plain.get(item.name, item) for item in fields], note if noted else {}


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
