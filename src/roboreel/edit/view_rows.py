"""Values of a view's rows: what new features are computed from, and where movement is looked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from roboreel.edit.view_data import Source, ViewData
from roboreel.errors import UnknownNameError, UsageError, listed
from roboreel.format.feature import EPISODE_INDEX, FRAME_INDEX
from roboreel.format.model import LENGTH
from roboreel.format.values import column_values
from roboreel.types import Int64

Columns: TypeAlias = dict[str, np.ndarray[Any, Any]]
"""(frames, …) the values of an episode by column: numbers, or objects where they are none."""


def computed(view: ViewData, name: str, function: Callable[..., Any]) -> np.ndarray[Any, Any]:
    """(rows, …) what a function gives for the rows of a view: see `Verbs.add`.

    Raises:
        UsageError: the function takes other arguments, or gives values that do not fit an episode.
    """
    by_row = _takes_rows(name, function)
    _refuse_filled(view, None)
    numbers = view.numbers.tolist()
    parts: list[np.ndarray[Any, Any]] = []
    for number, columns in zip(numbers, _episodes(view, numbers), strict=True):
        frames = len(columns[FRAME_INDEX])
        if by_row:
            found = _array(
                name, number, [function(_row(columns, k), number, k) for k in range(frames)]
            )
        else:
            found = _array(name, number, function(columns))
        if found.ndim == 0 or len(found) != frames:
            given = "one value" if found.ndim == 0 else f"{len(found)} values"
            raise UsageError(f"'{name}': got {given} for the {frames} frames of episode {number}")
        if parts and found.shape[1:] != parts[0].shape[1:]:
            shapes = f"{parts[0].shape[1:]} in episode {numbers[0]}, {found.shape[1:]} in {number}"
            raise UsageError(f"'{name}': values have different shapes: {shapes}")
        parts.append(found)
    return np.concatenate(parts)


def numeric_values(
    view: ViewData, feature: str, positions: Int64
) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """The number of each of some episodes with its values of a feature, (frames, …), in order.

    Raises:
        UsageError: there is no such numeric feature, or an episode has values of different shapes.
    """
    _require_numeric(view, feature)
    _refuse_filled(view, [feature])
    chosen = view.having(slices=view.slices.take(positions))
    numbers = view.numbers[positions].tolist()
    for number, table in zip(numbers, _tables(chosen, [feature]), strict=True):
        values = column_values(table[feature])
        if values is None:
            raise UsageError(f"'{feature}' of episode {number} has values of different shapes")
        yield number, values


def _episodes(view: ViewData, numbers: Sequence[int]) -> Iterator[Columns]:
    """The columns of each episode, index columns as they will be told apart in the view."""
    for number, table in zip(numbers, _tables(view, None), strict=True):
        columns = {name: _values(table[name]) for name in table.column_names}
        columns[FRAME_INDEX] = np.arange(len(table), dtype=np.int64)
        columns[EPISODE_INDEX] = np.full(len(table), number, dtype=np.int64)
        yield columns


def _tables(view: ViewData, names: Sequence[str] | None) -> Iterator[pa.Table]:
    """The rows of each episode of a view, in its order, columns by their names in the view."""
    readers = [_read(view, number, source, names) for number, source in enumerate(view.sources)]
    for number in view.slices.source.tolist():
        yield next(readers[number])


def _read(
    view: ViewData, number: int, source: Source, names: Sequence[str] | None
) -> Iterator[pa.Table]:
    slices = view.slices
    here = np.flatnonzero(slices.source == number)
    spans = list(
        zip(
            slices.row[here].tolist(),
            slices.start[here].tolist(),
            slices.stop[here].tolist(),
            strict=True,
        )
    )
    lengths = source.model.episodes[LENGTH].to_numpy()
    first = np.cumsum(lengths) - lengths
    old_name = {new: old for old, new in source.renamed.items()}
    supplied = [name for name in source.supplied if names is None or name in names]
    stored = None if names is None else [old_name.get(n, n) for n in names if n not in supplied]
    for (row, start, _), table in zip(spans, source.dataset.rows(spans, stored), strict=True):
        table = table.drop_columns([n for n in table.column_names if n in source.removed])
        table = table.rename_columns([source.renamed.get(n, n) for n in table.column_names])
        for name in supplied:
            values = source.supplied[name].slice(int(first[row]) + start, len(table))
            table = table.append_column(name, values)
        yield table


def _require_numeric(view: ViewData, feature: str) -> None:
    numeric = [
        name
        for name, one in view.sources[0].model.info.features.items()
        if all(
            name in source.model.info.features and source.model.info.features[name].is_numeric
            for source in view.sources
        )
    ]
    if feature not in numeric:
        names = ", ".join(f"'{name}'" for name in numeric)
        raise UnknownNameError(f"no numeric feature '{feature}': the dataset has {names}")


def _refuse_filled(view: ViewData, names: Sequence[str] | None) -> None:
    """Refuse to read columns that some files lack, or have shorter: they are filled up when written."""
    every = dict.fromkeys(name for source in view.sources for name in source.filled)
    filled = [name for name in every if names is None or name in names]
    if filled:
        raise UsageError(
            f"{listed(filled)}: filled up as the datasets are put together, and not to be read"
            " before that is written; do this to each of them first, or to what is written"
        )


def _takes_rows(name: str, function: Callable[..., Any]) -> bool:
    """True for a function of (row, episode, frame), False for one of an episode's columns."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False  # of some built in functions nothing is known
    for count in (1, 3):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return count == 3
    raise UsageError(f"'{name}': expected a function of (columns), or of (row, episode, frame)")


def _row(columns: Mapping[str, np.ndarray[Any, Any]], frame: int) -> dict[str, Any]:
    return {name: values[frame] for name, values in columns.items()}


def _values(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    values = None
    if not pa.types.is_struct(column.type) and not pa.types.is_string(column.type):
        values = column_values(column)
    if values is None:
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_pylist()
    return values


def _array(name: str, number: int, values: object) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise UsageError(
            f"'{name}': the values of episode {number} have different shapes: {error}"
        ) from error
