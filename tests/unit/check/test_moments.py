"""Moments by chunks are those of all rows at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreel.stats.moments import Moments


def filled(values: list[npt.NDArray[np.float64]], chunk: int) -> Moments:
    """The moments of episodes whose rows come in chunks of `chunk` rows."""
    moments = Moments(len(values), values[0].shape[1])
    owner = np.repeat(np.arange(len(values)), [len(one) for one in values])
    joined = np.concatenate(values)
    for begin in range(0, len(joined), chunk):
        here = owner[begin : begin + chunk]
        episodes, starts = np.unique(here, return_index=True)
        moments.add(episodes, starts, joined[begin : begin + chunk])
    return moments


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    chunk=st.integers(1, 12),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
    seed=st.integers(0, 99),
)
def test_chunks_do_not_matter(lengths: list[int], chunk: int, offset: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = [offset + random.normal(size=(n, 3)) for n in lengths]
    moments = filled(values, chunk)
    for row, one in enumerate(values):
        assert moments.count[row] == len(one)
        np.testing.assert_array_equal(moments.low[row], one.min(axis=0))
        np.testing.assert_array_equal(moments.high[row], one.max(axis=0))
        np.testing.assert_allclose(moments.mean[row], one.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(moments.variance[row], one.var(axis=0), rtol=1e-8, atol=1e-8)
    total, every = moments.total(), np.concatenate(values)
    np.testing.assert_allclose(total.mean[0], every.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(total.variance[0], every.var(axis=0), rtol=1e-8, atol=1e-8)
    assert total.count.tolist() == [len(every)]


def test_a_matrix_can_be_taken_as_rows_of_its_last_dimension() -> None:
    values = np.random.default_rng(0).normal(3, 2, (7, 12))
    folded = filled([values], 4).folded(4)
    rows = values.reshape(-1, 4)
    np.testing.assert_allclose(folded.mean[0], rows.mean(axis=0))
    np.testing.assert_allclose(folded.variance[0], rows.var(axis=0))
    np.testing.assert_array_equal(folded.low[0], rows.min(axis=0))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_marks_its_episode_only(wrong: float) -> None:
    values = [np.ones((3, 2)), np.arange(6.0).reshape(3, 2)]
    values[1][2, 0] = wrong
    moments = filled(values, 2)
    assert moments.finite.tolist() == [True, False]
    assert moments.usable.tolist() == [True, False]
    assert moments.constant.tolist()[0]
