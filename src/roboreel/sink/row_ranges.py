"""Which rows of what a worker gives become one episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from roboreel.errors import UsageError
from roboreel.types import Int64


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """Rows of what a caller gives that become one episode."""

    start: int
    stop: int
    frames: Int64 | None
    """(rows,) the frame of each row; None: row k is frame k."""

    @property
    def count(self) -> int:
        """How many rows."""
        return self.stop - self.start

    @property
    def is_contiguous(self) -> bool:
        """True where the frames follow each other in the source without a gap."""
        return self.frames is None or bool((np.diff(self.frames) == 1).all())


def row_ranges(frames: Int64 | None, rows: int, *, stride: int, split: bool) -> list[ChosenRows]:
    """The episodes that rows become: one, or where `split`, one for each row range whose frames have no gap.

    Args:
        frames: (rows,) the frame of each row.
        rows: how many rows.
        stride: frames from row to row where there is no gap.
        split: True to split.
    """
    if frames is None or not split:
        return [ChosenRows(0, rows, frames)]
    bounds = [0, *(np.flatnonzero(np.diff(frames) != stride) + 1).tolist(), rows]
    return [ChosenRows(start, stop, frames[start:stop]) for start, stop in pairwise(bounds)]


def checked_frames(
    frames: Sequence[int] | npt.NDArray[np.integer] | None, rows: int
) -> Int64 | None:
    """The numbers of frames as an array.

    Raises:
        UsageError: they are not whole numbers that rise, one for each row.
    """
    if frames is None:
        return None
    found = np.asarray(frames)
    if found.ndim != 1 or found.dtype.kind not in "iu" or len(found) != rows:
        raise UsageError(
            f"frames must be {rows} whole numbers, one for each row, found {found.dtype}"
            f" {list(found.shape)}"
        )
    numbers = found.astype(np.int64)
    wrong = np.flatnonzero(np.diff(numbers) <= 0)
    if len(wrong) or numbers[0] < 0:
        at = int(wrong[0]) if len(wrong) else 0
        raise UsageError(
            f"frames must rise from 0 or more: at row {at} they are {found[at : at + 2]}"
        )
    return numbers
