"""Compare the five index columns by meaning.

A value in the second dataset is right if it equals the first one's, or is what the format prescribes:
a count from 0 (in the episode, of episodes, of all rows), k / fps, or the index of the same task text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.diffing.compare_values import shortened
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.episode_rows import plain_numbers, whole_numbers
from roboreel.diffing.side import Side
from roboreel.format.feature import EPISODE_INDEX, FRAME_INDEX, INDEX, TASK_INDEX, TIMESTAMP
from roboreel.types import Bools, Int64

COUNTED = (FRAME_INDEX, EPISODE_INDEX, INDEX)
_NEAR_S = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSlice:
    """Aligned rows of one episode on both sides."""

    episode: int
    row: int
    """First row, counted in the episode."""
    index: int
    """First row, counted over all episodes."""
    first: Mapping[str, pa.Array]
    second: Mapping[str, pa.Array]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.first.values()))) if self.first else 0


def compare_counted(span: RowSlice, numbers: tuple[int, ...], ledger: DiffLedger) -> None:
    """Compare `frame_index`, `episode_index` and `index`: equal, or counted from 0.

    Args:
        span: the rows.
        numbers: the episode's index on both sides, from the documents.
        ledger: collects the differences.
    """
    steps = np.arange(span.rows, dtype=np.int64)
    meant: dict[str, Int64] = {
        FRAME_INDEX: span.row + steps,
        EPISODE_INDEX: np.full(span.rows, numbers[1], dtype=np.int64),
        INDEX: span.index + steps,
    }
    for name in COUNTED:
        a, b = span.first.get(name), span.second.get(name)
        if b is None:
            _only_one(span, name, a, ledger)
            continue
        found = whole_numbers(b)
        before = whole_numbers(a) if a is not None else meant[name]
        kept = found == before
        if name == EPISODE_INDEX and numbers[0] != numbers[1]:
            kept &= False  # the first's number names another episode here
        wrong = (found != meant[name]) & ~kept
        at = _first(wrong)
        if at is not None:
            was = "no column" if a is None else str(before[at])
            what = f"{was} against {found[at]}, expected {meant[name][at]}"
            count = int(wrong.sum())
            ledger.add_difference(_found(span, "index", what, at, name, count))
        moved = _first(found != before)
        if at is None and moved is not None:
            what = f"{before[moved]} against {found[moved]}: renumbered"
            ledger.add_note(_found(span, "index", what, moved, name), fold="anew")
        elif at is None and a is None:
            ledger.add_note(_found(span, "index", "added in the second", None, name), fold="new")


def compare_timestamps(span: RowSlice, fps: float, *, kept: bool, ledger: DiffLedger) -> None:
    """Compare `timestamp`: equal, or k / fps if the original is nearly that or kept in another column.

    Args:
        span: the rows.
        fps: frames per second.
        kept: the second has a new column `source_timestamp`; `RowComparer` compares its values.
        ledger: collects the differences.
    """
    a, b = span.first.get(TIMESTAMP), span.second.get(TIMESTAMP)
    if b is None:
        _only_one(span, TIMESTAMP, a, ledger)
        return
    found = plain_numbers(b)
    meant = (span.row + np.arange(span.rows)) / fps
    held = found.dtype if found.dtype.kind == "f" else np.dtype(np.float64)
    with np.errstate(invalid="ignore"):
        regular = np.abs(found.astype(np.float64) - meant) <= np.spacing(meant.astype(held))
    if a is None:
        before: npt.NDArray[np.generic] = meant
        same = regular
    else:
        before = plain_numbers(a)
        same = _equal(before, found)
    wrong = ~regular & ~same
    with np.errstate(invalid="ignore"):
        near = np.abs(before.astype(np.float64) - meant) <= _NEAR_S
    lost = regular & ~same & ~near & (not kept)
    at = _first(wrong | lost)
    if at is not None:
        why = (
            f"where {meant[at]:.9g} is k / fps"
            if wrong[at]
            else "and the times of the first are not kept"
        )
        what = f"{before[at]} against {found[at]}, {why}"
        count = int((wrong | lost).sum())
        ledger.add_difference(_found(span, "timestamps", what, at, TIMESTAMP, count))
        return
    moved = _first(~same)
    if moved is not None:
        what = f"{before[moved]} against {found[moved]}: k / fps in the second"
        what += ", the times of the first are kept in a column of their own" if kept else ""
        ledger.add_note(_found(span, "timestamps", what, moved, TIMESTAMP, int((~same).sum())))
    elif a is None:
        ledger.add_note(_found(span, "timestamps", "added in the second", None, TIMESTAMP))


class RowTasks:
    """Compares the task of every row, as text."""

    def __init__(self, first: Side, second: Side, ledger: DiffLedger) -> None:
        self._sides, self._ledger = (first, second), ledger
        self._learned: tuple[dict[int, str | None], dict[int, str | None]] = ({}, {})
        self._lists = [
            dict(side.dataset.tasks) if side.dataset.model.has_task_list else None
            for side in self._sides
        ]
        self.strings: dict[str, None] = {}
        """Task texts of the first dataset's rows since `start`, in order of appearance."""

    def start(self) -> None:
        """Begin an episode."""
        self.strings = {}

    def compare(self, span: RowSlice) -> None:
        """Compare some rows of the episode."""
        columns = [
            whole_numbers(part[TASK_INDEX]) if TASK_INDEX in part else np.full(span.rows, -1)
            for part in (span.first, span.second)
        ]
        there = [TASK_INDEX in part for part in (span.first, span.second)]
        pairs, first_at, counts = np.unique(
            np.stack(columns, axis=1), axis=0, return_index=True, return_counts=True
        )
        for at in np.argsort(first_at).tolist():
            indexes = [int(pairs[at][0]), int(pairs[at][1])]
            row, count = int(first_at[at]), int(counts[at])
            self._pair(span, indexes, there, row, count)
        if there[1] and not there[0] and span.row == 0:
            found = _found(span, "row-tasks", "added in the second", None, TASK_INDEX)
            self._ledger.add_note(found, fold="new")

    def _pair(
        self, span: RowSlice, indexes: list[int], there: list[bool], row: int, count: int
    ) -> None:
        strings = [self._text(side, span.episode, indexes[side], there[side]) for side in (0, 1)]
        for side in (0, 1):
            if self._lists[side] is None and there[side]:
                strings[side] = self._learn(side, span.episode, indexes[side], strings[1 - side])
        if strings[0] is not None:
            self.strings[strings[0]] = None
        if None in strings or strings[0] != strings[1]:
            shown = [
                shortened(text) if text is not None else f"no task (index {index})"
                for text, index in zip(strings, indexes, strict=True)
            ]
            what = f"{shown[0]} against {shown[1]}"
            self._ledger.add_difference(_found(span, "row-tasks", what, row, TASK_INDEX, count))

    def _text(self, side: int, episode: int, index: int, there: bool) -> str | None:
        if not there:
            return next(iter(self._listed(side, episode)), None)
        listed = self._lists[side]
        return None if listed is None else listed.get(index)

    def _listed(self, side: int, pair: int) -> list[str]:
        one = self._sides[side]
        return one.listed_tasks[one.positions[pair]]

    def _learn(self, side: int, episode: int, index: int, text: str | None) -> str | None:
        """Text of a task index without a task list: the other side's text when the index was first seen."""
        listed = self._listed(side, episode)
        if text is None and len(listed) == 1:
            text = listed[0]
        if text is not None and listed and text not in listed:
            return None
        return self._learned[side].setdefault(index, text)


def _only_one(span: RowSlice, name: str, a: pa.Array | None, ledger: DiffLedger) -> None:
    if a is not None:
        ledger.add_difference(_found(span, "index", "only the first has this column", None, name))


def _equal(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> Bools:
    """(n,) True where two arrays of numbers are equal; NaN equals NaN."""
    return np.asarray((a == b) | ((a != a) & (b != b)), dtype=np.bool_)


def _first(flags: Bools) -> int | None:
    return int(flags.argmax()) if flags.any() else None


def _found(
    span: RowSlice,
    kind: str,
    what: str,
    at: int | None,
    column: str,
    count: int = 1,
) -> Difference:
    return Difference(
        kind=kind,  # type: ignore[arg-type]
        what=what,
        episode=span.episode,
        row=None if at is None else span.row + at,
        column=column,
        count=count,
    )
