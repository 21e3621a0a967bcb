"""Statistics of rows that come batch by batch, with the interface of lerobot's `RunningQuantileStats`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from roboreel.stats.feature_stats import QUANTILES, Array, FeatureStats, moments, quantile_name
from roboreel.stats.merge import merged_pair
from roboreel.stats.quantiles import Quantiles
from roboreel.torch.errors import ArgumentError

DEFAULT_QUANTILES = list(QUANTILES)


class RunningQuantileStats:
    """Minimum, maximum, mean, standard deviation and quantiles of the rows added so far.

    All are exact, in float64. Quantiles are numpy's linear ones up to 64 MiB of numbers; beyond that they are
    off by 0.012 % of their size.
    """

    def __init__(
        self, quantile_list: Sequence[float] | None = None, num_quantile_bins: int = 5000
    ) -> None:
        """Begin without rows.

        Args:
            quantile_list: which quantiles, from 0 to 1.
            num_quantile_bins: accepted; quantiles are not read off bins.
        """
        self.quantile_list = DEFAULT_QUANTILES if quantile_list is None else list(quantile_list)
        self.num_quantile_bins = num_quantile_bins
        self._known: FeatureStats = {}
        self._quantiles: Quantiles | None = None

    def update(self, batch: npt.NDArray[np.generic]) -> None:
        """Add rows.

        Args:
            batch: (…, width) numbers: everything before the last axis counts as rows.

        Raises:
            ArgumentError: the width differs from earlier rows.
        """
        rows = np.asarray(batch)
        rows = rows.reshape(-1, rows.shape[-1])
        if self._quantiles is None:
            self._quantiles = Quantiles(rows.shape[1])
        if rows.shape[1] != self._quantiles.width:
            raise ArgumentError(
                f"these rows have {rows.shape[1]} components, but the earlier rows have"
                f" {self._quantiles.width}"
            )
        with np.errstate(invalid="ignore", over="ignore"):
            part = moments(rows.astype(np.float64), axis=0)
        part["count"] = np.array([len(rows)], dtype=np.int64)
        self._known = merged_pair(self._known, part) if self._known else part
        self._quantiles.add(rows)

    def get_statistics(self) -> dict[str, Array]:
        """(width,) `min`, `max`, `mean`, `std` and quantiles, and (1,) `count` of the rows.

        Raises:
            ArgumentError: fewer than two rows were added.
        """
        if self._quantiles is None or self._quantiles.rows < 2:
            raise ArgumentError("statistics need at least two rows")
        cuts = self._quantiles.of(self.quantile_list)
        named = zip(self.quantile_list, cuts, strict=True)
        return {**self._known, **{quantile_name(share): cut for share, cut in named}}
