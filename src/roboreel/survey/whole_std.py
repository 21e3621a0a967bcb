"""What `stats.json` says of cameras whose episodes have an impossible std."""

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
"""Variances nearer to each other, beside the size of the values, are the same: they may be float32's."""


def pooled_stds(dataset: Dataset, wrong: Mapping[str, Bools]) -> dict[str, tuple[float, ...]]:
    """By camera, the std per channel that stands in for the impossible ones when episodes are merged.

    With it the merge gives the std that `stats.json` has. Of a part of the episodes it gives what the same
    spread within episodes makes of them.

    Args:
        dataset: the dataset.
        wrong: by camera, (episodes,) True where the std is impossible.

    Returns:
        Only cameras of which `stats.json` has a std that their other statistics allow.
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
    """(channels,) std of the whole dataset, where it is stored and possible."""
    stored: Stats = {}
    if wrong and dataset.has_global_stats:
        try:
            stored = dataset.stats()
        except (DatasetError, StorageError):  # a survey reads no more of this document
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
        """Of means, and of squares about zero: those of pixels, as far as the std is possible."""
        self._sound = True

    def add(self, name: str, block: StatsBlock, known: Bools) -> None:
        """Take in the episodes of a block that are known."""
        columns = block.features().get(name)
        if not columns:
            return
        if not columns.keys() >= _SUMMED:
            self._sound = False
            return
        taken = known & np.all([columns[key].present for key in _SUMMED], axis=0)
        mean = columns["mean"].values.reshape(block.episodes, -1)[taken]
        if mean.shape[1] != len(self._mean):
            self._sound = False
            return
        std = columns["std"].values.reshape(block.episodes, -1)[taken]
        weight = columns["count"].values.reshape(block.episodes, -1)[taken, :1].astype(np.float64)
        impossible = impossible_columns(columns)[taken]
        within = np.where(impossible[:, None], 0.0, std**2)
        self._count += float(weight.sum())
        self._wrong_count += float(weight[impossible].sum())
        self._mean += (weight * mean).sum(axis=0)
        self._square += (weight * (mean**2 + within)).sum(axis=0)

    def pooled(self, whole: Floats) -> Floats | None:
        """(channels,) the std of the impossible ones that makes the std of all of them `whole`."""
        if not self._sound or not self._wrong_count > 0:
            return None
        mean = self._mean / self._count
        known = self._square / self._count - mean**2
        left = whole**2 - known
        if (np.abs(left) <= _SAME * (whole**2 + mean**2)).all():
            return None  # the stored one was merged from impossible ones
        # where the episodes' means alone spread more, there is nothing to distribute: take the stored one
        share = self._count / self._wrong_count
        return np.asarray(np.sqrt(np.where(left > 0, left * share, whole**2)))
