"""Times and distributions in a few characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 16
_MINUTE, _HOUR = 60, 3600


def duration(seconds: float) -> str:
    """`12.5 s`, `7 min 30 s` or `2 h 5 min`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // _MINUTE:,} h {minutes % _MINUTE} min"


def histogram(values: Sequence[int]) -> str:
    """How often values occur from the least to the greatest, as a row of bars; empty if all are equal."""
    if not values or min(values) == max(values):
        return ""
    counts, _ = np.histogram(values, bins=min(_MOST_BARS, len(set(values))))
    top = int(counts.max())
    return "".join(" " if n == 0 else _BARS[-(-int(n) * len(_BARS) // top) - 1] for n in counts)
