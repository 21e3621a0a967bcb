"""Statistics that a released writer is known to get wrong, told by the numbers alone."""

from __future__ import annotations

import numpy as np

from roboreel.dataset.check.stored import StoredFeature, StoredStats
from roboreel.dataset.dataset import Dataset
from roboreel.format.inventory import Bools, Floats
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems

_WRAPPED_MAX = 249.0
"""The largest square of a whole number modulo 256."""
_MARGIN = 0.5
"""Quantiles are read off a histogram: the std must be this far below its floor to be called impossible."""
_STEP = 1 / 255
_TAILS = (("q01", "q99", 0.01), ("q10", "q90", 0.10), ("q50", "q50", 0.50))


def check_camera_std(dataset: Dataset, stored: StoredStats, problems: Problems) -> None:
    """Name the std of cameras that lerobot 0.4.0 to 0.5.1 computed (huggingface/lerobot#3682)."""
    numbers = dataset.episodes[EPISODE].to_pylist()
    for name, feature in dataset.features.items():
        if not feature.is_camera or feature.is_depth:
            continue
        wrong = False
        episodes = stored.episodes.get(name)
        if episodes is not None:
            for row in np.flatnonzero(overflowed(episodes)).tolist():
                wrong = True
                message = f"its std is {_text(episodes, row)}, which its other statistics rule out"
                _note(problems, message, name, numbers[row])
        whole = stored.whole.get(name)
        if whole is not None and (wrong or overflowed(whole, parts=True).any()):
            message = f"the std of the whole dataset is {_text(whole, 0)}, made of impossible ones"
            _note(problems, message, name, None)


def _note(problems: Problems, message: str, camera: str, episode: int | None) -> None:
    action = "compute it anew before training: lerobot 0.4.0 to 0.5.1 wraps 8-bit squares"
    problems.error("stats.camera-overflow", message, episode=episode, column=camera, action=action)


def overflowed(feature: StoredFeature, *, parts: bool = False) -> Bools:
    """(rows,) True where a camera's std can only come from squares that wrapped at 256.

    These releases compute `std = sqrt(max(0, E[x² mod 256] − E[x]²))` of 8-bit pixels. No square modulo 256
    is above 249, so that the stored std obeys `std² + mean² ≤ 249 / 255²`, or is 0 where the mean alone is
    larger (above 0.062: all but nearly black pictures). Real pictures can obey this too where they are dark
    or of one colour, so the std must also be below what the other statistics allow:

    - by quantiles: a tenth of all pixels is at or below q10, another tenth at or above q90, hence
      `std² ≥ 0.1 (mean − q10)² + 0.1 (q90 − mean)²`; likewise with a hundredth and q01, q99, a half and q50;
    - without quantiles: only a std of 0 with a max above the min is known to be impossible.

    Measured on datasets of lerobot 0.3.3 to 0.6.1 and of others, the two kinds lie far apart: sound stds are
    1.37 to 2.15 times that floor, those of 0.4.4 are 0 in each episode and 0.06 to 0.1 times it as a whole.

    Args:
        feature: stored statistics.
        parts: the row was merged of episodes: its std is then what their means differ by, and only the
            second bound holds. A count-weighted mean of quantiles bounds the std too, by Jensen's inequality.
    """
    values = feature.values
    if not {"min", "max", "mean", "std"} <= values.keys():
        return np.zeros(len(feature.have), dtype=np.bool_)
    mean, std = values["mean"], values["std"]
    floor = _floor(feature)
    with np.errstate(invalid="ignore"):
        zero = (std <= 1e-9) & (values["max"] - values["min"] > _STEP)
        wrapped = (std <= 1e-9) | (std**2 + mean**2 <= _WRAPPED_MAX / 255**2)
        below = (std < _MARGIN * floor) & (wrapped | parts)
        possible = (std >= 0).all(axis=1)  # no root is negative: that is nobody's rounding
        return np.asarray(feature.have & possible & (zero | below).any(axis=1))


def _floor(feature: StoredFeature) -> Floats:
    """(rows, channels) the least std that mean and quantiles allow; 0 where there are none."""
    values = feature.values
    mean = values["mean"]
    least = np.zeros_like(mean)
    for low, high, share in _TAILS:
        if low in values and high in values:
            below = np.maximum(mean - values[low], 0) ** 2
            above = np.maximum(values[high] - mean, 0) ** 2
            bound = share * (np.maximum(below, above) if low == high else below + above)
            least = np.fmax(least, bound)
    return np.asarray(np.sqrt(least))


def _text(feature: StoredFeature, row: int) -> str:
    return ", ".join(f"{value:.3g}" for value in feature.values["std"][row].tolist())
