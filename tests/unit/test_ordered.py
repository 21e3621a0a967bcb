"""Statistics of many episodes at once against numpy, an episode at a time, on numbers of every kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from roboreel.stats import sorted_values as ordered_module
from roboreel.stats.feature_stats import QUANTILES, quantile_name
from roboreel.stats.numeric import episodes_stats
from roboreel.stats.sampling import OWN
from roboreel.stats.sorted_values import as_columns, ordered, portions, rows_at_once

NAN, INF = float("nan"), float("inf")
SIGNALLING = np.array([0x7FA00000], np.uint32).view(np.float32)[0]


def random_of(dtype: str, rows: int) -> npt.NDArray[Any]:
    random = np.random.default_rng(rows)
    if dtype == "bool":
        return random.random((rows, 3)) < 0.4
    if dtype.startswith(("int", "uint")):
        info = np.iinfo(dtype)
        return random.integers(info.min, info.max, (rows, 3), dtype=dtype, endpoint=True)
    return random.normal(0, 100, (rows, 3)).astype(dtype)


ODD: dict[str, npt.NDArray[Any]] = {
    "nan": np.array([1.0, NAN, -2.0, 5.0, 3.0, 3.0, NAN], np.float32),
    "signalling": np.array([1.0, SIGNALLING, 0.5, 2.0, 7.0, -1.0, 4.0], np.float32),
    "infinite": np.array([INF, 1.0, -INF, 0.0, 2.0, INF, 3.0]),
    "signed zeros": np.array([0.0, -0.0, -0.0, 1.0, -1.0, 0.0, 0.0], np.float32),
    "constant": np.full(7, 0.1),
    "ascending": np.arange(7, dtype=np.int64),
    "ascending, then NaN": np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, NAN]),
    "beyond 2^53": (1 << 60) + np.array([3, 1, 2, 2, 900, 901, 7], np.int64),
    "largest": np.array([2**64 - 1, 0, 2**63, 2**63 - 1, 1, 2**64 - 2, 5], np.uint64),
    "subnormal": np.array([1e-45, 0.0, -1e-45, 3e-39, 1e-38, 1.0, -1.0], np.float32),
    "huge": np.array([1e308, -1e308, 1e308, 1.0, 0.0, 1e308, 5.0]),
}
LENGTHS = ([7], [1, 6], [3, 3, 1], [1] * 7, [2, 5])


def assert_as_numpy(values: npt.NDArray[Any], lengths: list[int]) -> None:
    block = episodes_stats({"x": values}, np.array(lengths), OWN)
    stop = 0
    for at, count in enumerate(lengths):
        start, stop = stop, stop + count
        found = block.of(at)["x"]
        with np.errstate(invalid="ignore", over="ignore"):
            own = values[start:stop].astype(np.float64).reshape(count, -1)
            cuts = np.quantile(own, QUANTILES, axis=0)
            for key, exact in (("min", own.min(axis=0)), ("max", own.max(axis=0))):
                np.testing.assert_array_equal(found[key].reshape(-1), exact)
            for share, exact in zip(QUANTILES, cuts, strict=True):
                np.testing.assert_array_equal(found[quantile_name(share)].reshape(-1), exact)
        assert found["count"].tolist() == [count]
        for column, mean, std in zip(
            own.T, found["mean"].reshape(-1), found["std"].reshape(-1), strict=True
        ):
            if np.isfinite(column).all() and np.abs(column).max() < 1e300:
                scale = float(np.abs(column).max())
                exact_mean = math.fsum(column.tolist()) / count
                apart = math.fsum((x - exact_mean) ** 2 for x in column.tolist())
                assert mean == pytest.approx(exact_mean, rel=1e-14, abs=1e-15 * scale)
                assert std == pytest.approx(math.sqrt(apart / count), rel=1e-9, abs=1e-15 * scale)
            elif not np.isfinite(column).all():
                assert not np.isfinite(mean)
                assert np.isnan(std)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("kind", ODD)
def test_odd_numbers(kind: str, lengths: list[int]) -> None:
    assert_as_numpy(ODD[kind], lengths)


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "bool", "int8", "int32", "int64", "uint8", "uint64"],
)
@pytest.mark.parametrize("lengths", [[40], [10, 10, 10, 10], [1, 2, 30, 7], [1] * 40], ids=str)
def test_numbers_of_every_type(dtype: str, lengths: list[int]) -> None:
    assert_as_numpy(random_of(dtype, sum(lengths)), lengths)


def test_more_rows_than_are_described_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [53, 50, 5, 109, 1, 2]
    values = random_of("float32", sum(lengths))
    for most in (1, 100, 300):
        monkeypatch.setattr(ordered_module, "_MOST_NUMBERS", most)
        assert rows_at_once(values) == max(1, most // 3)
        assert_as_numpy(values, lengths)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_an_episode_does_not_depend_on_the_others(dtype: str) -> None:
    lengths = [900, 1, 900, 17, 2000]
    values = random_of(dtype, sum(lengths))
    together = episodes_stats({"x": values, "y": values[:, :1]}, np.array(lengths), OWN)
    stop = 0
    for at, count in enumerate(lengths):
        start, stop = stop, stop + count
        own = values[start:stop]
        alone = episodes_stats({"x": own, "y": own[:, :1]}, np.array([count]), OWN)
        for name, parts in alone.of(0).items():
            for key, exact in parts.items():
                assert together.of(at)[name][key].tobytes() == exact.tobytes()


def test_numbers_at_ranks() -> None:
    values = random_of("float32", 23)
    lengths, starts = np.array([4, 1, 18]), np.array([0, 4, 5])
    found = ordered(as_columns(values), starts, lengths).ranked(QUANTILES)
    for at, (start, count) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        exact = np.quantile(values[start : start + count], QUANTILES, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(found[:, at], exact)


@pytest.mark.parametrize("rows", [1, 5, 10, 1000])
def test_portions_are_whole_episodes(rows: int) -> None:
    lengths = np.array([3, 9, 1, 1, 1, 20, 2])
    found = list(portions(lengths, rows=rows))
    assert [at for episodes, _ in found for at in range(episodes.start, episodes.stop)] == [
        *range(7)
    ]
    for episodes, part in found:
        assert part.stop - part.start == lengths[episodes].sum()
        assert part.stop - part.start <= rows or episodes.stop - episodes.start == 1
