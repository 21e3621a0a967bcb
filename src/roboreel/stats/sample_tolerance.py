"""How far the statistics of a camera may be from those of a sample of its frames."""

from __future__ import annotations

import numpy as np

from roboreel.stats.feature_stats import Array
from roboreel.types import Bools

_MEAN_OFF, _STD_OFF, _STD_LEAST = 0.1, 2.0, 0.02
"""Differences that no choice of sample explains, of values from 0 to 1: of means, the ratio of two stds, and
the least std for which that ratio counts."""


def of_other_frames(mean: Array, std: Array, sample_mean: Array, sample_std: Array) -> Bools:
    """(channels,) True where statistics cannot describe the frames that a sample is from.

    Bounds are not compared: a few pixels of other frames change them.

    Args:
        mean: (channels,) the stored mean.
        std: (channels,) the stored std.
        sample_mean: (channels,) the mean of the sample.
        sample_std: (channels,) its std.
    """
    larger, smaller = np.maximum(std, sample_std), np.minimum(std, sample_std)
    off = np.abs(mean - sample_mean) > _MEAN_OFF
    return np.asarray(off | ((larger > _STD_OFF * smaller) & (larger > _STD_LEAST)))
