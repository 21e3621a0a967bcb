"""How the episodes of a result lie in the files of its input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.plan import EpisodeRange
from roboreel.types import Int64


def row_ranges_of(view: MergedSources, sources: Sequence[str | None]) -> Int64 | None:
    """(episodes,) numbers of the stretches of episodes that share an input file, where files are to stay.

    None where episodes are to be packed anew: because that was asked for, the version changes, or the
    order tears files apart.

    Args:
        view: what is written.
        sources: (episodes,) the input file of each episode.
    """
    versions = {source.model.info.version for source in view.view.sources}
    if view.options.regroup or versions != {view.version}:
        return None
    starts = [at for at in range(len(sources)) if at == 0 or sources[at] != sources[at - 1]]
    if len({sources[at] for at in starts}) < len(starts):
        return None
    numbers = np.zeros(len(sources), dtype=np.int64)
    numbers[starts[1:]] = 1
    return np.cumsum(numbers)


def parts_by(flags: Sequence[bool], batch: EpisodeRange) -> Iterator[tuple[EpisodeRange, bool]]:
    """The stretches of a batch of episodes whose flags are the same, each with its flag."""
    start = batch.start
    for at in range(batch.start + 1, batch.stop + 1):
        if at == batch.stop or flags[at] != flags[start]:
            yield EpisodeRange(start=start, stop=at), flags[start]
            start = at
