"""Which episodes share a file, and which share an op."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from roboreel.plan.merge_sources import MergedSources
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
    """Groups consecutive episodes into files: a new file begins at the limit, or where the kind changes.

    Args:
        sizes: (episodes,) bytes of each.
        limit_mb: soft limit of a file in MiB; an episode never spans two files.
        kind: (episodes,) episodes of different kinds never share a file.
        row_range: (episodes,) episodes with the same number stay together, whatever their size.
        join: False: episodes with different `row_range` never share a file.
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
        # at its first episode, a unit is weighed as a whole: it must not be cut later
        if other_kind or (begins and filled and filled + weights[unit] > limit):
            starts.append(episode)
            filled = 0.0
        filled += float(sizes[episode])
    return _ranges(starts, count)


def batches(sources: Sequence[object], *, one_file_each: bool) -> list[EpisodeRange]:
    """Groups consecutive episodes into ops that write one file per episode.

    Episodes of one input file share an op, so that the file is read once; if each episode has its own input
    file, a few hundred share an op.

    Args:
        sources: (episodes,) the input file of each.
        one_file_each: True if the input has one file per episode.
    """
    starts = [0]
    for episode in range(1, len(sources)):
        full = episode - starts[-1] >= _BATCH_EPISODES
        if full or (not one_file_each and sources[episode] != sources[episode - 1]):
            starts.append(episode)
    return _ranges(starts, len(sources))


def runs(flags: Sequence[bool], *, longest: int) -> list[EpisodeRange]:
    """The runs of episodes whose flag is set, at most `longest` episodes each."""
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


def row_ranges_of(merged: MergedSources, sources: Sequence[str | None]) -> Int64 | None:
    """(episodes,) a number per run of episodes that share an input file, if files keep their episodes.

    None if episodes are packed from scratch: the user asked for it, the version changes, or the episodes of
    a file no longer follow each other.

    Args:
        merged: what is written.
        sources: (episodes,) the input file of each episode.
    """
    versions = {source.model.info.version for source in merged.view.sources}
    if merged.options.regroup or versions != {merged.version}:
        return None
    starts = [at for at in range(len(sources)) if at == 0 or sources[at] != sources[at - 1]]
    if len({sources[at] for at in starts}) < len(starts):
        return None
    numbers = np.zeros(len(sources), dtype=np.int64)
    numbers[starts[1:]] = 1
    return np.cumsum(numbers)


def parts_by(flags: Sequence[bool], batch: EpisodeRange) -> Iterator[tuple[EpisodeRange, bool]]:
    """The runs of episodes of a batch with equal flags, each with its flag."""
    start = batch.start
    for at in range(batch.start + 1, batch.stop + 1):
        if at == batch.stop or flags[at] != flags[start]:
            yield EpisodeRange(start=start, stop=at), flags[start]
            start = at
