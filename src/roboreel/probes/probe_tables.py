"""What one table file says: its schema, and the index columns of the episodes placed in it."""

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
from roboreel.probes.index_columns import IndexColumn, distinct
from roboreel.probes.list_shapes import undeclared_shapes
from roboreel.probes.probe_request import Finding, ProbeRequest, as_text, findings_text
from roboreel.storage.root import Root
from roboreel.storage.tables import TableFile
from roboreel.types import Floats, Int64

SURVEYED = (TIMESTAMP, FRAME_INDEX, EPISODE_INDEX, INDEX, TASK_INDEX)
_ON_GRID_S = 1e-4
_EXACT_ROWS = 1 << 20
"""Up to here, rounding seconds to float32 moves none by as much as a quarter of a frame."""
_EXACT_INDEX = 1 << 52
"""Up to here whole numbers are exact as floats, and so are sums of them and of numbers of rows."""
_INTEGERS = pa.list_(pa.int64())


class AboutTables(NamedTuple):
    """What the answers of all table files hang on."""

    alone: bool
    """True where each episode has a file of its own."""
    fps: Fraction
    declared: tuple[str, ...]
    """Names of the features that the documents declare."""


class AskedRows(NamedTuple):
    """An episode that the documents place in a table file; columns of `Questions.episodes`."""

    number: int
    row_start: int
    rows: int


@dataclass(slots=True)
class _Answer:
    """What a file says; lists are aligned with the episodes asked about."""

    row_start: list[int]
    rows: list[int]
    timestamp_error_s: list[float]
    gaps: list[bool]
    tasks: list[list[int]]
    first_index: list[int]
    """`index` of the first row where all index columns are as they would be written, else -1."""
    file_rows: int = 0
    error: str | None = None
    schema: pa.Schema | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    probe_findings: list[Finding] = field(default_factory=list)


def probe_tables(root: Root, request: ProbeRequest) -> pa.Table:
    """Answers, a row per table file: see `_columns`."""
    about = AboutTables(*request.about)  # type: ignore[arg-type]
    answers = []
    for position, path in enumerate(request.paths):
        asked = [AskedRows(*numbers) for numbers in request.of_file(position).tolist()]
        answers.append(_answer(root, path, asked, about))
    return _columns(answers)


def _columns(answers: Sequence[_Answer]) -> pa.Table:
    codes, schemas = _distinct([answer.schema for answer in answers])
    shapes = [as_text(answer.shapes) if answer.shapes else None for answer in answers]
    errors = [None if answer.error is None else as_text(answer.error) for answer in answers]
    return pa.table(
        {
            "error": pa.array(errors, pa.string()),
            "remarks": pa.array([findings_text(a.probe_findings) for a in answers], pa.string()),
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
    """Codes, and the distinct schemas that they stand for, serialized; most files have the same."""
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


def _answer(root: Root, path: str, asked: Sequence[AskedRows], about: AboutTables) -> _Answer:
    answer = _Answer(
        row_start=[episode.row_start for episode in asked],
        rows=[episode.rows for episode in asked],
        timestamp_error_s=[0.0] * len(asked),
        gaps=[False] * len(asked),
        tasks=[[] for _ in asked],
        first_index=[-1] * len(asked),
    )
    try:
        with TableFile(root, path, "columns") as file:
            schema, rows = file.footer.schema, file.footer.rows
            names = set(schema.names)
            index = file.read([name for name in SURVEYED if name in names])
            if not names.issubset(about.declared):
                answer.shapes = undeclared_shapes(file, about.declared)
    except StorageError as error:
        answer.error = str(error)
        return answer
    answer.schema, answer.file_rows = file.footer.stored, rows
    columns = dict(zip(index.column_names, map(IndexColumn, index.columns), strict=True))
    for name, column in columns.items():
        if not column.holds_numbers:
            message = f"index column '{name}' holds {index[name].type}, not numbers"
            answer.probe_findings.append(Finding(None, "table.index-columns", message, column=name))
            return answer
    locate = _locate_alone if about.alone else _locate_shared
    located = locate(answer, asked, rows, columns)
    for member in _unsettled(answer, located, asked, columns, about.fps):
        _check_index(answer, member, columns, about.fps)
        answer.first_index[member] = _first_index(answer, member, asked[member], columns, about.fps)
    return answer


def _locate_alone(
    answer: _Answer, asked: Sequence[AskedRows], rows: int, columns: dict[str, IndexColumn]
) -> list[int]:
    """A file with one episode: its rows are the file's."""
    answer.row_start, answer.rows = [0], [rows]
    if rows == 0:
        answer.probe_findings.append(Finding(0, "table.empty", "its table has no row"))
        return []
    if EPISODE_INDEX in columns:
        written = distinct(columns[EPISODE_INDEX].whole_numbers(0, rows))
        if written != [asked[0].number]:
            message = f"its rows say that they are of episode {', '.join(map(str, written[:5]))}"
            action = "the number in the documents is used"
            answer.probe_findings.append(Finding(0, "table.episode-index", message, action))
    return [0]


def _locate_shared(
    answer: _Answer, asked: Sequence[AskedRows], rows: int, columns: dict[str, IndexColumn]
) -> list[int]:
    """A file with many episodes: their rows are where its own `episode_index` says."""
    places = None
    if EPISODE_INDEX in columns:
        places = _runs(columns[EPISODE_INDEX].whole_numbers(0, rows))
    located = []
    taken = 0
    for member in sorted(range(len(asked)), key=lambda at: (asked[at].row_start, at)):
        episode = asked[member]
        begin = episode.row_start
        place = (begin, begin + episode.rows) if places is None else places.get(episode.number)
        if place is None or place[0] < 0 or place[1] > rows:
            message = "the table holds no unbroken run of rows with its episode_index"
            answer.probe_findings.append(Finding(member, "table.episode-rows", message))
            continue
        if places is None and place[0] < taken:
            message = "its rows are those of another episode too, by the documents"
            answer.probe_findings.append(Finding(member, "table.episode-rows", message))
            continue
        taken = place[1]
        if place[0] != begin:
            message = f"its rows begin at {place[0]}, not at {begin}"
            answer.probe_findings.append(
                Finding(
                    member,
                    "table.episode-rows",
                    message,
                    "the rows of the table are used",
                    amount=abs(place[0] - begin),
                )
            )
        answer.row_start[member], answer.rows[member] = place[0], place[1] - place[0]
        located.append(member)
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
    answer: _Answer, member: int, columns: dict[str, IndexColumn], fps: Fraction
) -> None:
    """What the index columns of an episode's rows say."""
    start, stop = answer.row_start[member], answer.row_start[member] + answer.rows[member]
    seconds = frames = None
    if TIMESTAMP in columns:
        seconds = columns[TIMESTAMP].numbers(start, stop)
    if FRAME_INDEX in columns:
        frames = columns[FRAME_INDEX].whole_numbers(start, stop)
    counted = frames is None or np.array_equal(frames, np.arange(len(frames)))
    disorder = None if frames is not None and counted else _disorder(frames, seconds)
    if disorder:
        answer.probe_findings.append(Finding(member, "table.row-order", disorder))
        return
    if seconds is not None:
        error_s = _timestamp_error(columns[TIMESTAMP].type, seconds, fps)
        answer.timestamp_error_s[member] = error_s
        answer.gaps[member] = _gaps_on_grid(seconds, fps, error_s)
    if not counted:
        message = "frame_index does not count 0, 1, 2, …"
        action = "commands that write count it 0, 1, 2, …"
        answer.probe_findings.append(Finding(member, "table.frame-index", message, action))
        answer.gaps[member] = True
    if TASK_INDEX in columns:
        answer.tasks[member] = distinct(columns[TASK_INDEX].whole_numbers(start, stop))


def _unsettled(
    answer: _Answer,
    located: Sequence[int],
    asked: Sequence[AskedRows],
    columns: dict[str, IndexColumn],
    fps: Fraction,
) -> list[int]:
    """The episodes of which something is to be said: all but those, as most, of which nothing is odd.

    Of the others the answer is complete: all of their index columns are as they would be written.
    """
    if set(columns) != set(SURVEYED) or not all(
        c.is_plain and c.is_whole for c in columns.values()
    ):
        return list(located)
    members = np.array(located, dtype=np.int64)
    rows = np.array(answer.rows, dtype=np.int64)[members]
    some = (rows > 0) & (rows < _EXACT_ROWS)
    members, rows = members[some], rows[some]
    start = np.array(answer.row_start, dtype=np.int64)[members]
    number = np.array([asked[member].number for member in members.tolist()], dtype=np.int64)
    before = np.cumsum(rows) - rows
    frame = np.arange(int(rows.sum())) - np.repeat(before, rows)
    place: slice | Int64 = slice(int(start[:1].sum()), int(start[:1].sum() + rows.sum()))
    if not np.array_equal(start, start[:1] + before):  # they do not follow one another
        place = frame + np.repeat(start, rows)
    found = {name: column.raw[place] for name, column in columns.items()}
    first, task = found[INDEX][before], found[TASK_INDEX][before]
    seconds = (frame * float(fps.denominator) / fps.numerator).astype(np.float32)
    inconsistent = found[FRAME_INDEX] != frame
    inconsistent |= found[INDEX] != frame + np.repeat(first, rows)
    inconsistent |= found[EPISODE_INDEX] != np.repeat(number, rows)
    inconsistent |= found[TIMESTAMP] != seconds
    inconsistent |= found[TASK_INDEX] != np.repeat(task, rows)
    resolved = (
        np.logical_or.reduceat(inconsistent, before) == 0
        if len(rows)
        else np.zeros(0, dtype=np.bool_)
    )
    resolved &= (np.abs(first) < _EXACT_INDEX) & (np.abs(task) < _EXACT_INDEX)
    for at in np.flatnonzero(resolved).tolist():
        answer.first_index[members[at]] = int(first[at])
        answer.tasks[members[at]] = [int(task[at])]
    done = set(members[resolved].tolist())
    return [member for member in located if member not in done]


def _first_index(
    answer: _Answer,
    member: int,
    episode: AskedRows,
    columns: dict[str, IndexColumn],
    fps: Fraction,
) -> int:
    """`index` of an episode's first row where its index columns are as they would be written, else -1."""
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
    """Why the rows are not in the order of their frames, or None."""
    if frames is not None:
        steps = np.diff(frames)
        # the same number throughout says nothing of an order
        if (steps <= 0).any() and steps.any():
            return "its rows are not in the order of their frame_index: sort them first"
    elif seconds is not None and (np.diff(seconds) < 0).any():
        return "its rows are not in the order of their timestamps, and have no frame_index"
    return None


def _timestamp_error(type_: pa.DataType, seconds: Floats, fps: Fraction) -> float:
    expected: npt.NDArray[np.float64] = np.arange(len(seconds)) * fps.denominator / fps.numerator
    if pa.types.is_float32(type_):  # late in an episode its steps exceed 1e-4 s
        expected = expected.astype(np.float32).astype(np.float64)
    worst = float(np.abs(seconds - expected).max(initial=0.0))
    return worst if np.isfinite(worst) else float("inf")


def _gaps_on_grid(seconds: Floats, fps: Fraction, error_s: float) -> bool:
    """True where all timestamps are multiples of 1 / fps, but some multiples are left out.

    Such are the timestamps of rows of which some were removed; a recorder's clock gives no multiples.
    """
    if not np.isfinite(seconds).all():
        return False
    if (
        error_s * float(fps) < 0.25 and len(seconds) < _EXACT_ROWS
    ):  # the nearest multiple is its own
        return False
    frames = seconds * float(fps)
    whole = np.rint(frames)
    on_grid = bool((np.abs(frames - whole) <= _ON_GRID_S * float(fps)).all())
    return on_grid and not np.array_equal(whole, np.arange(len(whole)))
