"""The order in which rows of several datasets are read, each dataset with a share of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreel.errors import UsageError
from roboreel.types import Int64


def shares_of(total: int, weights: Sequence[float]) -> list[int]:
    """How many of `total` rows each dataset gives: in proportion to the weights, to the nearest row.

    Raises:
        UsageError: a weight is negative or no number, or all are 0.
    """
    array = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise UsageError(
            f"weights are {list(weights)}, expected numbers of 0 or more, at least one above 0"
        )
    exact = total * array / array.sum()
    counts = np.floor(exact).astype(np.int64)
    left = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return [int(count) for count in counts]


def mixture_rows(sizes: Sequence[int], counts: Sequence[int], *, seed: int, epoch: int) -> Int64:
    """(sum of counts,) the rows of an epoch, shuffled; the rows of a dataset follow those of the one before.

    Epochs go on where the one before ended: every row of a dataset is read once before any is read twice.

    Args:
        sizes: rows of each dataset.
        counts: rows that each gives to an epoch.
        seed: of the order.
        epoch: its number, from 0.

    Raises:
        UsageError: a dataset without rows is to give some.
    """
    first = np.cumsum([0, *sizes[:-1]])
    parts = [
        _rows_of(number, size, count, seed, epoch) + first[number]
        for number, (size, count) in enumerate(zip(sizes, counts, strict=True))
    ]
    rows = np.concatenate(parts)
    return np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(rows)


def _rows_of(number: int, size: int, count: int, seed: int, epoch: int) -> Int64:
    """The rows of one dataset in an epoch: the next `count` of its endless row of permutations."""
    if not count:
        return np.zeros(0, dtype=np.int64)
    if not size:
        raise UsageError(
            f"dataset {number} has a weight above 0 but no rows: leave it out, or set its weight to 0"
        )
    start, stop = epoch * count, (epoch + 1) * count
    rounds = range(start // size, -(-stop // size))
    endless = np.concatenate([_permutation(size, seed, number, one) for one in rounds])
    return endless[start - rounds[0] * size :][:count]


def _permutation(size: int, seed: int, number: int, turn: int) -> Int64:
    random = np.random.default_rng(np.random.SeedSequence([seed, number, turn]))
    return random.permutation(size).astype(np.int64)
