"""How the frame rate changes in each dataset of a view."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from roboreel.edit.frame_rate import taken_count
from roboreel.edit.view_data import ViewData
from roboreel.types import Int64


def steps_of(view: ViewData) -> tuple[Fraction, ...]:
    """(sources,) input frames per frame of the result: other than 1 where a dataset is resampled."""
    fps = view.new_fps
    rates = [source.model.info.fps for source in view.sources]
    return tuple(Fraction(1) if fps is None else own / fps for own in rates)


def result_lengths(view: ViewData, lengths: Int64 | None = None) -> Int64:
    """(n,) frames of each episode at the result's frame rate.

    Args:
        view: the view.
        lengths: (n,) frames at the sources' rates; by default those in the documents.
    """
    own = view.lengths if lengths is None else lengths
    steps = steps_of(view)
    if all(step == 1 for step in steps):
        return own
    pairs = zip(own.tolist(), view.slices.source.tolist(), strict=True)
    return np.array([taken_count(rows, steps[number]) for rows, number in pairs], dtype=np.int64)
