"""The error of a merge whose datasets have different frame rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from roboreel.errors import UsageError, counted, listed

_FEW = 3
"""Most datasets of one frame rate that the message names."""


class DifferentRatesError(UsageError):
    """Datasets with different frame rates cannot be merged without resampling."""

    def __init__(self, urls: Mapping[Fraction, Sequence[str]]) -> None:
        """Name the datasets of each frame rate.

        Args:
            urls: the datasets by frame rate; two or more rates.
        """
        self.rate = max(urls, key=lambda rate: (len(urls[rate]), rate))
        """The rate to suggest: that of most datasets, the highest of several."""
        rare_first = sorted(urls.items(), key=lambda item: len(item[1]))
        told = "; ".join(f"{float(rate):g} fps in {_named(names)}" for rate, names in rare_first)
        super().__init__(
            f"the datasets have different frame rates: {told}. Resample them to one rate with"
            f" .resample({_as_argument(self.rate)})"
        )


def _named(urls: Sequence[str]) -> str:
    return listed(urls) if len(urls) <= _FEW else counted(len(urls), "dataset")


def _as_argument(rate: Fraction) -> str:
    whole = rate.denominator == 1
    return str(rate) if whole else f"Fraction({rate.numerator}, {rate.denominator})"
