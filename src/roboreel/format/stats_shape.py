"""Shapes of stored statistics, read from documents without making an array for each.

A dataset of many episodes has millions of stored numbers, and a survey only needs to know whether they are
complete. Values that the fast code does not recognize are parsed as everywhere else (`stats.parse_stats`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format import v2
from roboreel.format.feature import is_list
from roboreel.format.model import EPISODE
from roboreel.format.parse import parse_lines
from roboreel.format.stats_columns import stats_columns
from roboreel.stats.feature_stats import (
    BASE,
    CAMERA_AXES,
    Stats,
    StatsShape,
    checked_shape,
    parse_stats,
    shape_of,
)
from roboreel.stats.impossible_std import impossible_std, is_impossible, may_be_impossible
from roboreel.types import Json

_PLAIN = frozenset({float, int, bool})
_EXACT = 1 << 53
Int64: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
_PREFIX = "stats/"


@dataclass(slots=True)
class StatsShapes:
    """Shapes of statistics in the order of the document; lists are aligned."""

    episodes: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    """Positions in `names`."""
    counts: list[int] = field(default_factory=list)
    dims: list[int] = field(default_factory=list)
    impossible: list[bool] = field(default_factory=list)
    """True if a camera cannot have this std with its other statistics (`impossible_std.py`)."""
    names: dict[str, int] = field(default_factory=dict)
    """Numbers of features, by name."""

    def add(self, episode: int, name: str, form: StatsShape, *, impossible: bool) -> None:
        """Add the shape of one feature's statistics, and whether its std is impossible."""
        if not -_EXACT < episode < _EXACT:
            return  # no episode has such a number
        self.episodes.append(episode)
        self.features.append(self.names.setdefault(name, len(self.names)))
        self.counts.append(form.counted)
        self.dims.append(form.dims)
        self.impossible.append(impossible)


def add_lines(forms: StatsShapes, document: bytes) -> None:
    """Add the statistics in some lines of `episodes_stats.jsonl`.

    Raises:
        DatasetError: a line is not a JSON object.
    """
    for _, entry in parse_lines(document, v2.EPISODE_STATS):
        episode, stats = entry.get(EPISODE), entry.get("stats")
        if isinstance(episode, int) and isinstance(stats, Mapping):
            for name, parts in stats.items():
                if isinstance(parts, Mapping):
                    form = _form_of_json(parts)
                    forms.add(episode, name, form, impossible=_impossible_in_json(parts, form))


def _form_of_json(parts: Mapping[str, Json]) -> StatsShape:
    shapes = set()
    count = 0
    for key, value in parts.items():
        shape = _shape(value)
        if shape is None:
            return shape_of(parse_stats({"": parts})[""])
        if key != "count":
            shapes.add(shape)
        elif shape == (1,):
            number = value[0] if isinstance(value, list) else value
            count = int(number) if abs(number) < _EXACT else 0
    return checked_shape(shapes, count) if all(key in parts for key in BASE) else StatsShape(0, 0)


def _impossible_in_json(parts: Mapping[str, Json], form: StatsShape) -> bool:
    """True if the std is impossible; most values are checked quickly, without making arrays."""
    if form.dims != CAMERA_AXES:
        return False
    std = parts["std"]
    while isinstance(std, list) and std and isinstance(std[0], list):
        std = [number for item in std for number in item]
    if all(type(number) in _PLAIN and not may_be_impossible(number) for number in std):
        return False
    return is_impossible(parse_stats({"": parts})[""])


def _shape(value: Json) -> tuple[int, ...] | None:
    """The shape of nested lists of numbers; None if in doubt."""
    if not isinstance(value, list):
        return (1,) if type(value) in _PLAIN and _is_readable(value) else None
    if len(value) == 1 and type(value[0]) is float:  # the most common case
        return (1,)
    types = set(map(type, value))
    if types <= _PLAIN:
        readable = int not in types or all(map(_is_readable, value))
        return (len(value),) if readable and value else None
    if types != {list}:
        return None
    inner = {_shape(item) for item in value}
    shape = inner.pop()
    return None if inner or shape is None else (len(value), *shape)


def _is_readable(value: float) -> bool:
    """True for all numbers except integers that may not fit a float."""
    return type(value) is not int or -_EXACT < value < _EXACT


@dataclass(frozen=True, slots=True)
class _Column:
    feature: str
    statistic: str
    at: int
    """Position among the columns."""
    present: npt.NDArray[np.bool_]
    """(rows,) True for rows with a value."""
    shape: tuple[int, ...]
    """The common shape of its values."""
    values: pa.Array
    """The numbers of all values, one value after another."""


def add_rows(forms: StatsShapes, table: pa.Table) -> None:
    """Add the statistics in some rows of a v3.0 table of episodes (`stats/{feature}/{statistic}`)."""
    names = stats_columns(table.schema)
    columns = [_column(table, name, at) for at, name in enumerate(names)]
    whole = [column for column in columns if column is not None]
    if len(whole) < len(columns) or any(_wrong_count(column) for column in whole):
        for row in table.select([EPISODE, *names]).to_pylist():
            for name, stats in _stats_of_row(row).items():
                form = shape_of(stats)
                wrong = form.dims == CAMERA_AXES and is_impossible(stats)
                forms.add(int(row[EPISODE]), name, form, impossible=wrong)
        return
    _add_columns(forms, table[EPISODE].to_pylist(), whole)


def _stats_of_row(row: Mapping[str, Json]) -> Stats:
    nested: dict[str, dict[str, Json]] = {}
    for name, value in row.items():
        if name.startswith(_PREFIX) and value is not None:
            feature, _, statistic = name[len(_PREFIX) :].rpartition("/")
            nested.setdefault(feature, {})[statistic] = value
    return parse_stats(nested)


def _column(table: pa.Table, name: str, at: int) -> _Column | None:
    """A column whose values have one shape; None for others."""
    values = table[name].combine_chunks()
    present = np.asarray(values.is_valid().to_numpy(zero_copy_only=False))
    feature, _, statistic = name[len(_PREFIX) :].rpartition("/")
    shape: list[int] = []
    if not present.any():
        return _Column(feature, statistic, at, present, (), pa.array([], pa.float64()))
    while is_list(values.type):
        bounds = pc.min_max(pc.list_value_length(values)).as_py()
        if bounds["min"] != bounds["max"] or not bounds["max"] or (shape and values.null_count):
            return None
        shape.append(bounds["max"])
        values = pc.list_flatten(values)
    type_ = values.type
    if not (
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_)
    ):
        return None
    return _Column(feature, statistic, at, present, tuple(shape) or (1,), values)


def _wrong_count(column: _Column) -> bool:
    inconsistent = column.shape != (1,) or column.values.null_count
    return column.statistic == "count" and bool(column.present.any() and inconsistent)


def _add_columns(forms: StatsShapes, episodes: Sequence[int], columns: Sequence[_Column]) -> None:
    by_feature: dict[str, list[_Column]] = {}
    for column in columns:
        by_feature.setdefault(column.feature, []).append(column)
    if not by_feature:
        return
    codes = [forms.names.setdefault(name, len(forms.names)) for name in by_feature]
    found = [_of_feature(own, len(episodes)) for own in by_feature.values()]
    first, counts, dims, wrong = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))
    order = np.argsort(first, axis=1, kind="stable")  # in the order of the columns in the row
    there = np.take_along_axis(first, order, axis=1) >= 0
    forms.episodes += np.repeat(np.asarray(episodes, dtype=np.int64), there.sum(axis=1)).tolist()
    forms.features += np.asarray(codes)[order][there].tolist()
    forms.counts += np.take_along_axis(counts, order, axis=1)[there].tolist()
    forms.dims += np.take_along_axis(dims, order, axis=1)[there].tolist()
    forms.impossible += np.take_along_axis(wrong, order, axis=1)[there].tolist()


def _of_feature(columns: Sequence[_Column], rows: int) -> tuple[Int64, Int64, Int64, Bools]:
    """(rows,) each: position of the first column with a value or -1, count, dimensions, impossible std."""
    present = np.stack([column.present for column in columns])
    first = np.array([column.at for column in columns])[present.argmax(axis=0)]
    sized = [c for c in columns if c.statistic != "count" and c.present.any()]
    having = {shape: _any([c for c in sized if c.shape == shape]) for shape in _shapes(sized)}
    sound = np.sum(list(having.values()), axis=0) == 1 if having else np.zeros(rows, dtype=np.bool_)
    for statistic in BASE:
        sound &= _any([c for c in columns if c.statistic == statistic], rows)
    count = np.zeros(rows, dtype=np.int64)
    for column in columns:
        if column.statistic == "count" and column.present.any():
            numbers = column.values.to_numpy(zero_copy_only=False).astype(np.float64)
            count[column.present] = np.where(np.abs(numbers) < _EXACT, numbers, 0).astype(np.int64)
    count = np.where(sound & (count > 0), count, 0)
    dims = np.zeros(rows, dtype=np.int64)
    for shape, where in having.items():
        dims[where & (count > 0)] = len(shape)
    impossible = (dims == CAMERA_AXES) & _impossible_stds(sized, rows)
    return np.where(present.any(axis=0), first, -1), count, dims, impossible


def _impossible_stds(columns: Sequence[_Column], rows: int) -> Bools:
    """(rows,) True if the std is impossible; for features with the shape of camera statistics."""
    cameras = [column for column in columns if len(column.shape) == CAMERA_AXES]
    if len({column.shape for column in cameras}) != 1:
        return np.zeros(rows, dtype=np.bool_)
    values = {}
    for column in cameras:
        numbers = column.values.to_numpy(zero_copy_only=False).astype(np.float64)
        matrix = np.full((rows, prod(column.shape)), np.nan)
        matrix[column.present] = numbers.reshape(-1, matrix.shape[1])
        values[column.statistic] = matrix
    return impossible_std(values)


def _shapes(columns: Sequence[_Column]) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(column.shape for column in columns))


def _any(columns: Sequence[_Column], rows: int = 0) -> npt.NDArray[np.bool_]:
    """(rows,) True if any of the columns has a value."""
    none = np.zeros(rows, dtype=np.bool_)
    return np.any([column.present for column in columns], axis=0) if columns else none
