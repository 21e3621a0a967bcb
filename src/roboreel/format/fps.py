"""Frame rates as exact numbers, however the document writes them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from roboreel.types import Floats, Int64, Json

MAX_TIMESTAMP_ERROR_S = 1e-4
"""Timestamps further than this from k / fps are irregular; lerobot refuses them by default."""


def parse_fps(value: Json) -> Fraction:
    """The exact frame rate of a JSON number: `29.97` is 2997/100, not 30000/1001.

    Raises:
        ValueError: it is not a positive finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"fps is {value!r}, expected a positive number")  # noqa: TRY004 (of a document)
    try:
        # a text with a huge exponent would become a huge fraction: check its size first
        sound = math.isfinite(float(value)) and float(value) > 1e-9 and len(str(value)) < 40
        rate = Fraction(str(value)) if sound else Fraction(0)
    except (ValueError, ZeroDivisionError, OverflowError):
        rate = Fraction(0)
    if rate.denominator > 10_000:  # the decimal form of a ratio such as 30000/1001
        rate = rate.limit_denominator(1001)
    if not 0 < rate <= 100_000:
        raise ValueError(f"fps is {value!r}, expected a positive number")
    return rate


def seconds_at(frame: int, fps: Fraction) -> float:
    """The time of a frame, correctly rounded to float64."""
    return float(frame / fps)


def seconds_of(frames: Int64, fps: Fraction) -> Floats:
    """(n,) times of frames, counted from 0, in float64 as the reference divides."""
    return np.asarray(frames * fps.denominator / fps.numerator)
