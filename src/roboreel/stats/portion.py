"""Which rows of a table file, or of a batch read from it, belong to which episode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roboreel.types import Bools, Int64


class Portion(NamedTuple):
    """The rows of some episodes in one file, ascending."""

    path: str
    episodes: Int64
    """(k,) the episodes, as rows of the table of episodes."""
    start: Int64
    stop: Int64
    """(k,) their rows in the file, or in a batch: half-open."""

    @property
    def lengths(self) -> Int64:
        """(k,) number of rows of each episode."""
        return np.asarray(self.stop - self.start)

    def take(self, which: slice | Bools) -> Portion:
        """The rows of some of the episodes."""
        return Portion(self.path, self.episodes[which], self.start[which], self.stop[which])

    def within(self, begin: int, end: int) -> Portion:
        """The part in a batch of the rows from `begin` to `end`, in rows of the batch."""
        here = self.take((self.start < end) & (self.stop > begin))
        return here._replace(
            start=np.maximum(here.start, begin) - begin, stop=np.minimum(here.stop, end) - begin
        )

    def spans(self) -> list[tuple[int, int]]:
        """(start, stop) of each episode."""
        return list(zip(self.start.tolist(), self.stop.tolist(), strict=True))
