"""Which rows and frames are taken where the frame rate changes. Needed by the compiler and by kernels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from roboreel.types import Int64


def taken_count(row_range: int, step: Fraction) -> int:
    """How many rows of the result a row range of the input gives.

    Row *k* of the result stands at the time of *k* · `step` rows of the input; it is there as long as that
    is before the end of the row range's last row.
    """
    return row_range if step == 1 else max(1, -(-row_range * step.denominator // step.numerator))


def taken_frames(count: int, row_range: int, step: Fraction) -> Int64:
    """(count,) the row of the input for each row of the result: the nearest in time, the earlier of two."""
    rows = np.arange(count, dtype=np.int64)
    return rows if step == 1 else nearest_rows(rows, row_range, step)


def nearest_rows(rows: Int64, row_range: int | Int64, step: Fraction) -> Int64:
    """(n,) the rows of the input that are nearest in time to rows of the result, the earlier of two.

    Args:
        rows: (n,) rows of the result, counted in its row range.
        row_range: how many rows the input's row range has.
        step: rows of the input for each row of the result.
    """
    nearest = -((step.denominator - 2 * rows * step.numerator) // (2 * step.denominator))
    return np.asarray(np.minimum(nearest, row_range - 1), dtype=np.int64)
