"""Where episodes stand still at their ends, and which movement tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roboreel.edit.view_data import ViewData
from roboreel.edit.view_rows import numeric_values
from roboreel.errors import UsageError
from roboreel.types import Floats, Int64

_FAST, _SHARE_OF_FAST = 0.95, 0.05
"""A value stands still where it moves by less than this share of the step that few frames exceed: held
against recordings of real robots, that cuts the waiting at both ends and nothing of simulated episodes."""
_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StillSuggestion:
    """What `trim_still` could take as standing still, from a feature's values.

    A step is the largest change of any of the feature's values from one frame to the next, in its own unit.
    """

    feature: str
    most: float | None
    """The suggested `most`; None where nothing ever moves."""
    median: float
    """The step that half of the frames stay below."""
    fast: float
    """The step that 5 % of the frames exceed; `most` is 5 % of it, rounded down."""
    largest: float
    """The largest step."""


def moving(
    view: ViewData, feature: str, most: float, positions: Int64
) -> dict[int, tuple[int, int]]:
    """By number of episode, the frames from the last before its first movement to the first after its last.

    Args:
        view: the view.
        feature: the numeric feature that tells.
        most: how far a value may be from the one before while it stands still.
        positions: of the episodes to look at.

    Raises:
        UsageError: there is no such feature, or an episode never moves.
    """
    if not 0 <= most < math.inf:
        raise UsageError(f"the still threshold must be a non-negative number, got {most}")
    found: dict[int, tuple[int, int]] = {}
    never: dict[int, float] = {}
    steps: list[Floats] = []
    for number, values in numeric_values(view, feature, positions):
        own = largest_steps(values)
        steps.append(own)
        span = _moving_span(own, most)
        if span is None:
            never[number] = float(own.max(initial=0))
        else:
            found[number] = span
    if never:
        listed = ", ".join(map(str, [*never][:_LISTED])) + (" …" if len(never) > _LISTED else "")
        usual = suggestion(feature, steps).most
        smaller = usual is not None and usual < most
        less = f", or use a smaller threshold, such as {usual:g}" if smaller else ""
        raise UsageError(
            f"'{feature}' never moves by more than {most:g} in episode {listed}"
            f" (at most by {max(never.values()):.3g}): delete such episodes or choose the others{less}"
        )
    return found


def suggested(view: ViewData, feature: str, positions: Int64) -> StillSuggestion:
    """A threshold for `moving`, from the values of a feature in some episodes: see `moving`."""
    return suggestion(
        feature, [largest_steps(values) for _, values in numeric_values(view, feature, positions)]
    )


def suggestion(feature: str, steps: Sequence[Floats]) -> StillSuggestion:
    """A threshold from the steps of episodes, see `largest_steps`; those that are no numbers don't count."""
    every = np.concatenate([*steps, np.zeros(0)])
    every = every[np.isfinite(every)]
    if not len(every):
        return StillSuggestion(feature=feature, most=None, median=0.0, fast=0.0, largest=0.0)
    median, fast, largest = np.quantile(every, [0.5, _FAST, 1]).tolist()
    usual = fast or largest
    return StillSuggestion(
        feature=feature,
        most=_rounded_down(usual * _SHARE_OF_FAST) if usual > 0 else None,
        median=median,
        fast=fast,
        largest=largest,
    )


def moving_frames(values: np.ndarray[Any, Any], most: float) -> tuple[int, int] | None:
    """The frames `[start, stop)` that are left without those at both ends in which nothing moves.

    Args:
        values: (frames, …) of an episode. What is no number counts as movement.
        most: how far a value may be from the one before while it stands still.

    Returns:
        None where nothing ever moves.
    """
    return _moving_span(largest_steps(values), most)


def largest_steps(values: np.ndarray[Any, Any]) -> Floats:
    """(frames − 1,) the largest change of any value to the next frame; infinite at what is no number."""
    flat: Floats = values.reshape(len(values), -1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        changes = np.abs(np.diff(flat, axis=0))
    steps: Floats = np.where(np.isnan(changes), np.inf, changes).max(axis=1, initial=0)
    return steps


def _moving_span(steps: Floats, most: float) -> tuple[int, int] | None:
    moves = np.flatnonzero(steps > most)
    return (int(moves[0]), int(moves[-1]) + 2) if len(moves) else None


def _rounded_down(value: float) -> float:
    """Two significant digits of a positive number."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / unit + 1e-9) * unit:.2g}")
