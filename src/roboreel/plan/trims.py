"""Which frames of which episodes a plan leaves out: for people to see before and after a run."""

from __future__ import annotations

import numpy as np

from roboreel.edit.episode_slices import END
from roboreel.format.model import EPISODE, LENGTH
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import TrimmedEpisode


def trimmed_episodes(view: MergedSources) -> tuple[TrimmedEpisode, ...]:
    """The episodes of the result that lose frames at an end, in their order.

    Frames are counted at the source's rate, before any resampling.
    """
    slices = view.view.slices
    cut = (slices.start[view.rows] != 0) | (slices.stop[view.rows] != END)
    several = len(view.view.sources) > 1
    found = []
    for at in view.rows[np.flatnonzero(cut)].tolist():
        dataset = view.view.sources[int(slices.source[at])].dataset
        episode = dataset.model.episodes.slice(int(slices.row[at]), 1)
        start = int(slices.start[at])
        stop = start + int(view.row_range[at])
        whole = slices.stop[at] == END
        frames = stop if whole else int(episode[LENGTH][0].as_py())
        if (start, stop) == (0, frames):
            continue
        found.append(
            TrimmedEpisode(
                source=dataset.url if several else None,
                episode=int(episode[EPISODE][0].as_py()),
                frames=frames,
                start=start,
                stop=stop,
            )
        )
    return tuple(found)
