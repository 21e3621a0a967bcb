"""Features of a view: other names, fewer, more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from roboreel.edit import selection
from roboreel.errors import UsageError
from roboreel.format.declared import fits
from roboreel.format.feature import INDEX_DTYPES, Feature, feature_from_arrow, is_feature_name
from roboreel.format.json_types import Json
from roboreel.format.model import with_features

if TYPE_CHECKING:
    from roboreel.edit.view import Source, View


def names_of(view: View) -> list[str]:
    """The features that any of its sources has, in order."""
    return list(dict.fromkeys(n for source in view.sources for n in source.model.info.features))


def renamed(view: View, names: Mapping[str, str]) -> View:
    """The view with features by other names: see `Verbs.rename`."""
    known = names_of(view)
    _require_known(view, names)
    _require_own(names)
    after = [names.get(name, name) for name in known]
    for old, new in names.items():
        _require_usable(new)
        if after.count(new) > 1:
            raise UsageError(f"'{old}' cannot become '{new}': there is a feature of that name")
    sources = tuple(_source_renamed(source, names) for source in view.sources)
    return view.having(
        sources=sources,
        encodings={names.get(name, name): how for name, how in view.encodings.items()},
        pictures=frozenset(names.get(name, name) for name in view.pictures),
        masks={names.get(name, name): mask for name, mask in view.masks.items()},
    )


def removed(view: View, names: Iterable[str]) -> View:
    """The view without features: see `Verbs.remove`."""
    gone = list(names)
    if not gone:
        raise UsageError("say which features to remove")
    _require_known(view, gone)
    _require_own(gone)
    left = [name for name in names_of(view) if name not in gone and name not in INDEX_DTYPES]
    if not left:
        raise UsageError("no feature would be left")
    return view.having(
        sources=tuple(_source_without(source, gone) for source in view.sources),
        encodings={name: how for name, how in view.encodings.items() if name not in gone},
        pictures=view.pictures - set(gone),
        masks={name: mask for name, mask in view.masks.items() if name not in gone},
    )


def added(
    view: View,
    name: str,
    values: Any,
    dtype: str | None,
    shape: Sequence[int] | None,
    names: Json,
) -> View:
    """The view with one feature more: see `Verbs.add`."""
    _require_usable(name)
    if name in names_of(view):
        raise UsageError(
            f"there is a feature '{name}' already: remove it first, or take another name"
        )
    if view.fps is not None:
        raise UsageError(
            "add features before resampling: their values belong to the rows as they are"
        )
    column = _column(name, values)
    lengths = selection.lengths_of(view)
    if len(column) != int(lengths.sum()):
        raise UsageError(f"'{name}' has {len(column)} values for {int(lengths.sum())} rows")
    feature = _declared(name, column, values, dtype, shape, names)
    if dtype is not None and feature.is_numeric:
        column = _cast(name, column, dtype)
    sources = tuple(
        _source_with(source, feature, _spread(view, number, column, lengths))
        for number, source in enumerate(view.sources)
    )
    return view.having(sources=sources)


def require_cameras(view: View, names: Iterable[str], *, video: bool = False) -> None:
    """Raise `UsageError` where a name is not that of a camera, or not of one stored as video."""
    cameras = {
        name
        for source in view.sources
        for name, feature in source.model.info.features.items()
        if feature.is_video or (feature.is_camera and not video)
    }
    for name in names:
        if name not in cameras:
            kind = "video camera" if video else "camera"
            raise UsageError(f"no {kind} '{name}': there are {_listed(sorted(cameras))}")


def _require_known(view: View, names: Iterable[str]) -> None:
    known = names_of(view)
    unknown = [name for name in names if name not in known]
    if unknown:
        there = [name for name in known if name not in INDEX_DTYPES]
        raise UsageError(f"no feature {_listed(unknown)}: there are {_listed(there)}")


def _require_own(names: Iterable[str]) -> None:
    fixed = [name for name in names if name in INDEX_DTYPES]
    if fixed:
        raise UsageError(f"every dataset has {_listed(fixed)}: that cannot be changed")


def _require_usable(name: str) -> None:
    if not is_feature_name(name) or "/" in name or name != name.strip():
        raise UsageError(f"'{name}' cannot be the name of a feature")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _source_renamed(source: Source, names: Mapping[str, str]) -> Source:
    features: dict[str, Feature] = {}
    for name, feature in source.model.info.features.items():
        new = names.get(name, name)
        features[new] = replace(feature, name=new)
    file_name = {new: old for old, new in source.renamed.items()}
    changed = {file_name.get(old, old): new for old, new in names.items()}
    return replace(
        source,
        model=with_features(source.model, features, names),
        renamed={**source.renamed, **changed},
        supplied={names.get(name, name): column for name, column in source.supplied.items()},
        filled={names.get(name, name): type_ for name, type_ in source.filled.items()},
    )


def _source_without(source: Source, gone: Sequence[str]) -> Source:
    declared = source.model.info.features
    features = {n: f for n, f in declared.items() if n not in gone}
    file_name = {new: old for old, new in source.renamed.items()}
    from_files = [n for n in gone if n in declared and n not in source.supplied]
    return replace(
        source,
        model=with_features(source.model, features),
        removed=source.removed | {file_name.get(name, name) for name in from_files},
        supplied={name: c for name, c in source.supplied.items() if name not in gone},
        filled={name: type_ for name, type_ in source.filled.items() if name not in gone},
    )


def _source_with(source: Source, feature: Feature, column: pa.ChunkedArray) -> Source:
    declared = source.model.info.features
    own = {name: f for name, f in declared.items() if name not in INDEX_DTYPES}
    index = {name: f for name, f in declared.items() if name in INDEX_DTYPES}
    features = {**own, feature.name: feature, **index}
    return replace(
        source,
        model=with_features(source.model, features),
        supplied={**source.supplied, feature.name: column},
    )


def _column(name: str, values: Any) -> pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    array = np.asarray(values)
    if array.ndim == 0 or array.dtype.kind not in "biufU":
        raise UsageError(f"'{name}': expected an array with a number or text for each row")
    if array.dtype.kind == "U":
        return pa.chunked_array([pa.array(array.tolist(), pa.string())])
    array = np.ascontiguousarray(array)
    if array.shape[1:] == (1,):
        array = array[:, 0]
    column = pa.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return pa.chunked_array([column])


def _cast(name: str, column: pa.ChunkedArray, dtype: str) -> pa.ChunkedArray:
    names = {"float16": "halffloat", "float32": "float", "float64": "double"}
    inner = pa.type_for_alias(names.get(dtype, dtype))

    def of(type_: pa.DataType) -> pa.DataType:
        if pa.types.is_fixed_size_list(type_):
            return pa.list_(of(type_.value_type), type_.list_size)
        return pa.list_(of(type_.value_type)) if pa.types.is_list(type_) else inner

    try:
        return column.cast(of(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(f"'{name}': the values are not all {dtype}: {error}") from error


def _declared(
    name: str,
    column: pa.ChunkedArray,
    values: Any,
    dtype: str | None,
    shape: Sequence[int] | None,
    names: Json,
) -> Feature:
    """The declaration of a new feature, held against its values."""
    found = (
        tuple(np.asarray(values).shape[1:])
        if not isinstance(values, pa.ChunkedArray | pa.Array)
        else _dims(column)
    )
    feature = feature_from_arrow(name, column.type, found)
    wanted = feature.shape if shape is None else tuple(int(size) for size in shape)
    if wanted != feature.shape:
        raise UsageError(f"'{name}': the values have shape {feature.shape}, not {wanted}")
    if isinstance(names, list) and len(wanted) == 1 and len(names) != wanted[0]:
        raise UsageError(f"'{name}': {len(names)} names for {wanted[0]} dimensions")
    kind = dtype or feature.dtype
    spec = {"dtype": kind, "shape": list(wanted), "names": names}
    declared = Feature(name=name, dtype=kind, shape=wanted, spec=spec)
    if not declared.is_numeric and kind != "string":
        raise UsageError(f"'{name}': '{kind}' is not a dtype of numbers, bool or string")
    if declared.is_numeric != feature.is_numeric:
        raise UsageError(f"'{name}': the values are {feature.dtype}, not {kind}")
    if not fits(feature, column.type):
        raise UsageError(f"'{name}': {column.type} is not a column of numbers or texts")
    return declared


def _dims(column: pa.ChunkedArray) -> tuple[int, ...]:
    sizes, type_ = [], column.type
    row = column[0].as_py() if len(column) else None
    while pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        sizes.append(len(row) if row is not None else 0)
        row = row[0] if row else None
        type_ = type_.value_type
    return tuple(sizes)


def _spread(
    view: View, number: int, column: pa.ChunkedArray, lengths: np.ndarray[Any, np.dtype[np.int64]]
) -> pa.ChunkedArray:
    """A value for each row of one source: those of the view's rows at their places, null elsewhere."""
    from roboreel.format.model import LENGTH

    pieces, starts = view.pieces, np.cumsum(lengths) - lengths
    own = view.sources[number].model.episodes[LENGTH].to_numpy()
    first = np.cumsum(own) - own
    here = np.flatnonzero(pieces.source == number)
    places = sorted(
        (int(first[pieces.row[at]] + pieces.start[at]), int(starts[at]), int(lengths[at]))
        for at in here.tolist()
    )
    chunks: list[pa.ChunkedArray] = []
    filled = 0
    for place, start, length in places:
        if place < filled:
            raise UsageError("a frame is in the view twice: add features before")
        if place > filled:
            chunks.append(pa.chunked_array([pa.nulls(place - filled, column.type)]))
        chunks.append(column.slice(start, length))
        filled = place + length
    total = int(own.sum())
    if filled < total:
        chunks.append(pa.chunked_array([pa.nulls(total - filled, column.type)]))
    flat = [chunk for part in chunks for chunk in part.chunks]
    return pa.chunked_array(flat, column.type).combine_chunks() if flat else column
