"""Read one trajectory of a Data-Juicer sample: states, actions, and which extracted frame each row shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from roboreel.sink.data_juicer_values import is_empty
from roboreel.types import Bools, Int64

Float32: TypeAlias = npt.NDArray[np.float32]


class UnusableEpisodeError(Exception):
    """Why an episode of a sample cannot be exported. It becomes a line of the skip report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """The rows of an episode."""

    states: Float32
    """(rows, …) as given: nothing assumes eight values."""
    actions: Float32
    """(rows, …) as given; nothing assumes seven values."""
    padded: Bools
    """(rows,) True for a last action that was missing, and repeats the one before it."""
    frame_ids: Int64
    """(rows,) number of the extracted frame that each row belongs to, ascending; gaps are normal."""

    def rows_where(self, keep: Bools) -> Trajectory:
        """The rows for which (rows,) `keep` is true."""
        return Trajectory(
            states=self.states[keep],
            actions=self.actions[keep],
            padded=self.padded[keep],
            frame_ids=self.frame_ids[keep],
        )


def trajectory_of(
    entry: Mapping[str, Any], *, start: int = 0, stop: int | None = None
) -> Trajectory:
    """The trajectory in a dict of `states`, `actions` and, where known, `valid_frame_ids`.

    Args:
        entry: a hand, a legacy flat dict, or a segment.
        start: the first frame, where there are no ids: row k then belongs to frame start + k.
        stop: the frame after the last one, if known; without ids there must be a row for each frame.

    Raises:
        UnusableEpisodeError: the values are no table of finite numbers, lists differ in length, or ids do
            not ascend.
    """
    states = _matrix(entry.get("states"), "states")
    rows = len(states)
    if rows < 2:
        raise UnusableEpisodeError("it has one state, but an episode needs two")
    given = entry.get("actions")
    if is_empty(given):
        raise UnusableEpisodeError(f"it has {rows} states and no actions")
    actions, padded = _one_per_state(_matrix(given, "actions"), rows)
    ids = _frame_ids(entry.get("valid_frame_ids"), rows, start=start, stop=stop)
    return Trajectory(states=states, actions=actions, padded=padded, frame_ids=ids)


def _matrix(values: Any, what: str) -> Float32:
    """(rows, …) float32; plain numbers become rows of one value."""
    if isinstance(values, (str, bytes, Mapping)):
        raise UnusableEpisodeError(f"its {what} are not rows of numbers: {type(values).__name__}")
    try:
        # row by row: from NumPy batches, a list of rows comes as an array of arrays
        rows = [np.asarray(row, dtype=np.float64) for row in values]
        with np.errstate(over="ignore"):  # what is too large is infinite, and refused below
            matrix = np.stack(rows).astype(np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnusableEpisodeError(
            f"its {what} are not rows of numbers of one size ({error})"
        ) from None
    if matrix[0].size == 0:
        raise UnusableEpisodeError(f"its {what} have no values")
    sound = np.isfinite(matrix.reshape(len(matrix), -1)).all(axis=1)
    if not sound.all():
        row = int(np.argmin(sound))
        raise UnusableEpisodeError(f"row {row} of its {what} has a value that is NaN or infinite")
    return matrix if matrix.ndim > 1 else matrix[:, None]


def _one_per_state(actions: Float32, rows: int) -> tuple[Float32, Bools]:
    """As many actions as states: a trajectory of T states often has T-1, and its last one is repeated."""
    padded = np.zeros(rows, dtype=np.bool_)
    if len(actions) == rows - 1:
        padded[-1] = True
        return np.concatenate([actions, actions[-1:]]), padded
    if len(actions) != rows:
        raise UnusableEpisodeError(
            f"it has {rows} states and {len(actions)} actions: expected {rows}, or {rows - 1} where"
            " the last state has none"
        )
    return actions, padded


def _frame_ids(values: Any, rows: int, *, start: int, stop: int | None) -> Int64:
    if is_empty(values):
        if stop is not None and stop - start != rows:
            raise UnusableEpisodeError(
                f"it has {rows} states for the {stop - start} frames from {start} to {stop - 1}, and"
                " no valid_frame_ids"
            )
        return start + np.arange(rows, dtype=np.int64)
    try:
        numbers = np.asarray(list(values), dtype=np.float64)
        with np.errstate(invalid="ignore"):  # of what is no whole number, which is refused below
            ids = numbers.astype(np.int64)
    except (TypeError, ValueError, OverflowError):
        numbers, ids = np.array([np.nan]), np.array([0])
    if not np.array_equal(ids, numbers):
        raise UnusableEpisodeError("its valid_frame_ids are not whole numbers")
    if ids.shape != (rows,):
        raise UnusableEpisodeError(f"it has {rows} states and {len(ids)} valid_frame_ids")
    if ids[0] < 0 or (np.diff(ids) <= 0).any():
        raise UnusableEpisodeError("its valid_frame_ids do not ascend from 0 or more")
    return ids
