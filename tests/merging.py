"""Statistics of features and of episodes one at a time, as tests expect them of many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from roboreel.stats.block import blocks_of
from roboreel.stats.feature_stats import Stats, values_stats
from roboreel.stats.merge import StatsMerger


def features_stats(
    columns: Mapping[str, npt.NDArray[np.generic]], *, quantiles: Sequence[float]
) -> Stats:
    """Statistics of several features over the same rows, one feature after another."""
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
        wide = {name: values.astype(np.float64) for name, values in columns.items()}
    return {name: values_stats(values, quantiles=quantiles) for name, values in wide.items()}


def merge_stats(episodes: Iterable[Stats]) -> Stats:
    """The statistics of all episodes together, one after another."""
    merger = StatsMerger()
    for block in blocks_of([*episodes]):
        merger.add_in_order(block)
    return merger.result()
