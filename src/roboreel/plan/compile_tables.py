"""How table rows are written: the schema, timestamps, and the columns measured while rows are in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from roboreel.format.declared import fits
from roboreel.format.feature import (
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TIMESTAMP,
    Feature,
    dtype_of,
    feature_from_arrow,
    holds_images,
    is_image,
    is_list,
)
from roboreel.format.fps import MAX_TIMESTAMP_ERROR_S
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.table_schema import INDEX_TYPES, fields_for_version, table_schema
from roboreel.plan.columns import Columns
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import TableProgram
from roboreel.stats.sampling import SamplingProfile


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
    fields, metadata = fields_for_version(
        fields, features, columns.schema_metadata, merged.version, problems=problems
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
        fps=merged.view.new_fps or merged.model.info.fps,
        steps=tuple(merged.steps),
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
        decoded=tuple(name for name in features if name in merged.view.images),
        images=tuple(item.name for item in fields if _is_camera(item, features)),
        depths=tuple(name for name, feature in features.items() if feature.is_depth),
        profile=sampling_of(merged),
    )
    return program, features


def _is_camera(item: pa.Field, features: Mapping[str, Feature]) -> bool:
    declared = item.name in features and features[item.name].dtype == "image"
    return is_image(item.type) or (declared and holds_images(item.type))


def sampling_of(merged: MergedSources) -> SamplingProfile:
    """How columns are measured: without quantiles if the version cannot store them."""
    asked = merged.view.sampling
    return asked if merged.version.has_quantiles else replace(asked, quantiles=())


def _per_last_axis(
    merged: MergedSources, inventory: Inventory, features: Mapping[str, Feature]
) -> tuple[str, ...]:
    """Matrices with statistics per column of the last axis: as stored, or as in the release to follow."""
    asked = merged.view.sampling.per_last_axis

    def is_per_last_axis(name: str) -> bool:
        dims = inventory.stats_dims.get(name)
        if asked is not None and (dims is None or name in merged.view.recomputed):
            return asked
        return dims == 1

    matrices = [n for n, f in features.items() if f.is_numeric and len(f.shape) > 1]
    return tuple(filter(is_per_last_axis, matrices))


def _timestamps(
    merged: MergedSources, error_s: float, columns: Columns, problems: Problems
) -> tuple[bool, str | None]:
    """Whether `timestamp` is written as k / fps, and the column that keeps the originals."""
    moved = bool(merged.view.slices.start.any()) or merged.is_resampled
    if TIMESTAMP not in columns.types or error_s <= MAX_TIMESTAMP_ERROR_S:
        return TIMESTAMP not in columns.types or moved, None
    episodes = "the timestamps are up to " + _seconds(error_s) + " away from k / fps"
    if merged.options.timestamps == "keep" and not merged.is_resampled:
        action = "kept as they are: lerobot refuses such datasets, or returns other frames"
        action += ' (timestamps="regular" writes k / fps)'
        action += "; in trimmed episodes they start again at the first frame" if moved else ""
        problems.add("table.timestamps", episodes, column=TIMESTAMP, action=action)
        return False, None
    used = set(columns.types) | set(merged.model.info.features)
    names = [SOURCE_TIMESTAMP, *(f"{SOURCE_TIMESTAMP}_{n}" for n in range(2, len(used) + 3))]
    kept = next(name for name in names if name not in used)
    action = f"written as k / fps; the recorded times are kept in the column '{kept}'"
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
        message = f"it is declared as {features[name].dtype}, but the tables store {types[name]}"
        action = "the column is kept as it is, without statistics"
        problems.add("feature.type", message, column=name, action=action)
    all_quantiles = merged.version.has_quantiles and not merged.model.info.version.has_quantiles

    def lacks(name: str) -> bool:
        if name in merged.view.recomputed:
            return features[name].is_numeric or name in merged.view.images  # others have an op
        known = inventory.with_stats.get(name)
        return known is None or not bool(known[merged.rows].all())

    return tuple(
        name
        for name, feature in features.items()
        if name in fitting
        if (feature.is_numeric and (name in INDEX_DTYPES or all_quantiles or lacks(name)))
        or (feature.dtype == "image" and lacks(name))
    )
