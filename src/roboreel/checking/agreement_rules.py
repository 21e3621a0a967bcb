"""Rules about stored statistics against the numbers in the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from roboreel.checking.scan import TablesScan
from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices
from roboreel.dataset.dataset import Dataset
from roboreel.errors import Severity
from roboreel.format.causes import CANCELLED, NUMBERED, SAMPLE
from roboreel.format.feature import EPISODE_INDEX, INDEX, INDEX_DTYPES, TASK_INDEX
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.format.version import FormatVersion
from roboreel.stats.moments import Moments
from roboreel.types import Bools, Floats, Int64

_NUMBERED = (INDEX, EPISODE_INDEX, TASK_INDEX)
_RTOL, _ATOL = 1e-4, 1e-6
"""Tolerance for bounds and for means summed in float32, relative to the magnitude of the values."""
_STD_RTOL = 1e-2
"""Relative to the std: too small to affect training."""
FLOAT32, _FLOAT64 = 2.0**-23, 2.0**-52
ROUNDINGS = 16, 1 << 12
"""Least and most rounding errors allowed for a sum; in between, one per row."""
_STILL = 4
"""Constant values may differ by this many float32 roundings."""
_STILL_RTOL, _STILL_ATOL = 2e-5, 2e-5
"""Rounding error of the mean and std of constant values, relative to their magnitude, and absolute."""
_NEAR = 0.05
"""Relative to the distance between a std divided by n and one divided by n − 1."""
_GROSS_MEAN, _GROSS_STD = 0.5, 2.0
"""Beyond this many stds (mean), or this factor (std), normalised values are wrong."""


def check_agreement(
    dataset: Dataset, scan: TablesScan, stored: StoredMatrices, problems: Problems
) -> None:
    """Numeric features: bounds, mean and std as stored and as computed."""
    numbers, version = dataset.episodes[EPISODE].to_pylist(), dataset.version
    for name, moments in scan.moments.items():
        if name in stored.episodes:
            _compare(name, stored.episodes[name], moments, numbers, problems, version)
        total = moments.total()
        if name in stored.whole and scan.scanned.all() and total.usable.all():
            longest = int(moments.count.max())
            _compare(name, stored.whole[name], total, [None], problems, version, longest=longest)


def is_still(low: Floats, high: Floats) -> Bools:
    """(rows, components) True where the bounds show that values are constant except for rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(high - low <= _STILL * FLOAT32 * np.maximum(np.abs(low), np.abs(high)))


def still_slack(size: Floats) -> Floats:
    """Tolerance for statistics of constant values, given the magnitude of the values."""
    return np.asarray(_STILL_RTOL * size + _STILL_ATOL)


def is_sample_std(stored: Floats, true: Floats, count: Int64, alike: Bools) -> Bools:
    """(rows,) True where the stored std was divided by n − 1.

    Args:
        stored: (rows, components).
        true: (rows, components) of the values, divided by n.
        count: (rows,) values that each was computed from.
        alike: (rows, components) True for components that cannot decide: they are constant, or both stds
            are equal within rounding.
    """
    many = count.astype(np.float64)[:, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sample = true * np.sqrt(many / (many - 1))
        near = (np.abs(stored - sample) <= _NEAR * np.abs(sample - true)) & (sample > true)
        near &= np.isfinite(sample)
    return np.asarray((near | alike).all(axis=1) & near.any(axis=1))


def _compare(
    name: str,
    stored: StoredFeature,
    moments: Moments,
    numbers: Sequence[int | None],
    problems: Problems,
    version: FormatVersion,
    *,
    longest: int | None = None,
) -> None:
    width = int(np.prod(stored.shape))
    folded = moments if width == moments.width else moments.folded(width)
    gaps = _gaps(stored, folded, moments.count if longest is None else np.array([longest]))
    if gaps is None:
        return
    whole = longest is not None
    for row in np.flatnonzero(gaps.bounds | gaps.mean | gaps.std).tolist():
        what = [
            key
            for key, wrong in (("bounds", gaps.bounds), ("mean", gaps.mean), ("std", gaps.std))
            if wrong[row]
        ]
        said = f"the stored {', '.join(what)} {'of the whole dataset ' if whole else ''}"
        location = _Position(episode=numbers[row], column=name, amount=float(gaps.amount[row]))
        if name in _NUMBERED:
            message = (
                f"{said}{'are' if len(what) > 1 or what == ['bounds'] else 'is'}"
                f" {NUMBERED.said(version)}"
            )
            problems.add("stats.numbering", message, **location)
        elif what == ["std"] and gaps.sample[row]:
            message = f"{said}is {gaps.std_strings(row)}: {SAMPLE.said(version)}"
            problems.add("stats.agree", message, **location)
        elif what == ["std"] and gaps.rounding[row]:
            message = f"{said}is {gaps.std_strings(row)}: {CANCELLED.said(version)}"
            problems.add("stats.std-rounding", message, **location)
        else:
            message = f"{said}do not match the data{gaps.example(row)}"
            larger = whole and bool(gaps.contains[row])
            if larger:
                message += "; perhaps they are from a larger dataset"
            gross = bool(gaps.gross[row]) and not larger and name not in INDEX_DTYPES
            severity: Severity = "error" if gross else "warning"
            problems.add("stats.agree", message, severity=severity, **location)


class _Position(TypedDict):
    """Where a statistic is off, and by how much."""

    episode: int | None
    column: str
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gaps:
    """What differs in each row, and by how much; arrays are (rows,)."""

    bounds: Bools
    mean: Bools
    std: Bools
    sample: Bools
    """True where the std was divided by n − 1."""
    rounding: Bools
    """True where float32 explains the std."""
    gross: Bools
    amount: Floats
    """Largest difference of a component, in the feature's unit."""
    contains: Bools
    """True where the stored bounds hold all values."""
    stored_mean: Floats
    true_mean: Floats
    stored_std: Floats
    true_std: Floats

    def std_strings(self, row: int) -> str:
        """The stds of a row, as stored and as computed."""
        return f"{_text(self.stored_std[row])}, computed from the data {_text(self.true_std[row])}"

    def example(self, row: int) -> str:
        """The values of the component that is furthest off."""
        off = np.abs(self.stored_mean[row] - self.true_mean[row])
        off = off + np.abs(self.stored_std[row] - self.true_std[row])
        at = int(off.argmax())
        parts = [
            f"{name} is {stored[row][at]:.4g}, computed {true[row][at]:.4g}"
            for name, stored, true in (
                ("mean", self.stored_mean, self.true_mean),
                ("std", self.stored_std, self.true_std),
            )
        ]
        where = f" in component {at}" if len(off) > 1 else ""
        return f"{where}: {', '.join(parts)}"


def _gaps(stored: StoredFeature, moments: Moments, summed: Int64) -> _Gaps | None:
    """Compare the statistics; `summed` is the (rows,) number of values behind each std."""
    values = stored.values
    if not {"min", "max", "mean", "std"} <= values.keys():
        return None
    rows = stored.have & moments.usable
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        size = np.maximum(np.abs(moments.low), np.abs(moments.high))
        variance = moments.variance
        std = np.sqrt(variance)
        slack = _RTOL * size + _ATOL
        low, high = values["min"] - moments.low, values["max"] - moments.high
        mean_off, std_off = np.abs(values["mean"] - moments.mean), np.abs(values["std"] - std)
        square = variance + moments.mean**2
        roundings = np.clip(summed, *ROUNDINGS)[:, None]
        std_slack = _STD_RTOL * std + (FLOAT32 + roundings * _FLOAT64) * size + _ATOL
        still = is_still(moments.low, moments.high)
        std_slack = np.where(still, np.maximum(std_slack, still_slack(size)), std_slack)
        left = roundings * FLOAT32 * square
        explained = np.abs(values["std"] ** 2 - variance) <= left
        ratio = np.maximum(values["std"], std) / np.minimum(values["std"], std)
        gross = (mean_off > _GROSS_MEAN * std + slack) | ((ratio > _GROSS_STD) & (std_off > slack))
        furthest = np.maximum(np.abs(low), np.abs(high))
        amount = np.nan_to_num(furthest + mean_off + std_off, nan=0).max(axis=1)
        bounds = (furthest > slack).any(axis=1)
        return _Gaps(
            bounds=rows & bounds,
            mean=rows & (mean_off > slack).any(axis=1),
            std=rows & (std_off > std_slack).any(axis=1),
            sample=is_sample_std(values["std"], std, moments.count, std_off <= std_slack),
            rounding=np.asarray(explained.all(axis=1)),
            gross=np.asarray(gross.any(axis=1)),
            amount=np.asarray(amount),
            contains=np.asarray(((low <= slack) & (high >= -slack)).all(axis=1)),
            stored_mean=values["mean"],
            true_mean=moments.mean,
            stored_std=values["std"],
            true_std=std,
        )


def _text(values: Floats) -> str:
    shown = ", ".join(f"{value:.3g}" for value in values[:3].tolist())
    return f"{shown}, …" if len(values) > 3 else shown
