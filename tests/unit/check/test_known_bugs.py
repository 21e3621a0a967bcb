"""The bugs of released writers, made by their own formulas, are told from sound statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreel.checking.known_bugs import overflowed
from roboreel.checking.stored_matrices import StoredFeature

Pixels = npt.NDArray[np.uint8]
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def described(pixels: Pixels, *, wrapped: bool, quantiles: bool = True) -> dict[str, Any]:
    """Statistics of the pixels of a channel, in [0, 1]."""
    wide = pixels.astype(np.float64)
    squares = (pixels * pixels).astype(np.float64) if wrapped else wide**2
    found = {
        "min": wide.min() / 255,
        "max": wide.max() / 255,
        "mean": wide.mean() / 255,
        "std": np.sqrt(max(squares.mean() - wide.mean() ** 2, 0)) / 255,
    }
    cuts = {name: np.quantile(wide, q) / 255 for name, q in QUANTILES.items()}
    return found | (cuts if quantiles else {})


def stored(rows: Sequence[Mapping[str, float]]) -> StoredFeature:
    values = {key: np.array([[row[key]] for row in rows]) for key in rows[0]}
    count = np.full(len(rows), 100)
    return StoredFeature((1, 1, 1), values, np.ones(len(rows), dtype=np.bool_), count)


def picture(seed: int, mean: float, spread: float) -> Pixels:
    values = np.random.default_rng(seed).normal(mean, spread, 20_000)
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("quantiles", [True, False])
@pytest.mark.parametrize(("mean", "spread"), [(40, 10), (100, 30), (128, 80), (220, 20)])
def test_wrapped_squares_are_told(mean: float, spread: float, quantiles: bool) -> None:
    pixels = picture(1, mean, spread)
    made = [described(pixels, wrapped=bad, quantiles=quantiles) for bad in (True, False)]
    assert overflowed(stored(made)).tolist() == [True, False]


@given(seed=st.integers(0, 999), mean=st.floats(0, 255), spread=st.floats(0, 150))
def test_sound_statistics_are_never_accused(seed: int, mean: float, spread: float) -> None:
    pixels = picture(seed, mean, spread)
    for quantiles in (True, False):
        assert not overflowed(stored([described(pixels, wrapped=False, quantiles=quantiles)])).any()


@given(share=st.floats(0.001, 0.999), low=st.integers(0, 255), high=st.integers(0, 255))
def test_pictures_of_two_colours_are_never_accused(share: float, low: int, high: int) -> None:
    """The least spread that quantiles allow is that of two values."""
    number = max(1, int(share * 5000))
    pixels = np.array([low] * number + [high] * (5000 - number), dtype=np.uint8)
    assert not overflowed(stored([described(pixels, wrapped=False)])).any()


def test_a_merge_of_wrong_stds_is_told() -> None:
    """The std of the whole is then what the episodes' means differ by."""
    episodes = [described(picture(n, 100 + n, 40), wrapped=True) for n in range(6)]
    merged = {key: float(np.mean([one[key] for one in episodes])) for key in episodes[0]}
    means = np.array([one["mean"] for one in episodes])
    merged["std"] = float(means.std())
    assert merged["std"] > 0.003
    assert overflowed(stored([merged]), parts=True).all()
    merged["std"] = float(np.sqrt(means.std() ** 2 + (40 / 255) ** 2))
    assert not overflowed(stored([merged]), parts=True).any()
