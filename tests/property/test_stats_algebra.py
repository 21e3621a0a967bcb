"""The algebra of statistics: merging in any order and grouping, against numpy over everything at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roboreel.stats.block import blocks_of
from roboreel.stats.feature_stats import FeatureStats, Stats, values_stats
from roboreel.stats.merge import StatsMerger
from roboreel.stats.numeric import episodes_stats
from roboreel.stats.quantiles import SKETCH_ERROR, Quantiles
from roboreel.stats.sampling import SamplingProfile
from tests.merging import merge_stats

Values = npt.NDArray[np.float64]
SHARES = (0.0, 0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 1.0)
BASE = ("min", "max", "mean", "std")
NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)
columns = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(2)), elements=NUMBERS)
parts = st.lists(columns, min_size=1, max_size=6)


def blockwise(several: Sequence[Stats]) -> FeatureStats:
    merger = StatsMerger()
    for block in blocks_of(several):
        merger.add(block)
    return merger.result()["x"]


def assert_same(one: FeatureStats, other: FeatureStats, scale: float, part: float) -> None:
    assert one["count"].tolist() == other["count"].tolist()
    for key in BASE:
        np.testing.assert_allclose(one[key], other[key], rtol=part, atol=part * scale)


@given(parts, st.randoms(use_true_random=False), st.integers(0, 6))
@settings(max_examples=150, deadline=None)
def test_merging_depends_on_neither_order_nor_grouping(
    several: list[Values], random: Any, cut: int
) -> None:
    scale = float(max(np.abs(part).max() for part in several))
    each: list[Stats] = [{"x": values_stats(part, quantiles=())} for part in several]
    whole = merge_stats(each)["x"]
    shuffled = [*each]
    random.shuffle(shuffled)
    groups = [group for group in (shuffled[:cut], shuffled[cut:]) if group]
    for merged in (
        merge_stats(shuffled)["x"],
        merge_stats([merge_stats(group) for group in groups])["x"],
        blockwise(shuffled),
    ):
        assert_same(merged, whole, scale, 1e-12)
    exact = np.concatenate(several)
    assert_same(whole, values_stats(exact, quantiles=()), scale, 1e-12)
    np.testing.assert_allclose(whole["mean"], exact.mean(axis=0), rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(whole["std"], exact.std(axis=0), rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("place", [0.1, 1000.0, -123456.789, 1e9])
def test_a_small_spread_far_from_zero_is_kept(place: float) -> None:
    values = place + np.tile([-0.001, 0.001], 300_000)[:, None]
    exact = values[:, 0].tolist()
    mean = math.fsum(exact) / len(exact)
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in exact) / len(exact))
    thirds = [values[:7], values[7:100_001], values[100_001:]]
    alone = values_stats(values, quantiles=())
    merged = merge_stats({"x": values_stats(part, quantiles=())} for part in thirds)["x"]
    many = episodes_stats({"x": values}, np.array([len(values)]), SamplingProfile(quantiles=())).of(
        0
    )["x"]
    for stats in (alone, merged, many):
        assert abs(stats["mean"][0] - mean) <= 1e-15 * abs(mean)
        assert stats["std"][0] == pytest.approx(std, rel=1e-9 if abs(place) < 1e8 else 1e-7)


@pytest.mark.parametrize("value", [0.1, 1 / 3, -7e200, 5e-324, 16777217.0])
def test_what_never_changes_has_no_deviation(value: float) -> None:
    values = np.full((100_003, 1), value)
    stats = values_stats(values, quantiles=())
    assert (stats["mean"][0], stats["std"][0]) == (value, 0.0)


def sketch(several: Sequence[Values], budget: int) -> Quantiles:
    found = Quantiles(2, budget_bytes=budget)
    for part in several:
        found.add(part)
    return found


def assert_within(found: Values, values: Values, part: float) -> None:
    """Each quantile is as near to numpy's as the sketch promises."""
    exact = np.quantile(values, SHARES, axis=0)
    ranks = np.asarray(SHARES) * (len(values) - 1)
    ordered = np.sort(values, axis=0)
    pair = np.stack([ordered[np.floor(ranks).astype(int)], ordered[np.ceil(ranks).astype(int)]])
    slack = np.abs(pair).max(axis=0) * (part + 1e-12) + 1e-300  # what counts as zero
    assert (np.abs(found - exact) <= slack).all()


@given(parts)
@settings(max_examples=150, deadline=None)
def test_quantiles_are_within_the_stated_error(several: list[Values]) -> None:
    values = np.concatenate(several)
    exact, rough = sketch(several, 1 << 20), sketch(several, 0)
    assert (exact.exact, rough.exact) == (True, False)
    np.testing.assert_array_equal(exact.of(SHARES), np.quantile(values, SHARES, axis=0))
    assert_within(rough.of(SHARES), values, SKETCH_ERROR)


@given(parts, parts, st.integers(0, 2000))
@settings(max_examples=100, deadline=None)
def test_sketches_merge_to_the_bit(one: list[Values], other: list[Values], budget: int) -> None:
    whole = sketch([*one, *other], budget)
    left, right = sketch(one, budget), sketch(other, budget)
    left.merge(right)
    backwards = sketch(other, budget)
    backwards.merge(sketch(one, budget))
    assert left.rows == backwards.rows == whole.rows
    assert left.exact == backwards.exact == whole.exact
    np.testing.assert_array_equal(left.of(SHARES), whole.of(SHARES))
    np.testing.assert_array_equal(backwards.of(SHARES), whole.of(SHARES))


def test_a_sketch_of_many_numbers_of_all_sizes() -> None:
    random = np.random.default_rng(5)
    signs = random.choice([-1.0, 0.0, 1.0], (200_000, 2))
    values = signs * 10 ** random.uniform(-30, 30, (200_000, 2))
    rough = sketch(np.array_split(values, 11), 1 << 16)
    assert not rough.exact
    assert_within(rough.of(SHARES), values, SKETCH_ERROR)
    assert np.abs(rough.of([0.0]) - values.min(axis=0)).max() <= SKETCH_ERROR * 1e30


def test_nothing_is_made_up_of_nan_infinity_and_no_rows() -> None:
    values = np.array([[np.nan, np.inf], [1.0, -np.inf], [2.0, 3.0]])
    rough = sketch([values], 0)
    found = rough.of([0.0, 0.5, 1.0])
    assert np.isnan(found[:, 0]).all()
    assert found[0, 1] == -np.inf
    assert found[2, 1] == np.inf
    assert abs(found[1, 1] - 3.0) <= 3 * SKETCH_ERROR
    assert np.isnan(Quantiles(2).of([0.5])).all()
