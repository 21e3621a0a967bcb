"""Sketches of numbers of any type are those of the same numbers as float64, in whatever parts they come."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from roboreel.stats.quantiles import SKETCH_ERROR, Quantiles

SHARES = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
RANDOM = np.random.default_rng(3)
TINY = np.array([1e-45, -1e-45, 3e-39, 0.0, -0.0, 1e-38, 1.2e-38, -2.5], np.float32)
KINDS: dict[str, npt.NDArray[Any]] = {
    "float32": RANDOM.normal(0, 3, 5000).astype(np.float32),
    "positive": np.abs(RANDOM.normal(5, 3, 5000)).astype(np.float32),
    "negative": -np.abs(RANDOM.normal(5, 3, 5000)).astype(np.float32),
    "with zeros": np.round(RANDOM.normal(0, 0.6, 5000)).astype(np.float32),
    "nothing but zeros": np.array([0.0, -0.0, 0.0], np.float32),
    "subnormal": np.tile(TINY, 40),
    "infinite": np.array([np.inf, 1.0, -np.inf, 2.0, 3.0], np.float32),
    "of all sizes": (RANDOM.normal(size=4000) * 10.0 ** RANDOM.uniform(-37, 38, 4000)).astype("f4"),
    "float64": RANDOM.normal(0, 3, 5000),
    "float64 of all sizes": RANDOM.normal(size=4000) * 10.0 ** RANDOM.uniform(-307, 307, 4000),
    "float16": RANDOM.normal(0, 3, 5000).astype(np.float16),
    "bool": RANDOM.random(500) < 0.3,
    "int8": RANDOM.integers(-128, 128, 5000).astype(np.int8),
    "uint8": RANDOM.integers(0, 256, 5000).astype(np.uint8),
    "counting": np.arange(-100, 9000),
    "beyond 2^53": (1 << 60) + RANDOM.integers(0, 9000, 5000),
    "lowest": np.iinfo(np.int64).min + RANDOM.integers(0, 90, 500),
    "uint64": np.uint64(2**64 - 1) - RANDOM.integers(0, 90, 500).astype(np.uint64),
    "far apart": RANDOM.integers(-(1 << 62), 1 << 62, 3000),
}


def sketch(*parts: npt.NDArray[Any]) -> Quantiles:
    found = Quantiles(1, budget_bytes=0)
    for part in parts:
        found.add(part.reshape(-1, 1))
    return found


def assert_same(one: Quantiles, other: Quantiles) -> None:
    assert one.rows == other.rows
    assert (one.exact, other.exact) == (False, False)
    for ranked in (False, True):
        np.testing.assert_array_equal(
            one.of(SHARES, ranked=ranked), other.of(SHARES, ranked=ranked)
        )


@pytest.mark.sample(7)
@pytest.mark.parametrize("kind", KINDS)
def test_any_type_counts_as_float64(kind: str) -> None:
    values = KINDS[kind]
    wide = values.astype(np.float64)
    assert_same(sketch(values), sketch(wide))
    parts = np.array_split(values, 7)
    assert_same(sketch(*parts), sketch(wide))
    left, right = sketch(*parts[:3]), pickle.loads(pickle.dumps(sketch(*parts[3:])))
    left.merge(right)
    assert_same(left, sketch(wide))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "infinite"])
def test_they_are_within_the_stated_error(kind: str) -> None:
    wide = np.sort(KINDS[kind].astype(np.float64))
    found = sketch(KINDS[kind]).of(SHARES)[:, 0]
    ranks = np.asarray(SHARES) * (len(wide) - 1)
    below, above = wide[np.floor(ranks).astype(int)], wide[np.ceil(ranks).astype(int)]
    slack = np.maximum(np.abs(below), np.abs(above)) * (SKETCH_ERROR + 1e-12) + 1e-300
    exact = below / 2 + above / 2 + (above / 2 - below / 2) * (2 * (ranks % 1) - 1)
    assert (np.abs(found - exact) <= slack).all()


def test_types_may_be_mixed() -> None:
    parts = [KINDS[kind] for kind in ("float32", "counting", "bool", "float64", "infinite")]
    assert_same(sketch(*parts), sketch(np.concatenate([p.astype(np.float64) for p in parts])))


def test_a_number_that_is_none_leaves_no_quantile() -> None:
    for dtype in (np.float32, np.float64, np.float16):
        values = np.array([1.0, np.nan, 2.0], dtype)
        assert np.isnan(sketch(values).of(SHARES)).all()
        assert np.isnan(sketch(np.array([np.nan], dtype), values[:1]).of(SHARES)).all()


@pytest.mark.parametrize(
    "low", [0, 1, 2, 4095, 4097, 8191, 1 << 20, (1 << 31) + 5, (1 << 53) - 400]
)
@pytest.mark.parametrize("count", [1, 2, 300, 20_000])
def test_numbers_that_count_up_are_those_numbers(low: int, count: int) -> None:
    values = np.arange(low, low + count, dtype=np.int64)
    apart = np.random.default_rng(0).permutation(values)
    assert_same(sketch(values[:, None]), sketch(values.astype(np.float64)[:, None]))
    assert_same(sketch(apart[:, None]), sketch(values[:, None]))
