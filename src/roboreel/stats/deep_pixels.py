"""Statistics of pictures of more than 8 bits, such as depths: of the values themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreel.stats.feature_stats import FeatureStats, merged_pair, quantile_name, values_stats
from roboreel.stats.histogram_quantiles import quantiles_of_histogram
from roboreel.stats.quantiles import Quantiles

_KEPT_BYTES = 64 << 20


@dataclass(slots=True)
class DeepPixels:
    """The pixels of such pictures: all of them up to 64 MiB, beyond that moments and a sketch."""

    kept_bytes: int = _KEPT_BYTES
    _kept: list[npt.NDArray[np.generic]] = field(default_factory=list, repr=False)
    """(pixels, channels) of values that are not yet merged."""
    _merged: FeatureStats = field(default_factory=dict, repr=False)
    _sketch: Quantiles | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """True where there are any."""
        return bool(self._kept or self._merged)

    def add(self, pixels: npt.NDArray[np.generic]) -> None:
        """Take in (pixels, channels) values."""
        self._kept.append(pixels)
        if sum(kept.nbytes for kept in self._kept) > self.kept_bytes:
            self._merge()

    def stats(
        self, quantiles: Sequence[float], *, pictures: int, histogram_quantiles: bool
    ) -> FeatureStats:
        """Statistics per channel, of shape (channels, 1, 1), in the unit of the values.

        Args:
            quantiles: which to include, from 0 to 1.
            pictures: number of pictures taken in; becomes `count`.
            binned: True reads quantiles off a histogram, as lerobot does, where all values were kept.
        """
        if self._sketch is None:
            values = np.concatenate(self._kept)
            stats = values_stats(values, quantiles=() if histogram_quantiles else quantiles)
            cuts = quantiles_of_histogram(values, quantiles) if histogram_quantiles else ()
        else:
            self._merge()
            stats, cuts = dict(self._merged), self._sketch.of(quantiles)
        stats |= {quantile_name(q): cut for q, cut in zip(quantiles, cuts, strict=False)}
        shaped: FeatureStats = {key: value.reshape(-1, 1, 1) for key, value in stats.items()}
        return {**shaped, "count": np.array([pictures], dtype=np.int64)}

    def _merge(self) -> None:
        if not self._kept:
            return
        values = np.concatenate(self._kept)
        self._kept = []
        self._sketch = self._sketch or Quantiles(values.shape[1], budget_bytes=0)
        self._sketch.add(values)
        part = values_stats(values, quantiles=())
        self._merged = merged_pair(self._merged, part) if self._merged else part
