"""Survey the table files: footers and the index columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.findings import Findings
from roboreel.errors import StorageError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX_DTYPES,
    TASK_INDEX,
    TIMESTAMP,
    is_list,
)
from roboreel.format.inventory import Bools, Floats, Int64
from roboreel.format.model import DATA_PATH, LENGTH, ROW_START
from roboreel.storage.tables import TableFile

_SURVEYED = (TIMESTAMP, FRAME_INDEX, EPISODE_INDEX, TASK_INDEX)
_ON_GRID_S = 1e-4


@dataclass(slots=True)
class TablesFound:
    """What the table files hold; arrays are aligned with the episodes."""

    rows: Int64
    row_start: Int64
    timestamp_error_s: Floats
    gaps: Bools
    """True where frame_index or timestamps say that rows have been taken out before the last."""
    task_indexes: list[tuple[int, ...]]
    """Distinct task indexes of each episode's rows; empty where they have no such column."""
    schemas: dict[str, pa.Schema] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def survey_tables(findings: Findings) -> TablesFound:
    """Survey every table file that an episode names."""
    dataset = findings.dataset
    episodes = dataset.episodes
    found = TablesFound(
        rows=episodes[LENGTH].to_numpy().astype(np.int64),
        row_start=episodes[ROW_START].to_numpy().astype(np.int64),
        timestamp_error_s=np.zeros(len(episodes)),
        gaps=np.zeros(len(episodes), dtype=np.bool_),
        task_indexes=[() for _ in range(len(episodes))],
    )
    present = frozenset(dataset.files)
    for path, members in rows_by_path(episodes[DATA_PATH]).items():
        if path is None or path not in present:
            findings.breaks(members, "table.missing", "its table file is not there", path=path)
        elif dataset.version.one_file_per_episode and len(members) > 1:
            message = f"the file of {len(members)} episodes, where each has its own"
            findings.breaks(members, "table.shared", message, path=path)
        else:
            try:
                _survey_file(path, members, found, findings)
            except StorageError as error:
                findings.breaks(members, "table.readable", str(error), path=path)
    _report_supplied(found, findings)
    return found


def rows_by_path(paths: pa.ChunkedArray) -> dict[str | None, list[int]]:
    """Rows of the episodes table by the file they name, in order."""
    grouped: dict[str | None, list[int]] = {}
    for row, path in enumerate(paths.to_pylist()):
        grouped.setdefault(path, []).append(row)
    return grouped


def _survey_file(path: str, members: Sequence[int], found: TablesFound, findings: Findings) -> None:
    findings.add_file(path)
    with TableFile(findings.dataset.root, path) as file:
        schema, rows = file.footer.schema, file.footer.rows
        index = file.read([name for name in _SURVEYED if name in schema.names])
        _note_shapes(findings.dataset, file, found)
    found.schemas[path] = schema
    for name in index.column_names:
        if not _holds_numbers(index[name].type):
            message = f"index column '{name}' holds {index[name].type}, not numbers"
            findings.breaks(members, "table.index-columns", message, path=path, column=name)
            return
    if findings.dataset.version.one_file_per_episode:
        located = _locate_alone(path, members[0], rows, index, found, findings)
    else:
        located = _locate_shared(path, members, rows, index, found, findings)
    for row in located:
        start, stop = int(found.row_start[row]), int(found.row_start[row] + found.rows[row])
        _check_index(path, row, index.slice(start, stop - start), found, findings)


def _holds_numbers(type_: pa.DataType) -> bool:
    inner = _inner(type_)
    return bool(pa.types.is_integer(inner) or pa.types.is_floating(inner))


def _inner(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if is_list(type_) else type_


def _locate_alone(
    path: str, row: int, rows: int, index: pa.Table, found: TablesFound, findings: Findings
) -> list[int]:
    """A file with one episode: its rows are the file's."""
    found.row_start[row], found.rows[row] = 0, rows
    if rows == 0:
        findings.breaks([row], "table.empty", "its table has no row", path=path)
        return []
    if EPISODE_INDEX in index.column_names:
        written = sorted(set(_whole_numbers(index[EPISODE_INDEX]).tolist()))
        if written != [findings.numbers[row]]:
            message = f"its rows say that they are of episode {', '.join(map(str, written[:5]))}"
            action = "the file's name and the documents win"
            findings.notes(row, "table.episode-index", message, path=path, action=action)
    return [row]


def _locate_shared(
    path: str,
    members: Sequence[int],
    rows: int,
    index: pa.Table,
    found: TablesFound,
    findings: Findings,
) -> list[int]:
    """A file with many episodes: their rows are where its own `episode_index` says."""
    places = None
    if EPISODE_INDEX in index.column_names:
        places = _runs(_whole_numbers(index[EPISODE_INDEX]))
    located = []
    taken = 0
    for row in sorted(members, key=lambda row: (int(found.row_start[row]), row)):
        begin, count = int(found.row_start[row]), int(found.rows[row])
        place = (begin, begin + count) if places is None else places.get(findings.numbers[row])
        if place is None or place[1] > rows:
            message = "the table holds no unbroken run of rows with its episode_index"
            findings.breaks([row], "table.episode-rows", message, path=path)
            continue
        if places is None and place[0] < taken:
            message = "its rows are those of another episode too, by the documents"
            findings.breaks([row], "table.episode-rows", message, path=path)
            continue
        taken = place[1]
        if place[0] != begin:
            message = f"its rows begin at {place[0]}, not at {begin}"
            findings.notes(row, "table.episode-rows", message, path=path, action="the table wins")
        found.row_start[row], found.rows[row] = place[0], place[1] - place[0]
        located.append(row)
    return located


def _runs(written: Int64) -> dict[int, tuple[int, int] | None]:
    """Where each value stands: `[start, stop)`, or None where it stands in several places."""
    if not len(written):
        return {}
    starts = np.concatenate([[0], np.flatnonzero(np.diff(written)) + 1])
    stops = np.append(starts[1:], len(written))
    places: dict[int, tuple[int, int] | None] = {}
    for value, start, stop in zip(
        written[starts].tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        places[value] = None if value in places else (start, stop)
    return places


def _check_index(
    path: str, row: int, index: pa.Table, found: TablesFound, findings: Findings
) -> None:
    """What the index columns of an episode's rows say."""
    fps = findings.dataset.fps
    disorder = _disorder(index)
    if disorder:
        findings.breaks([row], "table.row-order", disorder, path=path)
        return
    if TIMESTAMP in index.column_names:
        seconds = _numbers(index[TIMESTAMP])
        found.timestamp_error_s[row] = _timestamp_error(_inner(index[TIMESTAMP].type), seconds, fps)
        found.gaps[row] = _gaps_on_grid(seconds, fps)
    if FRAME_INDEX in index.column_names:
        frames = _whole_numbers(index[FRAME_INDEX])
        if not np.array_equal(frames, np.arange(len(frames))):
            message = "frame_index does not count 0, 1, 2, …"
            action = "counted anew"
            findings.notes(row, "table.frame-index", message, path=path, action=action)
            found.gaps[row] = True
    if TASK_INDEX in index.column_names:
        values = np.unique(_whole_numbers(index[TASK_INDEX])).tolist()
        found.task_indexes[row] = tuple(values)


def _disorder(index: pa.Table) -> str | None:
    """Why the rows are not in the order of their frames, or None."""
    if FRAME_INDEX in index.column_names:
        steps = np.diff(_whole_numbers(index[FRAME_INDEX]))
        if (
            steps <= 0
        ).any() and steps.any():  # the same number throughout says nothing of an order
            return "its rows are not in the order of their frame_index: sort them first"
    elif TIMESTAMP in index.column_names and (np.diff(_numbers(index[TIMESTAMP])) < 0).any():
        return "its rows are not in the order of their timestamps, and have no frame_index"
    return None


def _timestamp_error(type_: pa.DataType, seconds: Floats, fps: Fraction) -> float:
    expected = np.arange(len(seconds)) * fps.denominator / fps.numerator
    if pa.types.is_float32(type_):  # late in an episode its steps exceed 1e-4 s
        expected = expected.astype(np.float32).astype(np.float64)
    error = np.abs(seconds - expected)
    return float(np.where(np.isfinite(error), error, np.inf).max(initial=0.0))


def _gaps_on_grid(seconds: Floats, fps: Fraction) -> bool:
    """True where all timestamps are multiples of 1 / fps, but some multiples are left out.

    Such are the timestamps of rows of which some were removed; a recorder's clock gives no multiples.
    """
    if not np.isfinite(seconds).all():
        return False
    frames = seconds * float(fps)
    whole = np.rint(frames)
    on_grid = bool((np.abs(frames - whole) <= _ON_GRID_S * float(fps)).all())
    return on_grid and not np.array_equal(whole, np.arange(len(whole)))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """(n,) a column of numbers, also where each is wrapped in a list of one; NaN where null."""
    flat = pc.list_flatten(column) if is_list(column.type) else column
    wide = flat.cast(pa.float64(), safe=False)  # nanoseconds since 1970 need not be exact here
    return np.asarray(wide.to_numpy(zero_copy_only=False), dtype=np.float64)


def _whole_numbers(column: pa.ChunkedArray) -> Int64:
    numbers = _numbers(column)
    return np.where(np.abs(numbers) < 1 << 53, numbers, -1).astype(np.int64)


def _note_shapes(dataset: Dataset, file: TableFile, found: TablesFound) -> None:
    """Lengths of the lists in columns that no document declares."""
    undeclared = [
        item.name
        for item in file.footer.schema
        if item.name not in dataset.features and is_list(item.type)
    ]
    if not undeclared:
        return
    table = file.read(undeclared)
    for name in undeclared:
        lengths = tuple(_list_lengths(table[name].combine_chunks()))
        known = found.shapes.get(name, lengths)
        pairs = zip_longest(known, lengths, fillvalue=1)
        found.shapes[name] = tuple(a if a == b else max(2, a, b) for a, b in pairs)


def _list_lengths(column: pa.Array) -> Iterator[int]:
    """The length of the lists at each level; where they differ the longest, but never one."""
    while is_list(column.type):
        bounds = pc.min_max(pc.list_value_length(column)).as_py()
        shortest, longest = bounds["min"] or 0, bounds["max"] or 0
        yield max(longest, 1) if shortest == longest and not column.null_count else max(longest, 2)
        column = pc.list_flatten(column)


def _report_supplied(found: TablesFound, findings: Findings) -> None:
    for name in INDEX_DTYPES:
        without = [path for path, schema in found.schemas.items() if name not in schema.names]
        if without:
            message = f"{len(without)} table files have no such column"
            findings.problems.add(
                "table.index-columns", message, path=without[0], column=name, action="supplied"
            )
