"""Which episodes share a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreel.plan.plan import EpisodeRange
from roboreel.types import Int64

_BATCH_EPISODES = 256
MIB = 1 << 20


def pack(
    sizes: Int64,
    *,
    limit_mb: float,
    kind: Int64 | None = None,
    row_range: Int64 | None = None,
    join: bool = True,
) -> list[EpisodeRange]:
    """Consecutive episodes into files: a new one where the limit would be passed, or the kind changes.

    Args:
        sizes: (episodes,) bytes of each.
        limit_mb: soft limit of a file in MiB; an episode never spans two files.
        kind: (episodes,) episodes of different kinds never share a file.
        stretch: (episodes,) episodes of one stretch stay together, whatever their size.
        join: False: those of different stretches never share a file.
    """
    count = len(sizes)
    kinds = (np.zeros(count, dtype=np.int64) if kind is None else kind).tolist()
    units = (np.arange(count, dtype=np.int64) if row_range is None else row_range).tolist()
    weights = np.bincount(units, weights=sizes).tolist() if count else []
    limit = limit_mb * MIB if row_range is None or join else 0.0
    starts, filled = [0], 0.0
    for episode, unit in enumerate(units):
        begins = episode == 0 or unit != units[episode - 1]
        other_kind = episode > 0 and kinds[episode] != kinds[episode - 1]
        if other_kind or (begins and filled and filled + weights[unit] > limit):
            starts.append(episode)
            filled = 0.0
        filled += float(sizes[episode])
    return _ranges(starts, count)


def batches(sources: Sequence[object], *, one_file_each: bool) -> list[EpisodeRange]:
    """Consecutive episodes into ops that write one file per episode.

    Episodes from one input file come together, so that it is read once; where every episode has its own
    input, a few hundred are one op.

    Args:
        sources: (episodes,) the input file of each.
        one_file_each: True where the input has one file per episode.
    """
    starts = [0]
    for episode in range(1, len(sources)):
        full = episode - starts[-1] >= _BATCH_EPISODES
        if full or (not one_file_each and sources[episode] != sources[episode - 1]):
            starts.append(episode)
    return _ranges(starts, len(sources))


def runs(flags: Sequence[bool], *, longest: int) -> list[EpisodeRange]:
    """The stretches of episodes whose flag is set, none longer than `longest`."""
    found: list[EpisodeRange] = []
    start: int | None = None
    for episode, flag in enumerate([*flags, False]):
        if start is not None and (not flag or episode - start >= longest):
            found.append(EpisodeRange(start=start, stop=episode))
            start = None
        if flag and start is None:
            start = episode
    return found


def _ranges(starts: Sequence[int], stop: int) -> list[EpisodeRange]:
    if stop == 0:
        return []
    ends = [*starts[1:], stop]
    return [EpisodeRange(start=a, stop=b) for a, b in zip(starts, ends, strict=True)]
