"""Which frames of which episodes a view takes, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from roboreel.types import Int64

END = -1
"""As a piece's `stop`: the end of its episode, however long its files say that it is."""


@dataclass(frozen=True, slots=True)
class Retask:
    """A change of the tasks of an episode: every text by another."""

    every: str | None = None
    """The one task that all rows get; None where texts are replaced one by one."""
    strings: tuple[tuple[str, str], ...] = ()
    """(old text, new one); others stay."""

    def of(self, text: str) -> str:
        """The text that takes another's place."""
        return self.every if self.every is not None else dict(self.strings).get(text, text)


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeSlices:
    """Episode slices; each becomes an episode of the result. Arrays are aligned."""

    source: Int64
    """(n,) position of its dataset in `View.sources`."""
    row: Int64
    """(n,) row of its episode in that dataset's table of episodes."""
    start: Int64
    """(n,) first frame of the episode that is taken."""
    stop: Int64
    """(n,) the frame after the last; `END` for the episode's end."""
    retasked: tuple[tuple[Retask, ...], ...]
    """(n,) changes of its tasks, one after another."""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, positions: Sequence[int] | Int64) -> EpisodeSlices:
        """Some of them, in another order."""
        at = np.asarray(positions, dtype=np.int64)
        arrays = (self.source[at], self.row[at], self.start[at], self.stop[at])
        if not any(self.retasked):
            return EpisodeSlices(*arrays, ((),) * len(at))
        return EpisodeSlices(*arrays, tuple(map(self.retasked.__getitem__, at.tolist())))

    def cut(self, positions: Int64, start: Int64, stop: Int64) -> EpisodeSlices:
        """With some of them narrowed to their frames `[start, stop)`, counted within each.

        Args:
            positions: (m,) which, each once.
            start: (m,) first frame to keep.
            stop: (m,) the frame after the last; `END` leaves the slice's end as it is.
        """
        starts, stops = self.start.copy(), self.stop.copy()
        starts[positions] += start
        ends = np.where(stop == END, self.stop[positions], self.start[positions] + stop)
        stops[positions] = ends
        return replace(self, start=starts, stop=stops)

    def retask(self, changes: Sequence[tuple[Retask, Int64]]) -> EpisodeSlices:
        """With changes of tasks, each with the positions that get it."""
        chains = list(self.retasked)
        for change, positions in changes:
            alone = (change,)
            for position in positions.tolist():
                before = chains[position]
                chains[position] = (*before, change) if before else alone
        return replace(self, retasked=tuple(chains))


def whole_slices(rows: Int64, *, source: int = 0) -> EpisodeSlices:
    """Whole episodes of one dataset, by their rows in its table of episodes."""
    count = len(rows)
    return EpisodeSlices(
        source=np.full(count, source, dtype=np.int64),
        row=np.asarray(rows, dtype=np.int64),
        start=np.zeros(count, dtype=np.int64),
        stop=np.full(count, END, dtype=np.int64),
        retasked=((),) * count,
    )


def joined_slices(parts: Sequence[EpisodeSlices], first_sources: Sequence[int]) -> EpisodeSlices:
    """One after another; the sources of each are counted on from `first_sources`."""
    return EpisodeSlices(
        source=np.concatenate(
            [part.source + at for part, at in zip(parts, first_sources, strict=True)]
        ),
        row=np.concatenate([part.row for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        stop=np.concatenate([part.stop for part in parts]),
        retasked=tuple(chain for part in parts for chain in part.retasked),
    )
