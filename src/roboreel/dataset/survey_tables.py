"""Survey the table files: footers and the index columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.dataset import Dataset
from roboreel.errors import Problem, StorageError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX_DTYPES,
    TASK_INDEX,
    TIMESTAMP,
    is_list,
)
from roboreel.format.inventory import FileFacts, Floats, Int64
from roboreel.format.model import DATA_PATH, EPISODE, LENGTH, ROW_START, TASKS
from roboreel.format.parse import Problems
from roboreel.storage.tables import TableFile

_SURVEYED = (TIMESTAMP, FRAME_INDEX, EPISODE_INDEX, TASK_INDEX)


@dataclass(slots=True)
class TablesFound:
    """What the table files hold; arrays are aligned with the episodes."""

    rows: Int64
    row_start: Int64
    timestamp_error_s: Floats
    schemas: dict[str, pa.Schema]
    shapes: dict[str, tuple[int, ...]]


def survey_tables(
    dataset: Dataset,
    files: dict[str, FileFacts],
    broken: dict[int, list[Problem]],
    problems: Problems,
) -> TablesFound:
    """Survey every table file that an episode names."""
    episodes = dataset.episodes
    found = TablesFound(
        rows=episodes[LENGTH].to_numpy().astype(np.int64),
        row_start=episodes[ROW_START].to_numpy().astype(np.int64),
        timestamp_error_s=np.zeros(len(episodes)),
        schemas={},
        shapes={},
    )
    for path, members in rows_by_path(episodes[DATA_PATH]).items():
        if path is None:
            for row in members:
                _break(broken, dataset, row, "table.missing", "its table file is not there", None)
            continue
        if dataset.version.one_file_per_episode and len(members) > 1:
            message = f"the file of {len(members)} episodes, where each has its own"
            for row in members:
                _break(broken, dataset, row, "table.shared", message, path)
            continue
        try:
            _survey_file(dataset, path, members, found, files, broken, problems)
        except StorageError as error:
            for row in members:
                _break(broken, dataset, row, "table.readable", str(error), path)
    _report_supplied(found, problems)
    return found


def rows_by_path(paths: pa.ChunkedArray) -> dict[str | None, list[int]]:
    """Rows of the episodes table by the file they name, in order."""
    grouped: dict[str | None, list[int]] = {}
    for row, path in enumerate(paths.to_pylist()):
        grouped.setdefault(path, []).append(row)
    return grouped


def _break(
    broken: dict[int, list[Problem]],
    dataset: Dataset,
    row: int,
    rule: str,
    message: str,
    path: str | None,
) -> None:
    episode = int(dataset.episodes[EPISODE][row].as_py())
    problem = Problem(rule=rule, severity="error", message=message, path=path, episode=episode)
    broken.setdefault(row, []).append(problem)


def _survey_file(
    dataset: Dataset,
    path: str,
    members: Sequence[int],
    found: TablesFound,
    files: dict[str, FileFacts],
    broken: dict[int, list[Problem]],
    problems: Problems,
) -> None:
    stat = dataset.root.stat(path)
    with TableFile(dataset.root, path) as file:
        schema, rows = file.footer.schema, file.footer.rows
        index = file.read([name for name in _SURVEYED if name in schema.names])
        _note_shapes(dataset, file, found)
    files[path] = FileFacts(size_bytes=stat.size_bytes, stamp=stat.stamp)
    found.schemas[path] = schema
    located = _locate(dataset, path, members, rows, index, found, broken, problems)
    for row in located:
        start, stop = int(found.row_start[row]), int(found.row_start[row] + found.rows[row])
        part = index.slice(start, stop - start)
        found.timestamp_error_s[row] = _timestamp_error(part, dataset.fps)
        _check_index(dataset, row, path, part, broken, problems)


def _locate(
    dataset: Dataset,
    path: str,
    members: Sequence[int],
    rows: int,
    index: pa.Table,
    found: TablesFound,
    broken: dict[int, list[Problem]],
    problems: Problems,
) -> list[int]:
    """Sets where each episode's rows are; returns the episodes that have rows."""
    if dataset.version.one_file_per_episode:
        (row,) = members[:1]
        found.row_start[row], found.rows[row] = 0, rows
        if rows == 0:
            _break(broken, dataset, row, "table.empty", "its table has no row", path)
        return [row] if rows else []
    if EPISODE_INDEX not in index.column_names:
        return [row for row in members if _inside(dataset, row, path, rows, found, broken)]
    written = _whole_numbers(index[EPISODE_INDEX])
    numbers = dataset.episodes[EPISODE].to_numpy()
    located = []
    for row in members:
        place = _run_of(written, int(numbers[row]), int(found.row_start[row]))
        if place is None:
            message = "the table holds no unbroken run of rows with its episode_index"
            _break(broken, dataset, row, "table.episode-rows", message, path)
            continue
        if place[0] != found.row_start[row]:
            message = f"its rows begin at {place[0]}, not at {found.row_start[row]}"
            action = "the table wins"
            episode = int(numbers[row])
            problems.add("table.episode-rows", message, path=path, episode=episode, action=action)
        found.row_start[row], found.rows[row] = place[0], place[1] - place[0]
        located.append(row)
    return located


def _inside(
    dataset: Dataset,
    row: int,
    path: str,
    rows: int,
    found: TablesFound,
    broken: dict[int, list[Problem]],
) -> bool:
    stop = int(found.row_start[row] + found.rows[row])
    if stop <= rows:
        return True
    message = f"its rows end at {stop}, but the table has {rows}"
    _break(broken, dataset, row, "table.episode-rows", message, path)
    return False


def _run_of(written: Int64, episode: int, expected: int) -> tuple[int, int] | None:
    at = np.flatnonzero(written == episode)
    if not len(at) or int(at[-1]) - int(at[0]) + 1 != len(at):
        return None
    return int(at[0]), int(at[-1]) + 1


def _timestamp_error(index: pa.Table, fps: Fraction) -> float:
    if TIMESTAMP not in index.column_names:
        return 0.0
    seconds = _numbers(index[TIMESTAMP])
    expected = np.arange(len(seconds)) * fps.denominator / fps.numerator
    if pa.types.is_float32(index[TIMESTAMP].type):  # late in an episode its steps exceed 1e-4 s
        expected = expected.astype(np.float32).astype(np.float64)
    error = np.abs(seconds - expected)
    return float(np.where(np.isfinite(error), error, np.inf).max(initial=0.0))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """(n,) a column of numbers, also where each is wrapped in a list of one; NaN where null."""
    flat = pc.list_flatten(column) if is_list(column.type) else column
    return np.asarray(flat.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _whole_numbers(column: pa.ChunkedArray) -> Int64:
    numbers = _numbers(column)
    return np.where(np.isfinite(numbers), numbers, -1).astype(np.int64)


def _check_index(
    dataset: Dataset,
    row: int,
    path: str,
    index: pa.Table,
    broken: dict[int, list[Problem]],
    problems: Problems,
) -> None:
    episode = int(dataset.episodes[EPISODE][row].as_py())
    if FRAME_INDEX in index.column_names:
        frames = _whole_numbers(index[FRAME_INDEX])
        if not np.array_equal(frames, np.arange(len(frames))):
            message = "frame_index does not count 0, 1, 2, …"
            problems.add(
                "table.frame-index", message, path=path, episode=episode, action="counted anew"
            )
    if TASK_INDEX in index.column_names:
        unknown = set(np.unique(_whole_numbers(index[TASK_INDEX])).tolist()) - set(dataset.tasks)
        if unknown:
            message = f"task_index {sorted(unknown)} is not in the task list"
            _break(broken, dataset, row, "task.resolves", message, path)
    elif not dataset.episodes[TASKS][row].as_py():
        message = "it has neither a task_index column nor a listed task"
        _break(broken, dataset, row, "task.resolves", message, path)


def _note_shapes(dataset: Dataset, file: TableFile, found: TablesFound) -> None:
    """Lengths of the lists in columns that no document declares, from the first row."""
    undeclared = [
        item.name
        for item in file.footer.schema
        if item.name not in dataset.features and item.name not in found.shapes
    ]
    if not undeclared or file.footer.rows == 0:
        return
    first = file.rows(0, 1).select(undeclared)
    for name in undeclared:
        found.shapes[name] = _nested_lengths(first[name][0].as_py(), first[name].type)


def _nested_lengths(value: object, type_: pa.DataType) -> tuple[int, ...]:
    lengths = []
    while is_list(type_) and isinstance(value, list):
        lengths.append(len(value))
        value = value[0] if value else None
        type_ = type_.value_type
    return tuple(lengths)


def _report_supplied(found: TablesFound, problems: Problems) -> None:
    for name in INDEX_DTYPES:
        without = [path for path, schema in found.schemas.items() if name not in schema.names]
        if without:
            message = f"{len(without)} table files have no such column"
            problems.add(
                "table.index-columns", message, path=without[0], column=name, action="supplied"
            )
