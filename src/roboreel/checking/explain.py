"""Explain why stored statistics differ from the values: known rules and known bugs of writers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from roboreel.checking.agreement_rules import (
    FLOAT32,
    ROUNDINGS,
    is_sample_std,
    is_still,
    still_slack,
)
from roboreel.checking.known_bugs import weights
from roboreel.checking.recompute_tables import rank_name
from roboreel.checking.stats_report import StatsDifference
from roboreel.checking.stored_matrices import StoredFeature
from roboreel.format.causes import (
    CANCELLED,
    CARRIED,
    ENCODED,
    ENVELOPE,
    FLOAT,
    HISTOGRAM,
    LARGER,
    NUMBERED,
    SAMPLE,
    STILL,
    SUMMED,
    WEIGHTED,
    Cause,
)
from roboreel.format.feature import EPISODE_INDEX, INDEX, TASK_INDEX, Feature
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import BASE, Array, quantile_share
from roboreel.stats.merge import merged_rows, weighted_mean
from roboreel.types import Bools, Floats

SAME = 1e-9
"""Statistics this close, relative to the magnitude of the values, are equal."""
_NUMBERED = (INDEX, EPISODE_INDEX, TASK_INDEX)
_SHIFTED = 1e-4
_BINS, _PADDING = 5000, 1e-10
"""As in lerobot's histograms."""
_MERGED = 1e-6
"""Tolerance for merged float32 statistics, relative to the magnitude of the values."""
_ENCODED = {"mean": 0.03, "std": 0.03, "min": 0.25, "max": 0.25}
"""Most that encoding or another sample of frames changes; `_ENCODED_CUT` for quantiles."""
_ENCODED_CUT = 0.1
_SUMMED = 0.01
_LEVEL = 1 / 255 + 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Stored and recomputed statistics of one feature, per episode or for the whole dataset."""

    feature: Feature
    stored: StoredFeature
    fresh: StoredFeature
    parts: StoredFeature | None = None
    """For the whole dataset: the stored statistics of the episodes, if any."""
    _: KW_ONLY
    version: FormatVersion
    part_of_larger: bool = False
    """True if the documents say that the dataset had more frames."""
    named: Bools | None = None
    """(rows,) True where a wrong std has already been reported."""
    rough: float = 0.0
    """Error of recomputed quantiles, as a fraction of the magnitude of the values."""
    numbers: Sequence[int] | None = None
    """Episode numbers; None for the whole dataset."""
    found: list[StatsDifference] = field(default_factory=list)

    @property
    def lacking(self) -> list[str]:
        """Statistics that the episodes have and the whole dataset lacks."""
        known = {} if self.parts is None else self.parts.values
        return [key for key in known if key not in self.stored.values and key in self.fresh.values]

    @property
    def size(self) -> Floats:
        """(rows, components) magnitude of the values."""
        low, high = self.fresh.values["min"], self.fresh.values["max"]
        size = np.maximum(np.abs(low), np.abs(high))
        return np.where(np.isfinite(size), size, 0.0)

    def gap(self, key: str) -> Floats:
        """(rows, components) absolute difference of a statistic; NaN where only one of the two is NaN."""
        stored, true = self.stored.values[key], self.fresh.values[key]
        alike = (stored == true) | (np.isnan(stored) & np.isnan(true))
        return np.where(alike, 0.0, np.abs(stored - true))

    def rounded(self, key: str) -> Bools:
        """(rows, components) True where values are constant and the statistic is off by rounding at most."""
        still = is_still(self.fresh.values["min"], self.fresh.values["max"])
        return np.asarray(still & (self.gap(key) <= still_slack(self.size)))

    def expected(self, key: str) -> Bools:
        """(rows,) True where the statistic is stored or required."""
        if key in BASE or self.numbers is None:
            return np.ones(len(self.stored.have), dtype=np.bool_)
        return np.asarray(~np.isnan(self.stored.values[key]).all(axis=1))


_Test = Callable[[Comparison, str], Bools]


def differences(of: Comparison) -> list[StatsDifference]:
    """The differences grouped by reason; unexplained ones come last."""
    rows = of.stored.have & of.fresh.have
    groups: dict[tuple[str | None, str | None], dict[str, Bools]] = {}
    with np.errstate(invalid="ignore", over="ignore"):
        for key in [key for key in of.stored.values if key in of.fresh.values]:
            same = SAME if key in BASE else max(SAME, of.rough)
            left = rows & of.expected(key) & ~(of.gap(key) <= same * of.size).all(axis=1)
            if key == "std" and of.named is not None:
                left &= ~of.named
            sound = ~(of.stored.values[key] < 0).any(axis=1) if key == "std" else rows
            for cause, rule, test in _reasons(of, key):
                hit = left & sound & test(of, key)
                if hit.any():
                    groups.setdefault((cause.said(of.version), rule), {})[key] = hit
                left &= ~hit
            if left.any():
                groups.setdefault((None, None), {})[key] = left
        for key in of.lacking:
            groups.setdefault((None, None), {})[key] = rows
    ordered = sorted(groups.items(), key=lambda item: item[0][0] is None)
    return [_difference(of, why, rule, hits) for (why, rule), hits in ordered]


def _difference(
    of: Comparison, why: str | None, rule: str | None, hits: dict[str, Bools]
) -> StatsDifference:
    every = np.flatnonzero(np.any(list(hits.values()), axis=0))
    gaps = [of.gap(key)[hit].reshape(-1) for key, hit in hits.items() if key not in of.lacking]
    known = [gap[np.isfinite(gap)] for gap in gaps]
    gap = max((float(one.max()) for one in known if len(one)), default=None)
    numbers = None if of.numbers is None else tuple(of.numbers[row] for row in every.tolist())
    if why is not None and of.stored.shape != (of.feature.shape or (1,)) and of.feature.is_numeric:
        why += "; per column of the last axis"
    return StatsDifference(
        feature=of.feature.name,
        episodes=numbers,
        statistics=tuple(hits),
        gap=gap,
        why=why,
        rule=rule,
    )


def _reasons(of: Comparison, key: str) -> Iterator[tuple[Cause, str | None, _Test]]:
    """Reasons that may explain a difference, the most specific first."""
    whole = of.numbers is None
    if of.feature.is_camera:
        if whole and of.parts is not None and key in BASE:
            yield CARRIED, None, _carried
        if whole and of.parts is not None and key not in BASE:
            yield WEIGHTED, None, _weighted
            yield ENVELOPE, None, _envelope
        if of.feature.is_video:
            yield ENCODED, None, _encoded
            return
        yield FLOAT, None, _float32
        if key not in BASE:
            yield HISTOGRAM, None, _level
        if key in ("mean", "std"):
            yield SUMMED, None, _summed
        yield ENCODED, None, _of_other_frames
        return
    yield STILL, None, _still
    if key == "std":
        yield SAMPLE, None, _of_a_sample
    yield FLOAT, None, _float32
    if key == "std":
        yield CANCELLED, "stats.std-rounding", _cancelled
    if of.feature.name in _NUMBERED:
        yield NUMBERED, "stats.numbering", _numbered
    if key not in BASE:
        if of.parts is not None:
            yield WEIGHTED, None, _weighted
            yield ENVELOPE, None, _envelope
        yield HISTOGRAM, None, _histogram
    if whole and of.part_of_larger:
        yield LARGER, "stats.agree", _contained
    if whole and of.parts is not None and key in BASE:
        yield CARRIED, None, _carried


def _roundings(of: Comparison) -> Floats:
    """(rows, 1) number of additions whose rounding errors are allowed for."""
    return np.clip(of.fresh.count.astype(np.float64), *ROUNDINGS)[:, None]


def _float32(of: Comparison, key: str) -> Bools:
    if key == "std":
        return _float32_std(of)
    many = _roundings(of) if key == "mean" else 1.0
    near = of.gap(key) <= many * FLOAT32 * of.size + _PADDING
    return np.asarray((near | of.rounded(key)).all(axis=1))


def _float32_std(of: Comparison) -> Bools:
    """Test for a std rounded to float32, or computed from a mean that was summed in float32."""
    stored, true = of.stored.values["std"], of.fresh.values["std"]
    share = _roundings(of) * FLOAT32
    near = (of.gap("std") <= share * true) | of.rounded("std")
    return np.asarray((near | (np.abs(stored**2 - true**2) <= (share * of.size) ** 2)).all(axis=1))


def _cancelled(of: Comparison, key: str) -> Bools:
    variance = of.fresh.values["std"] ** 2
    square = variance + of.fresh.values["mean"] ** 2
    off = np.abs(of.stored.values["std"] ** 2 - variance)
    near = off <= _roundings(of) * FLOAT32 * square
    return np.asarray((near | of.rounded("std")).all(axis=1))


def _still(of: Comparison, key: str) -> Bools:
    """Test that only constant components differ, by rounding at most."""
    same = SAME if key in BASE else max(SAME, of.rough)
    return np.asarray(((of.gap(key) <= same * of.size) | of.rounded(key)).all(axis=1))


def _of_a_sample(of: Comparison, key: str) -> Bools:
    stored, true = of.stored.values[key], of.fresh.values[key]
    return is_sample_std(stored, true, of.fresh.count, of.rounded(key))


def _numbered(of: Comparison, key: str) -> Bools:
    """Test for shifted bounds or mean: then no statistic belongs to these numbers."""
    off = [of.gap(k) > _SHIFTED * of.size for k in ("min", "max", "mean") if k in of.stored.values]
    return np.asarray(np.any(off, axis=0).any(axis=1))


def _histogram(of: Comparison, key: str) -> Bools:
    """Test for a quantile within one bin of the ranked value; batches of rows add another bin."""
    spread = of.fresh.values["max"] - of.fresh.values["min"]
    off = np.abs(of.stored.values[key] - of.fresh.values[rank_name(key)])
    slack = (
        of.rough * of.size + 2 * (spread + 2 * _PADDING) / _BINS + _PADDING + 4 * FLOAT32 * of.size
    )
    return np.asarray((off <= slack).all(axis=1))


def _level(of: Comparison, key: str) -> Bools:
    if not of.feature.is_depth:
        return np.asarray((of.gap(key) <= _LEVEL).all(axis=1))
    spread = of.fresh.values["max"] - of.fresh.values["min"]
    millimetre = 0.0 if of.feature.video_facts.get("depth_unit") == "m" else 1.0
    return np.asarray((of.gap(key) <= 2 * spread / _BINS + millimetre).all(axis=1))


def _encoded(of: Comparison, key: str) -> Bools:
    far = _ENCODED.get(key, _ENCODED_CUT)
    if of.feature.is_depth:  # no share of full brightness, but of the largest depth
        return np.asarray((of.gap(key) <= far * of.fresh.values["max"]).all(axis=1))
    return np.asarray((of.gap(key) <= far).all(axis=1))


def _summed(of: Comparison, key: str) -> Bools:
    """Test by relative error; for a std, by the error of two sums of squares."""
    if key == "mean":
        return np.asarray((of.gap(key) <= _SUMMED * of.size).all(axis=1))
    variance = of.fresh.values["std"] ** 2
    off = np.abs(of.stored.values["std"] ** 2 - variance)
    return np.asarray((off <= 2 * _SUMMED * (variance + of.fresh.values["mean"] ** 2)).all(axis=1))


def _of_other_frames(of: Comparison, key: str) -> Bools:
    """Test for another sample: images are compared only if the counts differ."""
    return np.asarray(_encoded(of, key) & (of.stored.count != of.fresh.count))


def _weighted(of: Comparison, key: str) -> Bools:
    parts = of.parts
    if parts is None or key not in parts.values or not parts.count[parts.have].all():
        return np.zeros(1, dtype=np.bool_)
    return _near(of, key, weighted_mean(parts.values[key][parts.have], weights(parts)))


def _envelope(of: Comparison, key: str) -> Bools:
    parts = of.parts
    if parts is None or key not in parts.values:
        return np.zeros(1, dtype=np.bool_)
    every = parts.values[key][parts.have]
    return _near(
        of, key, every.min(axis=0) if (quantile_share(key) or 0.0) <= 0.5 else every.max(axis=0)
    )


def _carried(of: Comparison, key: str) -> Bools:
    """Test for statistics that were merged from those stored for the episodes."""
    parts = of.parts
    base = ("min", "max", "mean", "std")
    if parts is None or not parts.have.any() or any(name not in parts.values for name in base):
        return np.zeros(1, dtype=np.bool_)
    values = {name: parts.values[name][parts.have] for name in base}
    return _near(of, key, merged_rows(values, weights(parts))[key])


def _contained(of: Comparison, key: str) -> Bools:
    slack = _SHIFTED * of.size
    low = of.stored.values["min"] <= of.fresh.values["min"] + slack
    high = of.stored.values["max"] >= of.fresh.values["max"] - slack
    return np.asarray((low & high).all(axis=1))


def _near(of: Comparison, key: str, values: Array) -> Bools:
    off = np.abs(of.stored.values[key] - values[None])
    return np.asarray((off <= _MERGED * of.size + _PADDING).all(axis=1))
