"""The order in which rows are read in blocks: close to random, and cheap to decode.

A full shuffle makes a decoder start again for each row. Here rows whose frames share a GOP (from one
keyframe to the next) stay together, and everything else is mixed:

- A **run** is a few consecutive rows of an episode, by default one GOP. Its rows stay together, in order.
- A **block** is some consecutive runs of an episode. An epoch takes the blocks in a random order.
- At any time about `buffer_blocks` blocks are **open**. Each open block gives its runs in order, and the
  runs of different blocks alternate at random; a block that is used up is replaced by the next one.

So the randomness is that of a full shuffle between blocks, and limited within a block: its runs are spread
over about `buffer_blocks` blocks' worth of rows (`BlockOrder.mixing` states the numbers).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from roboreel.errors import UsageError
from roboreel.types import Floats, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """How far an order is from a full shuffle, as expected values."""

    rows: int
    """Rows of an epoch."""
    blocks: int
    """Blocks of an epoch; the order of blocks is uniformly random."""
    open_blocks: int
    """Blocks that are mixed with each other at any time."""
    neighbor_share: float
    """Share of rows that are followed by the next row of their episode; near 0 in a full shuffle."""
    blocks_per_batch: float
    """Different blocks in a batch, about; in a full shuffle nearly the batch's size."""
    span_rows: float
    """Rows of the epoch between the first and the last row of a block; in a full shuffle nearly `rows`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockOrder:
    """Rows in runs and blocks; `rows(epoch)` is their order. Made by `block_order`."""

    starts: Int64 = field(repr=False)
    """(runs,) first row of each run."""
    stops: Int64 = field(repr=False)
    """(runs,) row after the last one of each run."""
    block: Int64 = field(repr=False)
    """(runs,) number of the block of each run, ascending."""
    buffer_blocks: int
    seed: int

    @property
    def count(self) -> int:
        """Rows of an epoch."""
        return int((self.stops - self.starts).sum())

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.block[-1]) + 1

    @property
    def open_blocks(self) -> int:
        """Blocks that are mixed with each other at any time."""
        return min(self.buffer_blocks, self.blocks)

    def rows(self, epoch: int, *, rank: int = 0, world_size: int = 1) -> Int64:
        """(rows,) the rows of an epoch in order; the same for the same seed and epoch.

        Args:
            epoch: its number, from 0.
            rank: which share to return.
            world_size: number of shares. Shares are consecutive parts of the order, equally long and
                disjoint; an epoch leaves out up to `world_size - 1` rows at its end.
        """
        order = np.argsort(self._times(epoch), kind="stable")
        every = _joined(self.starts[order], self.stops[order])
        size = len(every) // world_size
        return every[rank * size : (rank + 1) * size]

    def _times(self, epoch: int) -> Floats:
        """(runs,) when each run is read: the block at position p of the epoch is open from p to p + open.

        What would come after the end is read at the beginning, so that as many blocks are open there.
        """
        random = np.random.default_rng(np.random.SeedSequence([self.seed, epoch]))
        position = random.permutation(self.blocks)[self.block]
        runs = np.bincount(self.block)
        first = np.cumsum(runs) - runs
        within = np.arange(len(self.block)) - first[self.block]
        share = (within + random.random(len(self.block))) / runs[self.block]
        return np.mod(position + share * self.open_blocks, self.blocks)

    def mixing(self, batch_size: int) -> Mixing:
        """How random the order is, for batches of `batch_size` rows."""
        rows, runs, open_blocks = self.count, len(self.starts), self.open_blocks
        runs_per_batch = max(batch_size * runs / rows, 1.0)
        return Mixing(
            rows=rows,
            blocks=self.blocks,
            open_blocks=open_blocks,
            neighbor_share=(rows - runs) / rows + runs / rows / open_blocks**2,
            blocks_per_batch=open_blocks * (1 - _absence(runs_per_batch / open_blocks)),
            span_rows=open_blocks * rows / self.blocks,
        )


def block_order(
    starts: Int64,
    stops: Int64,
    *,
    origins: Int64 | None = None,
    gop_frames: int | None = None,
    run_frames: int | None = None,
    block_frames: int = 64,
    buffer_blocks: int = 64,
    seed: int = 0,
) -> BlockOrder:
    """Cut the rows of episodes into runs and blocks.

    Args:
        starts: (episodes,) the first row to read of each.
        stops: (episodes,) the row after the last one to read.
        origins: (episodes,) the first row of each episode, at which its first GOP begins; by default
            `starts`.
        gop_frames: frames from keyframe to keyframe. Blocks become whole GOPs, and runs too unless
            `run_frames` is smaller.
        run_frames: rows that stay together; by default a GOP, or 2 where its length is unknown.
        block_frames: rows of a block, at least; rounded up to whole runs and GOPs.
        buffer_blocks: blocks that are mixed with each other.
        seed: of the random order, from 0.

    Raises:
        UsageError: a number is too small, or there are no rows.
    """
    _require_positive(gop_frames=gop_frames or 1, block_frames=block_frames)
    run = (gop_frames or 2) if run_frames is None else run_frames
    _require_positive(run_frames=run, buffer_blocks=buffer_blocks)
    if seed < 0:
        raise UsageError(f"seed is {seed}, expected an integer of 0 or more")
    gop = gop_frames or 1
    if run >= gop:
        run = _rounded_up(run, gop)
    block = _rounded_up(max(block_frames, run), max(run, gop) if run >= gop else gop)
    first = starts if origins is None else origins
    origin, block_starts, block_stops, _ = _cut(first, starts, stops, block)
    _, run_starts, run_stops, number = _cut(origin, block_starts, block_stops, run)
    if not len(run_starts):
        raise UsageError("there are no rows to read: every episode is empty")
    return BlockOrder(
        starts=run_starts, stops=run_stops, block=number, buffer_blocks=buffer_blocks, seed=seed
    )


def _absence(runs: float) -> float:
    """The probability that a block has no run in a batch in which each open block has `runs` on average.

    A block gives one run, at a random time, in each of its equal parts of time: a batch covers two parts at
    most of which neither is whole, or it has a run of the block.
    """
    if runs <= 1:
        return 1 - runs + runs**3 / 6
    return max(2 - runs, 0.0) ** 3 / 6


def _cut(
    origins: Int64, starts: Int64, stops: Int64, size: int
) -> tuple[Int64, Int64, Int64, Int64]:
    """Parts of ranges: where each would begin if it were whole, its start, its stop, its range's number.

    Parts begin at multiples of `size` from the origin; those at the ends of a range may be shorter.
    """
    first = (starts - origins) // size
    parts = np.where(starts < stops, -((origins - stops) // size) - first, 0)
    of_range = np.repeat(np.arange(len(starts)), parts)
    within = np.arange(len(of_range)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = origins[of_range] + (first[of_range] + within) * size
    return (
        begin,
        np.maximum(begin, starts[of_range]),
        np.minimum(begin + size, stops[of_range]),
        of_range.astype(np.int64),
    )


def _joined(starts: Int64, stops: Int64) -> Int64:
    """The whole numbers of all ranges, one range after another."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _rounded_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _require_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise UsageError(f"{name} is {value}, expected 1 or more")
