"""The std of a camera that its other statistics rule out, as a known bug of a released writer leaves it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreel.stats.block import StatsColumn
from roboreel.stats.feature_stats import FeatureStats
from roboreel.types import Bools, Floats

_NEEDED = ("min", "max", "mean", "std")
_WRAPPED_MAX = 249.0
"""The largest square of a whole number modulo 256."""
_MARGIN = 0.5
"""Quantiles are read off a histogram: the std must be this far below its floor to be called impossible."""
_STEP = 1 / 255
_ZERO = 1e-9
_TAILS = (("q01", "q99", 0.01), ("q10", "q90", 0.10), ("q50", "q50", 0.50))


def impossible_std(values: Mapping[str, Floats], *, merged: bool = False) -> Bools:
    """(rows,) True where a camera's std can only come from squares that wrapped at 256.

    lerobot 0.4.0 to 0.5.1 computes `std = sqrt(max(0, E[x² mod 256] − E[x]²))` of 8-bit pixels. No square
    modulo 256 is above 249, so that the stored std obeys `std² + mean² ≤ 249 / 255²`, or is 0 where the mean
    alone is larger (above 0.062: all but nearly black images). Real images can obey this too where they are
    dark or of one colour, so the std must also be below what the other statistics allow:

    - by quantiles: a tenth of all pixels is at or below q10, another tenth at or above q90, hence
      `std² ≥ 0.1 (mean − q10)² + 0.1 (q90 − mean)²`; likewise with a hundredth and q01, q99, a half and q50;
    - without quantiles: only a std of 0 with a max above the min is known to be impossible.

    Measured on datasets of lerobot 0.3.3 to 0.6.1 and of others, the two kinds lie far apart: sound stds are
    1.37 to 2.15 times that floor, those of 0.4.4 are 0 in each episode and 0.06 to 0.1 times it as a whole.

    Args:
        values: (rows, channels) by statistic; NaN where a row has none.
        merged: each row was merged from episodes: its std is then what their means differ by, and only the
            second bound holds. A count-weighted mean of quantiles bounds the std too, by Jensen's inequality.
    """
    if not all(key in values for key in _NEEDED):
        rows = len(next(iter(values.values()), ()))
        return np.zeros(rows, dtype=np.bool_)
    mean, std = values["mean"], values["std"]
    with np.errstate(invalid="ignore", over="ignore"):
        floor = _floor(values)
        zero = (std <= _ZERO) & (values["max"] - values["min"] > _STEP)
        wrapped = (std <= _ZERO) | (std**2 + mean**2 <= _WRAPPED_MAX / 255**2)
        below = (std < _MARGIN * floor) & (wrapped | merged)
        possible = (std >= 0).all(axis=1)  # no root is negative: that is nobody's rounding
        return np.asarray(possible & (zero | below).any(axis=1))


def missing_std(values: Mapping[str, Floats]) -> Floats:
    """(rows,) how far a camera's std is below the smallest that its other statistics allow.

    Args:
        values: (rows, channels) by statistic, mean and std among them; NaN where a row has none.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.nan_to_num(_floor(values) - values["std"], nan=0).max(axis=1))


def may_be_impossible(std: float) -> bool:
    """False where the std of a channel is too large to come from wrapped squares: most are."""
    return std * std <= _WRAPPED_MAX / 255**2


def impossible_columns(columns: Mapping[str, StatsColumn]) -> Bools:
    """(episodes,) True where the std of one camera is impossible, as `impossible_std` tells it.

    Args:
        columns: the camera's statistics in a block of episodes, by statistic.
    """
    known = {
        key: np.where(
            column.present[:, None], column.values.reshape(len(column.values), -1), np.nan
        )
        for key, column in columns.items()
        if key != "count"
    }
    return impossible_std(known)


def is_impossible(stats: FeatureStats, *, merged: bool = False) -> bool:
    """True where a camera's std is impossible beside its own other statistics."""
    shapes = {value.shape for key, value in stats.items() if key != "count"}
    if len(shapes) != 1:
        return False
    rows = {key: value.reshape(1, -1) for key, value in stats.items() if key != "count"}
    return bool(impossible_std(rows, merged=merged).any())  # type: ignore[arg-type]


def _floor(values: Mapping[str, Floats]) -> Floats:
    """(rows, channels) the smallest std that mean and quantiles allow; 0 where there are none."""
    mean = values["mean"]
    least = np.zeros_like(mean)
    for low, high, share in _TAILS:
        if low in values and high in values:
            below = np.maximum(mean - values[low], 0) ** 2
            above = np.maximum(values[high] - mean, 0) ** 2
            bound = share * (np.maximum(below, above) if low == high else below + above)
            least = np.fmax(least, bound)
    return np.asarray(np.sqrt(least))
