"""Statistics of pictures from counts of each value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roboreel.stats.feature_stats import QUANTILES, quantile_name
from roboreel.stats.pixel_counts import (
    CameraCounts,
    Counted,
    counted_to_json,
    histogram_stats,
    parse_counted,
    quantiles_of_levels,
)
from roboreel.stats.sampling import SamplingProfile

SHARES = (*QUANTILES, 0.0, 0.025, 0.25, 1.0)


@st.composite
def pixels(draw: st.DrawFn) -> npt.NDArray[np.uint8]:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 60)))
    return draw(arrays(np.uint8, shape))


def counts_of(values: npt.NDArray[np.integer], levels: int = 256) -> npt.NDArray[np.int64]:
    return np.stack([np.bincount(channel, minlength=levels) for channel in values]).astype(np.int64)


@given(pixels(), st.integers(1, 9))
def test_histogram_is_the_pixels(values: npt.NDArray[np.uint8], pictures: int) -> None:
    stats = histogram_stats(counts_of(values), SamplingProfile(quantiles=SHARES), images=pictures)
    scaled = values / 255
    channels = len(values)
    assert stats["count"].tolist() == [pictures]
    assert all(part.shape == (channels, 1, 1) for key, part in stats.items() if key != "count")
    expected = {
        "min": scaled.min(1),
        "max": scaled.max(1),
        "mean": scaled.mean(1),
        "std": scaled.std(1),
    }
    expected |= {quantile_name(q): np.quantile(scaled, q, axis=1) for q in SHARES}
    for key, value in expected.items():
        np.testing.assert_allclose(stats[key].ravel(), value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("total", [1, 2, 10, 100, 101, 2900, 65536, 307200])
def test_quantiles_of_many_levels_are_those_of_numpy(total: int) -> None:
    values = np.random.default_rng(total).integers(0, 65536, (2, total))
    found = quantiles_of_levels(counts_of(values, 65536), np.arange(65536.0), SHARES)
    np.testing.assert_allclose(found, np.quantile(values, SHARES, axis=1), rtol=1e-12)


def test_counts_of_episodes_add_up_in_any_order() -> None:
    random = np.random.default_rng(1)
    parts = [random.integers(0, 256, (3, n)) for n in (5, 1, 70)]
    for order in ([0, 1, 2], [2, 0, 1]):
        sums = CameraCounts()
        for at in order:
            sums.add("top", Counted(counts_of(parts[at]), 1))
        (whole,) = sums.by_camera().values()
        assert whole.episodes == 3
        assert (whole.counts == counts_of(np.concatenate(parts, axis=1))).all()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("inconsistent", [None, Counted(np.ones((1, 256), dtype=np.int64), 1)])
def test_a_camera_of_which_some_cannot_be_counted_is_not_counted(
    inconsistent: Counted | None, first: bool
) -> None:
    sums = CameraCounts()
    sound = [Counted(np.ones((3, 256), dtype=np.int64), 1)] * 2
    for one in [inconsistent, *sound] if first else [*sound, inconsistent]:
        sums.add("top", one)
    sums.add("wrist", sound[0])
    assert list(sums.by_camera()) == ["wrist"]


def test_counts_survive_json() -> None:
    counted = Counted(counts_of(np.random.default_rng(2).integers(0, 256, (3, 999))), 4)
    again = parse_counted(counted_to_json(counted))
    assert again.episodes == 4
    assert (again.counts == counted.counts).all()
