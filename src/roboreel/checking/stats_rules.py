"""Rules about stored statistics by themselves: finite, in order, of as many values as there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices, ascending
from roboreel.dataset.dataset import Dataset
from roboreel.format.causes import PIXELS
from roboreel.format.inventory import Inventory
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.stats.feature_stats import BASE
from roboreel.types import Bools, Floats, Int64

_ROUNDING = 1e-5
"""Histograms and float32 can swap neighbours by this much, relative to the larger one."""
_SUMMED = 1e-4
"""The same for a mean, which float32 sums make less accurate."""


def check_statistics(
    dataset: Dataset, inventory: Inventory, stored: StoredMatrices, problems: Problems
) -> None:
    """The form of all statistics, of episodes and of the whole."""
    problems.found += stored.problems.found
    numbers = dataset.episodes[EPISODE].to_pylist()
    total = np.array([int(inventory.rows.sum())])
    for name, feature in stored.episodes.items():
        _Form(dataset, name, feature, numbers, problems).check(inventory.rows)
    for name, feature in stored.whole.items():
        _Form(dataset, name, feature, [None], problems).check(total)


class _Form:
    def __init__(
        self,
        dataset: Dataset,
        name: str,
        stored: StoredFeature,
        numbers: Sequence[int | None],
        problems: Problems,
    ) -> None:
        self._name, self._stored = name, stored
        self._version = dataset.version
        self._camera = dataset.features[name].is_camera
        self._numbers, self._problems = numbers, problems
        self._scope = (
            "statistics of the whole dataset" if list(numbers) == [None] else "stored statistics"
        )

    def check(self, rows: Int64) -> None:
        """Report what is wrong, row by row."""
        finite = self._finite()
        broken = self._stored.have & ~finite
        self._note("stats.finite", broken, "are missing, NaN or infinite", None, "error")
        for low, high in self._neighbours():
            self._order(low, high, finite)
        std = self._stored.values.get("std")
        if std is not None:
            negative = finite & (std < 0).any(axis=1)
            self._note("stats.order", negative, "have a negative std", -std.min(axis=1), "error")
        if self._stored.count.any():
            self._count(rows)

    def _finite(self) -> Bools:
        finite = []
        for key, values in self._stored.values.items():
            absent = np.isnan(values).all(axis=1) & (
                key not in BASE
            )  # v2.1 need not have quantiles
            finite.append(np.isfinite(values).all(axis=1) | absent)
        return np.asarray(np.all(finite, axis=0))

    def _neighbours(self) -> list[tuple[str, str]]:
        """Report pairs of statistics whose first is larger than the second."""
        values = self._stored.values
        pairs = list(pairwise(ascending(values)))
        return pairs + [p for p in (("min", "mean"), ("mean", "max")) if set(p) <= values.keys()]

    def _order(self, low: str, high: str, finite: Bools) -> None:
        a, b = self._stored.values[low], self._stored.values[high]
        with np.errstate(invalid="ignore"):
            rounding = _SUMMED if "mean" in (low, high) else _ROUNDING
            slack = rounding * np.maximum(1e-3, np.maximum(np.abs(a), np.abs(b)))
            wrong = finite & (a > b + slack).any(axis=1)
            above = (a - b).max(axis=1)
        self._note("stats.order", wrong, f"have {low} above {high}", above, "error")

    def _count(self, rows: Int64) -> None:
        count = self._stored.count
        have = self._stored.have & (count != 0)
        if not self._camera:
            what = "have a count that is not the number of rows"
            self._note("stats.count", have & (count != rows), what, np.abs(count - rows))
            return
        many = have & (count > rows)
        what = f"have a count above the number of rows ({PIXELS.said(self._version)}?)"
        self._note("stats.count", many, what, count - rows)

    def _note(
        self,
        rule: str,
        wrong: Bools,
        what: str,
        amounts: Floats | Int64 | None,
        severity: str = "warning",
    ) -> None:
        report = self._problems.error if severity == "error" else self._problems.add
        for row in np.flatnonzero(wrong).tolist():
            message = f"the {self._scope} {what}"
            amount = 0.0 if amounts is None else float(amounts[row])
            report(rule, message, episode=self._numbers[row], column=self._name, amount=amount)
