"""Stage the rows of a Ray dataset: each is an episode, with columns that `EpisodeSink.write` takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roboreel.errors import RoboreelError, UsageError, listed
from roboreel.format.feature import INDEX_DTYPES
from roboreel.sink.episode_key import EpisodeKey, Key, key_of
from roboreel.sink.episode_sink import EpisodeSink
from roboreel.types import Int64, Json, JsonObject

_VIDEO, _IMAGE = "video", "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeColumns:
    """Which columns say what of an episode."""

    key: tuple[str, ...]
    task: str | None
    frames: str | None
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRow:
    """What became of a row."""

    key: EpisodeKey
    frames: int = 0
    episodes: int = 0
    error: str | None = field(default=None)


def stage_row(sink: EpisodeSink, columns: EpisodeColumns, row: Mapping[str, Any]) -> StagedRow:
    """Stage an episode; an error is noted in the staging folder, and returned.

    Raises:
        UsageError: the row lacks a column, or has no key.
    """
    key = key_of(_key(columns, row))
    kinds = taken(sink.features)
    wanted = [*kinds, *columns.fields]
    wanted += [name for name in (columns.task, columns.frames) if name is not None]
    missing = [name for name in wanted if name not in row]
    if missing:
        raise UsageError(
            f"the rows of the Ray dataset lack {listed(missing)}: they have {listed(sorted(row))}"
        )
    try:
        staged = sink.write(
            key,
            {n: row[n] for n, kind in kinds.items() if kind not in (_VIDEO, _IMAGE)},
            videos={n: row[n] for n, kind in kinds.items() if kind == _VIDEO},
            images={n: row[n] for n, kind in kinds.items() if kind == _IMAGE},
            frames=None if columns.frames is None else row[columns.frames],
            task="" if columns.task is None else _plain(row[columns.task]),
            fields={name: _plain(row[name]) for name in columns.fields},
        )
    except RoboreelError as error:
        return StagedRow(key=key, error=str(error))
    return StagedRow(key=key, frames=sum(one.rows for one in staged), episodes=len(staged))


def taken(features: Mapping[str, JsonObject]) -> dict[str, Json]:
    """The dtype of each feature that is taken from rows: the sink makes the index columns itself."""
    return {n: spec.get("dtype") for n, spec in features.items() if n not in INDEX_DTYPES}


def _key(columns: EpisodeColumns, row: Mapping[str, Any]) -> Key:
    """The key of a row: (source, segment), a source, or a number, which counts in its column's name."""
    missing = [name for name in columns.key if name not in row]
    if missing:
        raise UsageError(
            f"key: the rows of the Ray dataset lack {listed(missing)}: they have {listed(sorted(row))}"
        )
    values = [_plain(row[name]) for name in columns.key]
    if len(values) == 2:
        return (values[0], values[1])
    return values[0] if isinstance(values[0], str) else (columns.key[0], values[0])


def _plain(value: Any) -> Any:
    """A number, string or list as JSON has it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def episode_row(
    columns: EpisodeColumns, features: Iterable[str], order: str | None, group: Mapping[str, Any]
) -> dict[str, Any]:
    """One row of the rows of an episode: each feature's values together, in the order of a column.

    Args:
        columns: which columns say what.
        features: columns with a value for each frame.
        order: the column to sort by, if the group has it.
        group: (n, …) values by column.
    """
    rows = len(group[columns.key[0]])
    by: Int64 = np.arange(rows)
    if order is not None and order in group:
        by = np.argsort(group[order], kind="stable")
    each = [*features, *(name for name in (columns.task, columns.frames) if name is not None)]
    made: dict[str, Any] = {
        name: _one(group[name][by]) for name in dict.fromkeys(each) if name in group
    }
    made |= {name: group[name][:1] for name in (*columns.key, *columns.fields) if name in group}
    return made


def _one(values: Any) -> Any:
    """A column with one row, which has all values."""
    return [values.tolist()] if values.dtype == object else values[None]
