"""Which episode and frame each item of a reader is, and which frames its windows have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from roboreel.types import Bools, Int64


class Window(NamedTuple):
    """Frames of some items, all in the item's own episode."""

    episodes: Int64
    """(items,) positions of the episodes in the view."""
    frames: Int64
    """(items, offsets) frames of the episode; beyond its ends, its first or last frame."""
    is_pad: Bools
    """(items, offsets) True where the frame would be beyond the episode's ends."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemIndex:
    """The items of a view: the frames of its episodes, one episode after another."""

    lengths: Int64
    """(episodes,) frames of each."""
    bounds: Int64
    """(episodes + 1,) first item of each, and the number of items."""

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def episode_of(self, items: Int64) -> tuple[Int64, Int64]:
        """(episode positions, frames in these) of items from 0 to `len(self) - 1`."""
        episodes = np.searchsorted(self.bounds, items, side="right") - 1
        return episodes, items - self.bounds[episodes]

    def window(self, episodes: Int64, frames: Int64, offsets: Sequence[int]) -> Window:
        """The frames at some offsets from each item.

        Args:
            episodes: (items,) the episode of each.
            frames: (items,) its frame there.
            offsets: frames to add to it; negative ones are earlier. None of them: the frame itself.
        """
        if not len(offsets):
            return Window(episodes, frames[:, None], np.zeros((len(frames), 1), np.bool_))
        wanted = frames[:, None] + np.asarray(offsets, dtype=np.int64)
        last = self.lengths[episodes][:, None] - 1
        clamped = np.clip(wanted, 0, last)
        return Window(episodes, clamped, clamped != wanted)


def item_index(lengths: Int64) -> ItemIndex:
    """The items of episodes of these lengths."""
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return ItemIndex(lengths, bounds)
