"""The std of a sample, divided by n − 1, told from that of all values."""

from __future__ import annotations

import numpy as np

from roboreel.types import Bools, Floats, Int64

_NEAR = 0.05
"""Of the distance between the two kinds of std: as near to one of them, it is that one."""


def is_sample_std(stored: Floats, true: Floats, count: Int64, alike: Bools) -> Bools:
    """(rows,) True where stored stds are those that come of dividing by n − 1.

    Args:
        stored: (rows, components).
        true: (rows, components) of the values, divided by n.
        count: (rows,) values that each was computed from.
        alike: (rows, components) True for components that need not tell: nothing changes in them, or both
            kinds are the same within rounding.
    """
    many = count.astype(np.float64)[:, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sample = true * np.sqrt(many / (many - 1))
        near = (np.abs(stored - sample) <= _NEAR * np.abs(sample - true)) & (sample > true)
        near &= np.isfinite(sample)
    return np.asarray((near | alike).all(axis=1) & near.any(axis=1))
