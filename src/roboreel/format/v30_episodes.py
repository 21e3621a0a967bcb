"""The table of episodes of v3.0: its files, and the columns it must have."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.model import EPISODE, LENGTH, Info
from roboreel.format.parse import Problems

EPISODES_TEMPLATE = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_FOLDER = "meta/episodes/"
FROM_INDEX, TO_INDEX = "dataset_from_index", "dataset_to_index"
CHUNK_INDEX, FILE_INDEX = "chunk_index", "file_index"
_LARGEST = 1 << 31
"""No dataset has as many episodes, files, or frames in an episode, and sums stay far below 64 bits."""


def episode_files(files: Iterable[str]) -> list[str]:
    """The files of the table of episodes, in order: tables exactly one folder below `meta/episodes`."""
    return [name for name in _tables(files) if name.count("/") == EPISODES_FOLDER.count("/") + 1]


def stray_episode_files(files: Iterable[str]) -> list[str]:
    """Tables below `meta/episodes` that readers ignore, because they aren't exactly one folder below it."""
    return [name for name in _tables(files) if name.count("/") != EPISODES_FOLDER.count("/") + 1]


def _tables(files: Iterable[str]) -> list[str]:
    return [n for n in files if n.startswith(EPISODES_FOLDER) and n.endswith(".parquet")]


def require_columns(info: Info, episodes: pa.Table, problems: Problems) -> pa.Table:
    """The table with its whole numbers as integers, even if they are stored as doubles.

    Raises:
        DatasetError: a column is missing, lacks values, or holds something other than numbers.
    """
    data = [f"data/{CHUNK_INDEX}", f"data/{FILE_INDEX}"]
    cameras = [f"videos/{camera}/" for camera in info.cameras]
    positions = [prefix + name for prefix in cameras for name in (CHUNK_INDEX, FILE_INDEX)]
    for name in [EPISODE, LENGTH, *data, FROM_INDEX, *positions]:
        if name in episodes.column_names:
            at = episodes.column_names.index(name)
            column = whole_numbers(episodes[name])
            episodes = episodes.set_column(at, name, column)
            _require_whole(column, name, problems)
    for name in (EPISODE, LENGTH, *data):
        if name not in episodes.column_names:
            problems.error("episode.columns", f"column '{name}' is missing", path=EPISODES_FOLDER)
        elif episodes[name].null_count:
            message = f"column '{name}' has missing values"
            problems.error("episode.columns", message, path=EPISODES_FOLDER)
    for name in [f"{prefix}from_timestamp" for prefix in cameras]:
        if name in episodes.column_names and not is_number(episodes[name].type):
            message = f"column '{name}' must be numeric (seconds), but is {episodes[name].type}"
            problems.error("episode.columns", message, path=EPISODES_FOLDER)
    problems.raise_errors("the table of episodes cannot be read")
    return episodes


def whole_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as 64-bit integers if it is floating-point with only whole numbers, else unchanged.

    NaN counts as null, because tools without an integer null write such columns as doubles.
    """
    if not pa.types.is_floating(column.type):
        return column
    wide = column.cast(pa.float64())
    known = pc.if_else(pc.is_nan(wide), None, wide)
    whole = pc.and_(pc.equal(known, pc.round(known)), pc.less(pc.abs(known), float(1 << 53)))
    return known.cast(pa.int64()) if pc.all(whole).as_py() is not False else column


def _require_whole(column: pa.ChunkedArray, name: str, problems: Problems) -> None:
    lowest = int(name == LENGTH)
    if pa.types.is_null(column.type):
        return
    if not pa.types.is_integer(column.type):
        message = f"column '{name}' must have whole numbers, but is {column.type}"
    elif len(column) > column.null_count and (
        pc.min(column).as_py() < lowest or pc.max(column).as_py() >= _LARGEST
    ):
        message = f"column '{name}' has numbers below {lowest} or above {_LARGEST}"
    else:
        return
    problems.error("episode.columns", message, path=EPISODES_FOLDER)


def is_number(type_: pa.DataType) -> bool:
    """True for a numeric type, and for a column without any value."""
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_null(type_)
    )
