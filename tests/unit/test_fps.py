"""Frame rates as exact numbers."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreel.format.fps import parse_fps, seconds_at

NTSC = [(24000, 1001), (30000, 1001), (60000, 1001), (120000, 1001)]


@pytest.mark.parametrize(
    ("document", "fps"),
    [
        ("30", Fraction(30)),
        ("30.0", Fraction(30)),
        ("29.97", Fraction(2997, 100)),
        ("23.976", Fraction(23976, 1000)),
        ("0.5", Fraction(1, 2)),
        ("12.5", Fraction(25, 2)),
        ("1e2", Fraction(100)),
        ("100000", Fraction(100_000)),
        ("0.0001", Fraction(1, 10_000)),
        ('"30"', Fraction(30)),
    ],
)
def test_number_is_taken_as_it_is_written(document: str, fps: Fraction) -> None:
    assert parse_fps(json.loads(document)) == fps


@pytest.mark.parametrize("ratio", NTSC, ids=str)
@pytest.mark.parametrize("digits", [6, 9, None])
def test_decimal_form_of_a_ratio_is_that_ratio(ratio: tuple[int, int], digits: int | None) -> None:
    number = ratio[0] / ratio[1]
    assert parse_fps(number if digits is None else round(number, digits)) == Fraction(*ratio)


def test_float_next_to_a_whole_number_is_that_number() -> None:
    assert parse_fps(29.999999999999996) == 30
    assert parse_fps(10.000000000000002) == 10


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        -0.0,
        100_001,
        float("nan"),
        float("inf"),
        float("-inf"),
        True,
        False,
        None,
        [],
        [30],
        {},
        "",
        "fast",
        "30 fps",
        "nan",
        "1e999",
        10**400,
        1e-300,
        "1/0",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_frame_rate_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a positive number"):
        parse_fps(value)


@given(st.integers(1, 1000), st.integers(1, 1001), st.integers(0, 10**7))
def test_seconds_are_rounded_once(numerator: int, denominator: int, frame: int) -> None:
    fps = Fraction(numerator, denominator)
    exact = Fraction(frame) / fps
    found = seconds_at(frame, fps)
    assert found == exact.numerator / exact.denominator
    assert round(found * numerator / denominator) == frame
