"""Quantiles of more numbers than fit in memory: exact up to a budget, sketched beyond it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from roboreel.stats.log_histogram import MANTISSA_BITS, LogHistogram
from roboreel.types import Floats

BUDGET_BYTES = 64 << 20
"""What the numbers of one feature may take before they are counted in bins: 8 million float64."""
SKETCH_ERROR = 2.0 ** -(MANTISSA_BITS + 1)
"""How far a sketched quantile may be from the exact one, as a part of the larger of the two numbers between
which the exact one is interpolated: 0.012 %."""
_MOST_ROWS, _MOST_NUMBERS = 1 << 18, 1 << 22
"""What waits to be put into the bins: putting few costs as much as putting many."""


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
    _kept: list[npt.NDArray[np.generic]] = field(default_factory=list, repr=False)
    """(width, n) numbers: all, as float64, while they fit; then those that are not counted yet."""
    _histogram: list[LogHistogram] | None = field(default=None, repr=False)

    @property
    def exact(self) -> bool:
        """True if quantiles are exact, as numpy computes them."""
        return self._histogram is None

    def add(self, values: npt.NDArray[np.generic]) -> None:
        """Add (n, width) numbers of any type, as float64."""
        self.add_columns(values.T)

    def add_columns(self, columns: npt.NDArray[np.generic]) -> None:
        """Add (width, n) numbers; the caller must not change them afterwards."""
        self.rows += columns.shape[1]
        fits = self.rows * self.width * 8 <= self.budget_bytes
        if self._histogram is None and not fits:
            self._histogram = [LogHistogram() for _ in range(self.width)]
        if self._histogram is None:
            with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
                columns = np.array(columns, dtype=np.float64, order="C")
        self._kept.append(columns)
        waiting = sum(kept.shape[1] for kept in self._kept)
        if self._histogram is not None and (
            waiting >= _MOST_ROWS or waiting * self.width >= _MOST_NUMBERS
        ):
            self.count()

    def merge(self, other: Quantiles) -> None:
        """Add all numbers of another sketch."""
        if other._histogram is not None and self._histogram is None:
            self._histogram = [LogHistogram() for _ in range(self.width)]
        if other._histogram is not None and self._histogram is not None:
            for own, found in zip(self._histogram, other._histogram, strict=True):
                own.merge(found)
        self.rows += other.rows - sum(kept.shape[1] for kept in other._kept)
        for columns in other._kept:
            self.add_columns(columns)
        if self._histogram is None and self.rows * self.width * 8 > self.budget_bytes:
            self._histogram = [LogHistogram() for _ in range(self.width)]

    def of(self, shares: Sequence[float], *, ranked: bool = False) -> Floats:
        """(shares, width) the quantiles; NaN where a component has one, or there are no rows.

        Args:
            shares: which, from 0 to 1.
            ranked: take the number at the rank ⌈share·n⌉ instead of interpolating.
        """
        if not self.rows:
            return np.full((len(shares), self.width), np.nan)
        if self._histogram is None:
            method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if ranked else "linear"
            with np.errstate(invalid="ignore"):
                return np.asarray(
                    np.quantile(np.concatenate(self._kept, axis=1), shares, axis=1, method=method)
                )
        self.count()
        return np.stack([one.quantiles(shares, ranked=ranked) for one in self._histogram], axis=1)

    def count(self) -> None:
        """Move waiting numbers into the bins, if there are any, to save memory."""
        if self._histogram is None:
            return
        for type_ in dict.fromkeys(kept.dtype for kept in self._kept):
            alike = [kept for kept in self._kept if kept.dtype == type_]
            for at, histogram in enumerate(self._histogram):
                histogram.add([columns[at] for columns in alike])
        self._kept = []


def shared_budget(widths: Mapping[str, int]) -> dict[str, int]:
    """Bytes that the numbers of each feature may take: all have the budget together."""
    numbers = max(1, sum(widths.values()))
    return {name: BUDGET_BYTES * width // numbers for name, width in widths.items()}
