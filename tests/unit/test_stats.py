"""Statistics against numpy, and the algebra of merging them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from roboreel.stats.block import blocks_of
from roboreel.stats.feature_stats import (
    QUANTILES,
    FeatureStats,
    Stats,
    parse_stats,
    quantile_name,
    quantile_share,
    stats_to_json,
    values_stats,
)
from roboreel.stats.merge import StatsMerger
from tests.merging import merge_stats

EXACT = ("min", "max", "count")
MOMENTS = ("mean", "std")
Values = npt.NDArray[np.float64]
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def episodes(draw: st.DrawFn) -> list[Values]:
    """Values of a few episodes of 1 to 20 rows, three numbers each, around places far apart."""
    count = draw(st.integers(1, 6))
    return [
        draw(arrays(np.float64, (draw(st.integers(1, 20)), 3), elements=NUMBERS))
        for _ in range(count)
    ]


def merged(parts: list[Values]) -> FeatureStats:
    return merge_stats({"x": values_stats(part, quantiles=QUANTILES)} for part in parts)["x"]


def assert_close(one: FeatureStats, other: FeatureStats, scale: float) -> None:
    for key in EXACT:
        assert one[key].tolist() == other[key].tolist()
    for key in (*MOMENTS, *map(quantile_name, QUANTILES)):
        if key in one and key in other:
            np.testing.assert_allclose(one[key], other[key], rtol=1e-12, atol=1e-12 * scale)


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=6), elements=NUMBERS))
def test_values_are_those_of_numpy(values: Values) -> None:
    stats = values_stats(values, quantiles=QUANTILES)
    shaped = values.reshape(len(values), -1) if values.ndim == 1 else values
    assert {key: part.shape for key, part in stats.items() if key != "count"} == dict.fromkeys(
        ("min", "max", "mean", "std", *map(quantile_name, QUANTILES)), shaped.shape[1:]
    )
    assert stats["count"].tolist() == [len(values)]
    assert stats["count"].dtype == np.int64
    scale = max(1.0, float(np.abs(values).max()))
    expected: dict[str, Any] = {
        "min": shaped.min(0),
        "max": shaped.max(0),
        "mean": shaped.mean(0),
        "std": shaped.std(0),
        **{quantile_name(q): np.quantile(shaped, q, axis=0) for q in QUANTILES},
    }
    for key, value in expected.items():
        np.testing.assert_allclose(stats[key], value, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "float32"])
def test_values_of_every_type_are_computed_in_float64(dtype: str) -> None:
    values = (np.arange(2000).reshape(1000, 2) % 99).astype(dtype)
    stats = values_stats(values, quantiles=())
    assert {part.dtype for key, part in stats.items() if key != "count"} == {np.dtype("float64")}
    np.testing.assert_allclose(stats["mean"], values.astype(np.float64).mean(0), rtol=1e-14)


def test_single_row_has_no_deviation() -> None:
    stats = values_stats(np.array([[3.0, 1e300]]), quantiles=QUANTILES)
    assert stats["std"].tolist() == [0.0, 0.0]
    assert stats["q01"].tolist() == stats["q99"].tolist() == [3.0, 1e300]


def test_large_offset_keeps_its_deviation() -> None:
    values = 1e9 + np.array([0.0, 1.0, 2.0])
    assert values_stats(values, quantiles=())["std"][0] == pytest.approx(np.sqrt(2 / 3))


@given(episodes())
def test_merged_episodes_are_the_whole(parts: list[Values]) -> None:
    whole = values_stats(np.concatenate(parts), quantiles=())
    scale = max(1.0, float(np.abs(np.concatenate(parts)).max()))
    assert_close(merged(parts), whole, scale)


@given(episodes(), st.randoms(use_true_random=False))
def test_order_of_merging_does_not_matter(parts: list[Values], random: Any) -> None:
    other = parts.copy()
    random.shuffle(other)
    scale = max(1.0, float(np.abs(np.concatenate(parts)).max()))
    assert_close(merged(parts), merged(other), scale)


@given(episodes(), st.integers(0, 6))
def test_grouping_of_merging_does_not_matter(parts: list[Values], cut: int) -> None:
    groups = [group for group in (parts[:cut], parts[cut:]) if group]
    twice = merge_stats({"x": merged(group)} for group in groups)["x"]
    scale = max(1.0, float(np.abs(np.concatenate(parts)).max()))
    assert_close(twice, merged(parts), scale)


@given(episodes())
def test_quantiles_are_weighted_means(parts: list[Values]) -> None:
    found = merged(parts)
    weights = np.array([len(part) for part in parts])
    scale = max(1.0, float(np.abs(np.concatenate(parts)).max()))
    for q in QUANTILES:
        each = np.stack([np.quantile(part, q, axis=0) for part in parts])
        expected = (each * weights[:, None]).sum(0) / weights.sum()
        np.testing.assert_allclose(
            found[quantile_name(q)], expected, rtol=1e-12, atol=1e-12 * scale
        )


def test_merging_thousands_loses_nothing() -> None:
    rows = np.random.default_rng(0).normal(1000, 0.001, (3000, 7, 2))
    found = merge_stats({"x": values_stats(part, quantiles=())} for part in rows)["x"]
    whole = rows.reshape(-1, 2)
    np.testing.assert_allclose(found["mean"], whole.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found["std"], whole.std(0), rtol=1e-9)
    assert found["count"].tolist() == [21000]


def test_statistics_that_some_episode_lacks_are_left_out() -> None:
    one = values_stats(np.array([1.0, 2.0]), quantiles=QUANTILES)
    other = values_stats(np.array([3.0]), quantiles=())
    for parts in itertools.permutations([one, other, one]):
        found = merge_stats({"x": part} for part in parts)["x"]
        assert found.keys() == {"min", "max", "mean", "std", "count"}


def test_features_that_some_episode_lacks_are_merged_of_the_others() -> None:
    one, other = (values_stats(np.array([v]), quantiles=()) for v in (1.0, 3.0))
    found = merge_stats([{"x": one}, {"y": one}, {"x": other, "y": one}])
    assert found["x"]["mean"].tolist() == [2.0]
    assert found["y"]["count"].tolist() == [2]


def one_after_another(numbers: list[tuple[float, ...]]) -> tuple[float, ...]:
    """(mean, std, count) of episodes merged one by one, in Python's own floats."""
    mean, std, count = numbers[0]
    for other_mean, other_std, other_count in numbers[1:]:
        share = other_count / (count + other_count)
        between = (other_mean - mean) * (other_mean - mean) * share * (1 - share)
        within = std * std * (1 - share) + other_std * other_std * share
        mean = mean + (other_mean - mean) * share
        std, count = math.sqrt(within + between), count + other_count
    return mean, std, count


def parts_of(part: FeatureStats, at: int) -> tuple[float, ...]:
    return float(part["mean"][at]), float(part["std"][at]), float(part["count"][0])


@given(st.lists(st.tuples(episodes(), episodes()), min_size=1, max_size=3))
def test_features_merged_together_are_bit_by_bit_those_merged_alone(
    rounds: list[tuple[list[Values], list[Values]]],
) -> None:
    both = [pair for one, other in rounds for pair in zip(one, other, strict=False)]
    stats = [
        {
            "x": values_stats(x, quantiles=QUANTILES),
            "y": values_stats(y[:, :2], quantiles=QUANTILES if number % 3 == 0 else ()),
        }
        for number, (x, y) in enumerate(both)
    ]
    found = merge_stats(stats)
    for name, width in (("x", 3), ("y", 2)):
        for at in range(width):
            expected = one_after_another([parts_of(one[name], at) for one in stats])
            assert parts_of(found[name], at) == expected
    assert ("q50" in found["y"]) == (len(both) == 1)
    assert found["x"]["q50"].shape == (3,)


def test_merging_goes_on_where_an_episode_is_of_another_form() -> None:
    full = [values_stats(np.array([[v, -v]]), quantiles=QUANTILES) for v in (1.0, 3.0, 5.0, 7.0)]
    inconsistent = {key: value for key, value in full[2].items() if key != "q50"}
    short = values_stats(np.array([9.0]), quantiles=QUANTILES)
    found = merge_stats(
        [
            {"x": full[0]},
            {"x": full[1]},
            {"x": short},
            {"x": inconsistent},
            {"x": full[3]},
            {"y": full[0]},
        ]
    )
    assert found["x"]["count"].tolist() == [4]
    assert found["x"]["mean"].tolist() == [4.0, -4.0]
    assert (found["x"]["min"].tolist(), found["x"]["max"].tolist()) == ([1.0, -7.0], [7.0, -1.0])
    assert "q50" not in found["x"]
    assert "q10" in found["x"]
    assert found["y"]["mean"].tolist() == [1.0, -1.0]


def test_merging_leaves_its_inputs_alone() -> None:
    one, other = (values_stats(np.array([[v, v]]), quantiles=QUANTILES) for v in (1.0, 3.0))
    before = stats_to_json({"a": one, "b": other})
    merge_stats([{"x": one}, {"x": other}, {"x": one}])
    assert stats_to_json({"a": one, "b": other}) == before


def test_nothing_merged_is_nothing() -> None:
    assert merge_stats([]) == {}
    assert merge_stats([{}, {}]) == {}


@pytest.mark.parametrize(
    ("q", "name"),
    [
        (0.01, "q01"),
        (0.5, "q50"),
        (0.29, "q29"),
        (0.57, "q57"),
        (0.025, "q2.5"),
        (0.999, "q99.9"),
        (0.0, "q00"),
        (1.0, "q100"),
    ],
)
def test_quantiles_are_named_by_their_percentage(q: float, name: str) -> None:
    assert quantile_name(q) == name
    assert quantile_share(name) == q


@pytest.mark.parametrize("name", ["mean", "q", "q1e1", "q101", "quality", "q-1", "q5 "])
def test_what_is_no_quantile_has_no_share(name: str) -> None:
    assert quantile_share(name) is None


def test_statistics_survive_json() -> None:
    stats = {"x": values_stats(np.arange(12.0).reshape(4, 3), quantiles=QUANTILES)}
    again = parse_stats(stats_to_json(stats))
    assert stats_to_json(again) == stats_to_json(stats)
    assert again["x"]["count"].dtype == np.int64


def test_odd_documents_are_read_as_far_as_they_make_sense() -> None:
    found = parse_stats({"a": {"min": [False], "max": [True], "count": 3, "mean": 0.5}, "b": None})
    assert stats_to_json(found) == {"a": {"min": [0], "max": [1], "count": [3], "mean": [0.5]}}


@pytest.mark.parametrize("value", ["x", [[1], [1, 2]], {"a": 1}, [None, "y"], [1, {}]])
def test_statistics_that_are_no_numbers_are_left_out(value: Any) -> None:
    found = parse_stats({"a": {"mean": value, "std": 1.0}})
    assert stats_to_json(found) == {"a": {"std": [1.0]}}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("far", [math.inf, -math.inf, math.nan])
def test_infinity_stays_wherever_it_is(order: tuple[int, ...], far: float) -> None:
    parts = [np.array([1.0, 2.0]), np.array([far, 3.0]), np.array([4.0])]
    with np.errstate(invalid="ignore"):
        every: list[Stats] = [{"x": values_stats(parts[at], quantiles=())} for at in order]
    merger = StatsMerger()
    for block in blocks_of(every):
        merger.add(block)
    for merged in (merge_stats(every), merger.result()):
        np.testing.assert_array_equal(merged["x"]["mean"], [far])
        assert merged["x"]["max"][0] == (far if far != -math.inf else 4.0) or math.isnan(far)


def test_infinities_of_both_signs_have_no_mean() -> None:
    one, other = (
        {"x": values_stats(np.array([v, 1.0]), quantiles=())} for v in (math.inf, -math.inf)
    )
    assert math.isnan(merge_stats([one, other])["x"]["mean"][0])
