"""Quantiles of more numbers than are held at once: exact up to a budget, beyond it from a sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from roboreel.format.inventory import Bools, Floats, Int64

BUDGET_BYTES = 64 << 20
"""What the numbers of one feature may take before they are counted in buckets: 8 million float64."""
_MANTISSA_BITS = 12
SKETCH_ERROR = 2.0 ** -(_MANTISSA_BITS + 1)
"""How far a sketched quantile may be from the exact one, as a part of the larger of the two numbers between
which the exact one is interpolated: 0.012 %."""
_SHIFT = 52 - _MANTISSA_BITS
_FEWEST = 1 << 18
"""Numbers are merged into the buckets that many at a time, at least."""


@dataclass(slots=True)
class Quantiles:
    """The numbers of a feature with `width` components, for quantiles of all of them together.

    As long as the numbers fit the budget they are kept, and quantiles are numpy's linear ones. Beyond it each
    component is a histogram: a bucket has all numbers of one sign, exponent and leading 12 bits of the
    mantissa, so that its middle is within `SKETCH_ERROR` of each, relatively; zero is a bucket of its own
    (with what is below 1e-300 in size), and nothing leaves the bounds. Merging adds counts: what comes out
    depends on neither order nor grouping. The error is stated of the size of the numbers: beside a small
    spread far from zero it is large.
    """

    width: int
    budget_bytes: int = BUDGET_BYTES
    rows: int = 0
    _kept: list[Floats] = field(default_factory=list, repr=False)
    """(n, width) numbers, while they fit."""
    _buckets: list[_Buckets] | None = field(default=None, repr=False)

    @property
    def exact(self) -> bool:
        """True where quantiles are numpy's."""
        return self._buckets is None

    def add(self, values: Floats) -> None:
        """Take in (n, width) numbers."""
        self.rows += len(values)
        self._kept.append(values)
        fits = self.rows * self.width * 8 <= self.budget_bytes
        if self._buckets is None and not fits:
            self._buckets = [_Buckets() for _ in range(self.width)]
        if self._buckets is not None and sum(map(len, self._kept)) >= _FEWEST:
            self._count()

    def merge(self, other: Quantiles) -> None:
        """Take in all that another has taken in."""
        if other._buckets is not None and self._buckets is None:
            self._buckets = [_Buckets() for _ in range(self.width)]
        if other._buckets is not None and self._buckets is not None:
            for own, found in zip(self._buckets, other._buckets, strict=True):
                own.merge(found)
        self.rows += other.rows - sum(map(len, other._kept))
        for values in other._kept:
            self.add(values)
        if self._buckets is None and self.rows * self.width * 8 > self.budget_bytes:
            self._buckets = [_Buckets() for _ in range(self.width)]

    def of(self, shares: Sequence[float], *, ranked: bool = False) -> Floats:
        """(shares, width) the quantiles; NaN where a component has one, or there are no rows.

        Args:
            shares: which, from 0 to 1.
            ranked: take the number at the rank ⌈share·n⌉ instead of interpolating.
        """
        if not self.rows:
            return np.full((len(shares), self.width), np.nan)
        if self._buckets is None:
            method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if ranked else "linear"
            with np.errstate(invalid="ignore"):
                return np.asarray(
                    np.quantile(np.concatenate(self._kept), shares, axis=0, method=method)
                )
        self._count()
        return np.stack([one.quantiles(shares, ranked=ranked) for one in self._buckets], axis=1)

    def _count(self) -> None:
        if self._kept and self._buckets is not None:
            values = np.concatenate(self._kept)
            self._kept = []
            for at, buckets in enumerate(self._buckets):
                buckets.add(values[:, at])


@dataclass(slots=True)
class _Buckets:
    """How many numbers of one component fall into each bucket."""

    keys: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Ascending, as the numbers are."""
    counts: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    low: float = np.inf
    high: float = -np.inf
    lacking: bool = False
    """True where a number is NaN."""

    def add(self, values: Floats) -> None:
        """Take in (n,) numbers."""
        sound = values[~np.isnan(values)]
        self.lacking |= len(sound) < len(values)
        if not len(sound):
            return
        keys = _keys(sound)
        low, high = float(sound.min()), float(sound.max())
        for part in (keys[keys < 0], keys[keys >= 0]) if low < 0 else (keys,):
            if len(part):
                self.merge(_Buckets(*_counted(part), low, high))

    def merge(self, other: _Buckets) -> None:
        """Take in another's counts."""
        keys, place = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        counts = np.zeros(len(keys), dtype=np.int64)
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        self.keys, self.counts = keys, counts
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.lacking |= other.lacking

    def quantiles(self, shares: Sequence[float], *, ranked: bool) -> Floats:
        """(shares,) interpolated between the numbers of the ranks on both sides, or of one rank."""
        if self.lacking:
            return np.full(len(shares), np.nan)
        middle = np.clip(_middles(self.keys), self.low, self.high)
        reached = np.cumsum(self.counts)
        wanted, most = np.asarray(shares, dtype=np.float64), int(reached[-1]) - 1
        rank = np.maximum(np.ceil(wanted * (most + 1)) - 1, 0.0) if ranked else wanted * most
        below = np.floor(rank).astype(np.int64)
        above = np.minimum(below + 1, most)
        a, b = (middle[np.searchsorted(reached, at, side="right")] for at in (below, above))
        part = rank - below
        with np.errstate(invalid="ignore"):
            return np.where((part == 0) | (a == b), a, a + (b - a) * part)


def _counted(keys: Int64) -> tuple[Int64, Int64]:
    """Each key once, ascending, and how often it is there."""
    first, last = int(keys.min()), int(keys.max())
    if last - first > 4 * len(keys):
        found, counts = np.unique(keys, return_counts=True)
        return found, counts.astype(np.int64)
    counts = np.bincount(keys - first).astype(np.int64)
    filled = np.flatnonzero(counts)
    return filled + first, counts[filled]


def _keys(values: Floats) -> Int64:
    """The bucket of each number: 0 for zero, and ascending with the numbers."""
    size = np.abs(values).view(np.int64) >> _SHIFT
    size = np.where(_tiny(values), 0, size)
    return np.asarray(np.where(np.signbit(values), -size, size), dtype=np.int64)


def _tiny(values: Floats) -> Bools:
    """True for what is too small to have all its leading bits."""
    return np.asarray(np.abs(values) < 1e-300)


def _middles(keys: Int64) -> npt.NDArray[np.float64]:
    """The number in the middle of each bucket."""
    size = np.abs(keys)
    low, high = ((size + step << _SHIFT).view(np.float64) for step in (0, 1))
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(np.isfinite(high), low + (high - low) / 2, low)
    middle = np.where(size == 0, 0.0, middle)
    return np.asarray(np.where(keys < 0, -middle, middle))
