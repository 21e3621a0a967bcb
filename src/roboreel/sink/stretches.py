"""Which rows of what a worker gives become one episode."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from roboreel.errors import UsageError
from roboreel.sink.frame_source import Stretch
from roboreel.types import Int64


def stretches(frames: Int64 | None, rows: int, *, stride: int, split: bool) -> list[Stretch]:
    """The episodes that rows become: one, or where `split`, one per stretch of frames without a gap.

    Args:
        frames: (rows,) the frame of each row.
        rows: how many rows.
        stride: frames from row to row where there is no gap.
        split: True to split.
    """
    if frames is None or not split:
        return [Stretch(0, rows, frames)]
    bounds = [0, *(np.flatnonzero(np.diff(frames) != stride) + 1).tolist(), rows]
    return [Stretch(start, stop, frames[start:stop]) for start, stop in pairwise(bounds)]


def checked_frames(
    frames: Sequence[int] | npt.NDArray[np.integer] | None, rows: int, stride: int
) -> Int64 | None:
    """The numbers of frames as an array.

    Raises:
        UsageError: they are not whole numbers that rise, one for each row, or the stride is none.
    """
    if stride < 1:
        raise UsageError(f"stride is {stride}, expected 1 or more")
    if frames is None:
        return None
    found = np.asarray(frames)
    if found.ndim != 1 or found.dtype.kind not in "iu" or len(found) != rows:
        raise UsageError(
            f"frames must be {rows} whole numbers, one for each row, found {found.dtype}"
            f" {list(found.shape)}"
        )
    wrong = np.flatnonzero(np.diff(found.astype(np.int64)) <= 0)
    if len(wrong) or found[0] < 0:
        at = int(wrong[0]) if len(wrong) else 0
        raise UsageError(
            f"frames must rise from 0 or more: at row {at} they are {found[at : at + 2]}"
        )
    return found.astype(np.int64)
