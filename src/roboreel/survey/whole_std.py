"""Replace the impossible std of cameras' episodes by one derived from `stats.json`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError, StorageError
from roboreel.format.model import EPISODE
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import CAMERA_AXES, Stats
from roboreel.stats.impossible_std import impossible_columns, is_impossible
from roboreel.types import Bools, Floats

_SUMMED = {"mean", "std", "count"}
_SAME = 1e-6
"""Relative tolerance for equal variances, which may be float32."""


def pooled_stds(dataset: Dataset, wrong: Mapping[str, Bools]) -> dict[str, tuple[float, ...]]:
    """By camera, the std per channel that replaces impossible ones when episodes are merged.

    Merging all episodes with it gives the std in `stats.json`; merging some of them assumes the same spread
    within each episode.

    Args:
        dataset: the dataset.
        wrong: by camera, (episodes,) True where the std is impossible.

    Returns:
        Only cameras whose std in `stats.json` is consistent with their other statistics.
    """
    whole = {name: std for name, std in _possible(dataset, wrong).items() if len(std)}
    if not whole:
        return {}
    sums = {name: _Sums(len(std)) for name, std in whole.items()}
    row = {number: at for at, number in enumerate(dataset.episodes[EPISODE].to_pylist())}
    for episodes, block in dataset.stored_stats().in_blocks():
        known = np.array([row.get(number, -1) for number in episodes], dtype=np.int64)
        for name, total in sums.items():
            total.add(name, block, known >= 0)
    found = {name: total.pooled(whole[name]) for name, total in sums.items()}
    return {name: tuple(std.tolist()) for name, std in found.items() if std is not None}


def _possible(dataset: Dataset, wrong: Mapping[str, Bools]) -> dict[str, Floats]:
    """By camera, (channels,) std of the whole dataset, if it is stored and possible."""
    stored: Stats = {}
    if wrong and dataset.has_global_stats:
        try:
            stored = dataset.stats()
        except (DatasetError, StorageError):  # not needed elsewhere in a survey: no error
            return {}
    found = {}
    for name in wrong:
        parts = stored.get(name, {})
        std = parts.get("std")
        if std is None or std.ndim != CAMERA_AXES or is_impossible(parts, merged=True):
            continue
        if np.isfinite(std).all() and (std > 0).any():
            found[name] = std.reshape(-1).astype(np.float64)
    return found


class _Sums:
    """Sums over episodes of one camera, per channel, weighted by their counts."""

    def __init__(self, channels: int) -> None:
        self._count = self._wrong_count = 0.0
        self._mean, self._square = np.zeros(channels), np.zeros(channels)
        """Sums of means, and of mean squares (without the variance where the std is impossible)."""
        self._sound = True

    def add(self, name: str, block: StatsBlock, known: Bools) -> None:
        """Add the known episodes of a block."""
        columns = block.features().get(name)
        if not columns:
            return
        if not columns.keys() >= _SUMMED:
            self._sound = False
            return
        used = known & np.all([columns[key].present for key in _SUMMED], axis=0)
        mean = columns["mean"].values.reshape(block.episodes, -1)[used]
        if mean.shape[1] != len(self._mean):
            self._sound = False
            return
        std = columns["std"].values.reshape(block.episodes, -1)[used]
        weight = columns["count"].values.reshape(block.episodes, -1)[used, :1].astype(np.float64)
        impossible = impossible_columns(columns)[used]
        within = np.where(impossible[:, None], 0.0, std**2)
        self._count += float(weight.sum())
        self._wrong_count += float(weight[impossible].sum())
        self._mean += (weight * mean).sum(axis=0)
        self._square += (weight * (mean**2 + within)).sum(axis=0)

    def pooled(self, whole: Floats) -> Floats | None:
        """(channels,) the std that, used for the impossible ones, gives a total std of `whole`; or None."""
        if not self._sound or not self._wrong_count > 0:
            return None
        mean = self._mean / self._count
        known = self._square / self._count - mean**2
        left = whole**2 - known
        if (np.abs(left) <= _SAME * (whole**2 + mean**2)).all():
            return None  # the stored std was itself merged from the impossible ones
        # if the means alone spread more than the total, nothing is left to distribute: use the stored std
        share = self._count / self._wrong_count
        return np.asarray(np.sqrt(np.where(left > 0, left * share, whole**2)))
