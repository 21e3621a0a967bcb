"""Moments of a feature's components per episode, filled chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from roboreel.stats.merge import folded
from roboreel.types import Bools, Floats, Int64


@dataclass(slots=True)
class Moments:
    """Count, bounds, mean and spread of every component, in float64; rows are episodes.

    Chunks are merged by the method of Chan et al.: where they end changes the result only by rounding.
    """

    episodes: int
    width: int
    """Components of the feature, its shape flattened."""
    count: Int64 = field(init=False)
    """(episodes,) rows seen."""
    low: Floats = field(init=False)
    high: Floats = field(init=False)
    mean: Floats = field(init=False)
    spread: Floats = field(init=False)
    """(episodes, width) sum of squared distances from the mean."""
    finite: Bools = field(init=False)
    """(episodes,) False where a value is missing, NaN or infinite."""
    whole: Bools = field(init=False)
    """(episodes,) False where a value is missing or has another shape: its moments are then unknown."""

    def __post_init__(self) -> None:
        form = (self.episodes, self.width)
        self.count = np.zeros(self.episodes, dtype=np.int64)
        self.low, self.high = np.full(form, np.inf), np.full(form, -np.inf)
        self.mean, self.spread = np.zeros(form), np.zeros(form)
        self.finite, self.whole = (np.ones(self.episodes, dtype=np.bool_) for _ in range(2))

    def add(self, episodes: Int64, starts: Int64, values: Floats) -> None:
        """Add a chunk of consecutive rows.

        Args:
            episodes: (k,) the episodes with rows in the chunk, each once.
            starts: (k,) first row of each in `values`, ascending from 0.
            values: (n, width), n > 0.
        """
        rows = np.diff(np.append(starts, len(values)))
        with np.errstate(
            invalid="ignore", over="ignore"
        ):  # of NaN and infinity come NaN and infinity
            mean = np.add.reduceat(values, starts, axis=0) / rows[:, None]
            centred = values - np.repeat(mean, rows, axis=0)
            spread = np.add.reduceat(centred**2, starts, axis=0)
            self._merge(episodes, rows, mean, spread)
        low, high = (f.reduceat(values, starts, axis=0) for f in (np.minimum, np.maximum))
        self.low[episodes] = np.minimum(self.low[episodes], low)
        self.high[episodes] = np.maximum(self.high[episodes], high)
        sound = np.isfinite(values).all(axis=1)
        self.finite[episodes] &= np.logical_and.reduceat(sound, starts)

    def put(self, episodes: Int64, part: Moments) -> None:
        """Set the moments of episodes: (k,) rows, in the order of those of `part`."""
        for name in ("count", "low", "high", "mean", "spread", "finite", "whole"):
            getattr(self, name)[episodes] = getattr(part, name)

    def _merge(self, episodes: Int64, rows: Int64, mean: Floats, spread: Floats) -> None:
        before = self.count[episodes]
        share = (rows / (before + rows))[:, None]
        step = mean - self.mean[episodes]
        self.mean[episodes] += step * share
        self.spread[episodes] += spread + step**2 * share * before[:, None]
        self.count[episodes] = before + rows

    @property
    def variance(self) -> Floats:
        """(episodes, width) of the population; NaN for episodes without rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.spread / self.count[:, None])

    @property
    def usable(self) -> Bools:
        """(episodes,) True where statistics can be compared with these moments."""
        return (self.count > 0) & self.finite & self.whole

    @property
    def constant(self) -> Bools:
        """(episodes,) True where no component changes over two rows and more."""
        return (self.count > 1) & np.asarray(self.low == self.high).all(axis=1)

    def total(self) -> Moments:
        """The moments of all episodes together, as those of one."""
        merged = Moments(1, self.width)
        known = np.flatnonzero(self.count)
        if len(known):
            weight = self.count[known, None] / self.count.sum()
            merged.count[0] = self.count.sum()
            merged.low[0], merged.high[0] = self.low.min(axis=0), self.high.max(axis=0)
            with np.errstate(invalid="ignore", over="ignore"):
                merged.mean[0] = (self.mean[known] * weight).sum(axis=0)
                between = self.count[known, None] * (self.mean[known] - merged.mean[0]) ** 2
                merged.spread[0] = (self.spread[known] + between).sum(axis=0)
            merged.finite[0], merged.whole[0] = self.finite.all(), self.whole.all()
        return merged

    def folded(self, width: int) -> Moments:
        """The moments with the first dimensions read as rows: a matrix of (…, width) has `width` components.

        lerobot's v3.0 statistics of features of two and more dimensions are of that form.
        """
        parts = Moments(self.episodes, width)
        own = {"min": self.low, "max": self.high, "mean": self.mean, "std": np.sqrt(self.variance)}
        found = folded({k: v.reshape(self.episodes, -1, width) for k, v in own.items()})
        parts.count, parts.finite, parts.whole = self.count.copy(), self.finite, self.whole
        parts.low, parts.high, parts.mean = found["min"], found["max"], found["mean"]
        parts.spread = found["std"] ** 2 * self.count[:, None]
        return parts
