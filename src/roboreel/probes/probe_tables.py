"""Probe table files: the schema, where each episode's rows are, and whether its index columns are regular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX,
    TASK_INDEX,
    TIMESTAMP,
)
from roboreel.format.table_schema import without_record
from roboreel.probes.probe_request import Finding, ProbeRequest, as_text, findings_text
from roboreel.probes.table_columns import IndexColumn, distinct, undeclared_shapes
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Floats, Int64

SURVEYED = (TIMESTAMP, FRAME_INDEX, EPISODE_INDEX, INDEX, TASK_INDEX)
_ON_GRID_S = 1e-4
_EXACT_ROWS = 1 << 20
"""Below this many rows, float32 rounding moves a timestamp by less than a quarter of a frame."""
_EXACT_INDEX = 1 << 52
"""Below this, whole numbers and their sums with row counts are exact in float64."""
_INTEGERS = pa.list_(pa.int64())


class TableContext(NamedTuple):
    """Facts of the dataset that the answers of all table files depend on."""

    one_file_per_episode: bool
    fps: Fraction
    declared: tuple[str, ...]
    """Names of the declared features."""


class DeclaredRows(NamedTuple):
    """Where the documents place an episode in a table file; a row of `ProbeRequest.episodes`."""

    number: int
    row_start: int
    rows: int


@dataclass(slots=True)
class _Answer:
    """The answer of one file; lists are aligned with its episodes."""

    row_start: list[int]
    rows: list[int]
    timestamp_error_s: list[float]
    gaps: list[bool]
    tasks: list[list[int]]
    first_index: list[int]
    """`index` of the first row if all index columns are as roboreel would write them, else -1."""
    file_rows: int = 0
    error: str | None = None
    schema: pa.Schema | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def probe_tables(root: Root, request: ProbeRequest) -> pa.Table:
    """One row per table file; see `_columns`."""
    context = TableContext(*request.context)  # type: ignore[arg-type]
    answers = []
    for position, path in enumerate(request.paths):
        episodes = [DeclaredRows(*numbers) for numbers in request.of_file(position).tolist()]
        answers.append(_answer(root, path, episodes, context))
    return _columns(answers)


def _columns(answers: Sequence[_Answer]) -> pa.Table:
    codes, schemas = _distinct([answer.schema for answer in answers])
    shapes = [as_text(answer.shapes) if answer.shapes else None for answer in answers]
    errors = [None if answer.error is None else as_text(answer.error) for answer in answers]
    return pa.table(
        {
            "error": pa.array(errors, pa.string()),
            "findings": pa.array([findings_text(a.findings) for a in answers], pa.string()),
            "schema": pa.DictionaryArray.from_arrays(codes, schemas),
            "shapes": pa.array(shapes, pa.string()),
            "row_start": pa.array([answer.row_start for answer in answers], _INTEGERS),
            "rows": pa.array([answer.rows for answer in answers], _INTEGERS),
            "timestamp_error_s": pa.array(
                [answer.timestamp_error_s for answer in answers], pa.list_(pa.float64())
            ),
            "gaps": pa.array([answer.gaps for answer in answers], pa.list_(pa.bool_())),
            "tasks": pa.array([answer.tasks for answer in answers], pa.list_(_INTEGERS)),
            "first_index": pa.array([answer.first_index for answer in answers], _INTEGERS),
            "file_rows": pa.array([answer.file_rows for answer in answers], pa.int64()),
        }
    )


def _distinct(schemas: Sequence[pa.Schema | None]) -> tuple[pa.Array, pa.Array]:
    """Dictionary codes, and the distinct schemas, serialized; most files share one."""
    found: list[pa.Schema] = []
    codes: list[int | None] = []
    for schema in schemas:
        if schema is None:
            codes.append(None)
            continue
        known = (n for n, other in enumerate(found) if other.equals(schema, check_metadata=True))
        code = next(known, len(found))
        if code == len(found):
            found.append(schema)
        codes.append(code)
    strings = [schema.serialize().to_pybytes() for schema in found]
    return pa.array(codes, pa.int32()), pa.array(strings, pa.binary())


def _answer(
    root: Root, path: str, episodes: Sequence[DeclaredRows], context: TableContext
) -> _Answer:
    answer = _Answer(
        row_start=[episode.row_start for episode in episodes],
        rows=[episode.rows for episode in episodes],
        timestamp_error_s=[0.0] * len(episodes),
        gaps=[False] * len(episodes),
        tasks=[[] for _ in episodes],
        first_index=[-1] * len(episodes),
    )
    try:
        with TableFile(root, path, "columns") as file:
            schema, rows = file.footer.schema, file.footer.rows
            names = set(schema.names)
            index = file.read([name for name in SURVEYED if name in names])
            if not names.issubset(context.declared):
                answer.shapes = undeclared_shapes(file, context.declared)
    except StorageError as error:
        answer.error = str(error)
        return answer
    answer.schema, answer.file_rows = without_record(file.footer.stored), rows
    columns = dict(zip(index.column_names, map(IndexColumn, index.columns), strict=True))
    for name, column in columns.items():
        if not column.holds_numbers:
            message = f"index column '{name}' is not numeric, but {index[name].type}"
            answer.findings.append(Finding(None, "table.index-columns", message, column=name))
            return answer
    locate = _locate_single if context.one_file_per_episode else _locate_shared
    located = locate(answer, episodes, rows, columns)
    for member in _members_to_check(answer, located, episodes, columns, context.fps):
        _check_index(answer, member, columns, context.fps)
        answer.first_index[member] = _first_index(
            answer, member, episodes[member], columns, context.fps
        )
    return answer


def _locate_single(
    answer: _Answer, episodes: Sequence[DeclaredRows], rows: int, columns: dict[str, IndexColumn]
) -> list[int]:
    """Locate the only episode of a file: it has all rows."""
    answer.row_start, answer.rows = [0], [rows]
    if rows == 0:
        answer.findings.append(Finding(0, "table.empty", "its table has no rows"))
        return []
    if EPISODE_INDEX in columns:
        written = distinct(columns[EPISODE_INDEX].whole_numbers(0, rows))
        if written != [episodes[0].number]:
            message = f"its rows have the episode index {', '.join(map(str, written[:5]))}"
            action = "the number in the documents is used"
            answer.findings.append(Finding(0, "table.episode-index", message, action))
    return [0]


def _locate_shared(
    answer: _Answer, episodes: Sequence[DeclaredRows], rows: int, columns: dict[str, IndexColumn]
) -> list[int]:
    """Locate the episodes of a file by its `episode_index` column, or by the documents if it has none."""
    ranges = None
    if EPISODE_INDEX in columns:
        ranges = _row_ranges(columns[EPISODE_INDEX].whole_numbers(0, rows))
    located = []
    end = 0
    for member in sorted(range(len(episodes)), key=lambda at: (episodes[at].row_start, at)):
        episode = episodes[member]
        begin = episode.row_start
        found = (begin, begin + episode.rows) if ranges is None else ranges.get(episode.number)
        if found is None or found[0] < 0 or found[1] > rows:
            message = "its rows are not consecutive in the table"
            answer.findings.append(Finding(member, "table.episode-rows", message))
            continue
        if ranges is None and found[0] < end:
            message = "the documents give the same rows to another episode"
            answer.findings.append(Finding(member, "table.episode-rows", message))
            continue
        end = found[1]
        if found[0] != begin:
            message = f"its rows start at row {found[0]}, not at {begin}"
            answer.findings.append(
                Finding(
                    member,
                    "table.episode-rows",
                    message,
                    "the position found in the table is used",
                    amount=abs(found[0] - begin),
                )
            )
        answer.row_start[member], answer.rows[member] = found[0], found[1] - found[0]
        located.append(member)
    return located


def _row_ranges(written: Int64) -> dict[int, tuple[int, int] | None]:
    """Row range `[start, stop)` of each value; None if its rows are not consecutive."""
    if not len(written):
        return {}
    starts = np.concatenate([[0], np.flatnonzero(np.diff(written)) + 1])
    stops = np.append(starts[1:], len(written))
    ranges: dict[int, tuple[int, int] | None] = {}
    for value, start, stop in zip(
        written[starts].tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        ranges[value] = None if value in ranges else (start, stop)
    return ranges


def _check_index(
    answer: _Answer, member: int, columns: dict[str, IndexColumn], fps: Fraction
) -> None:
    """Check the index columns of an episode, and record its tasks, gaps and timestamp error."""
    start, stop = answer.row_start[member], answer.row_start[member] + answer.rows[member]
    seconds = frames = None
    if TIMESTAMP in columns:
        seconds = columns[TIMESTAMP].numbers(start, stop)
    if FRAME_INDEX in columns:
        frames = columns[FRAME_INDEX].whole_numbers(start, stop)
    counted = frames is None or np.array_equal(frames, np.arange(len(frames)))
    disorder = None if frames is not None and counted else _disorder(frames, seconds)
    if disorder:
        answer.findings.append(Finding(member, "table.row-order", disorder))
        return
    if seconds is not None:
        error_s = _timestamp_error(columns[TIMESTAMP].type, seconds, fps)
        answer.timestamp_error_s[member] = error_s
        answer.gaps[member] = _gaps_on_grid(seconds, fps, error_s)
    if not counted:
        message = "frame_index does not count 0, 1, 2, …"
        action = "renumbered when the dataset is written"
        answer.findings.append(Finding(member, "table.frame-index", message, action))
        answer.gaps[member] = True
    if TASK_INDEX in columns:
        answer.tasks[member] = distinct(columns[TASK_INDEX].whole_numbers(start, stop))


def _members_to_check(
    answer: _Answer,
    located: Sequence[int],
    episodes: Sequence[DeclaredRows],
    columns: dict[str, IndexColumn],
    fps: Fraction,
) -> list[int]:
    """The located episodes without those, usually most, whose index columns are all regular.

    Checks all rows at once, and completes the answer for the regular episodes.
    """
    if set(columns) != set(SURVEYED) or not all(
        c.is_plain and c.is_complete for c in columns.values()
    ):
        return list(located)
    members = np.array(located, dtype=np.int64)
    rows = np.array(answer.rows, dtype=np.int64)[members]
    some = (rows > 0) & (rows < _EXACT_ROWS)
    members, rows = members[some], rows[some]
    start = np.array(answer.row_start, dtype=np.int64)[members]
    number = np.array([episodes[member].number for member in members.tolist()], dtype=np.int64)
    before = np.cumsum(rows) - rows
    frame = np.arange(int(rows.sum())) - np.repeat(before, rows)
    chosen: slice | Int64 = slice(int(start[:1].sum()), int(start[:1].sum() + rows.sum()))
    if not np.array_equal(start, start[:1] + before):  # not back to back
        chosen = frame + np.repeat(start, rows)
    found = {name: column.raw[chosen] for name, column in columns.items()}
    first, task = found[INDEX][before], found[TASK_INDEX][before]
    seconds = (frame * float(fps.denominator) / fps.numerator).astype(np.float32)
    inconsistent = found[FRAME_INDEX] != frame
    inconsistent |= found[INDEX] != frame + np.repeat(first, rows)
    inconsistent |= found[EPISODE_INDEX] != np.repeat(number, rows)
    inconsistent |= found[TIMESTAMP] != seconds
    inconsistent |= found[TASK_INDEX] != np.repeat(task, rows)
    regular = np.zeros(0, dtype=np.bool_)
    if len(rows):  # reduceat needs at least one range
        regular = ~np.logical_or.reduceat(inconsistent, before)
    regular &= (np.abs(first) < _EXACT_INDEX) & (np.abs(task) < _EXACT_INDEX)
    for at in np.flatnonzero(regular).tolist():
        answer.first_index[members[at]] = int(first[at])
        answer.tasks[members[at]] = [int(task[at])]
    done = set(members[regular].tolist())
    return [member for member in located if member not in done]


def _first_index(
    answer: _Answer,
    member: int,
    episode: DeclaredRows,
    columns: dict[str, IndexColumn],
    fps: Fraction,
) -> int:
    """`index` of an episode's first row if its index columns are as roboreel would write them, else -1."""
    start, count = answer.row_start[member], answer.rows[member]
    if set(columns) != set(SURVEYED) or not all(c.is_plain for c in columns.values()) or not count:
        return -1
    found = {name: column.numbers(start, start + count) for name, column in columns.items()}
    counted = np.arange(count, dtype=np.float64)
    first = found[INDEX][0]
    seconds = (counted * fps.denominator / fps.numerator).astype(np.float32)
    whole = (
        np.array_equal(found[FRAME_INDEX], counted)
        and np.array_equal(found[INDEX], counted + first)
        and bool((found[EPISODE_INDEX] == episode.number).all())
        and np.array_equal(found[TIMESTAMP].astype(np.float32), seconds)
        and not np.isnan(found[TASK_INDEX]).any()
    )
    return int(first) if whole else -1


def _disorder(frames: Int64 | None, seconds: Floats | None) -> str | None:
    """Describe why the rows are not in frame order; None if they are."""
    if frames is not None:
        steps = np.diff(frames)
        # a constant frame_index gives no order
        if (steps <= 0).any() and steps.any():
            return "its rows are not in the order of their frame_index: sort them first"
    elif seconds is not None and (np.diff(seconds) < 0).any():
        return "its rows are not in the order of their timestamps, and there is no frame_index"
    return None


def _timestamp_error(type_: pa.DataType, seconds: Floats, fps: Fraction) -> float:
    expected: npt.NDArray[np.float64] = np.arange(len(seconds)) * fps.denominator / fps.numerator
    if pa.types.is_float32(type_):  # late in an episode its steps exceed 1e-4 s
        expected = expected.astype(np.float32).astype(np.float64)
    worst = float(np.abs(seconds - expected).max(initial=0.0))
    return worst if np.isfinite(worst) else float("inf")


def _gaps_on_grid(seconds: Floats, fps: Fraction, error_s: float) -> bool:
    """True if all timestamps are multiples of 1 / fps, but some multiples are missing.

    That is the pattern of removed rows: the timestamps of a recorder's clock are not multiples.
    """
    if not np.isfinite(seconds).all():
        return False
    if (
        error_s * float(fps) < 0.25 and len(seconds) < _EXACT_ROWS
    ):  # each timestamp's nearest multiple is its own frame's
        return False
    frames = seconds * float(fps)
    whole = np.rint(frames)
    on_grid = bool((np.abs(frames - whole) <= _ON_GRID_S * float(fps)).all())
    return on_grid and not np.array_equal(whole, np.arange(len(whole)))
