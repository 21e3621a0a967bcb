"""The order of a stream: parts read side by side, shuffled through a buffer. Only numbers, no frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from roboreel.types import Int64


def split_evenly(bounds: Int64, most: int) -> list[range]:
    """Items in at most so many parts of about the same size; an episode is in one part.

    Args:
        bounds: (episodes + 1,) first item of each episode, and the number of items.
        most: number of parts.
    """
    cuts = np.arange(1, most) * int(bounds[-1]) / most
    nearest = bounds[np.searchsorted(bounds, cuts)]
    ends = np.unique(np.concatenate([[0], nearest, bounds[-1:]])).tolist()
    return [range(a, b) for a, b in pairwise(ends)]


def permuted(count: int, seed: Sequence[int]) -> Int64:
    """(count,) all items in an order in which each comes anywhere with the same chance.

    Args:
        count: number of items.
        seed: gives the order, the same in every process.
    """
    return np.random.default_rng(seed).permutation(count).astype(np.int64)


def shuffled(parts: Sequence[range], buffer_size: int, rng: np.random.Generator) -> Iterator[int]:
    """All items of some parts, each once: a random one of a buffer that is filled from random parts.

    Args:
        parts: items, in order.
        buffer_size: how many items wait to be chosen.
        rng: gives the choices.
    """
    open_parts = [iter(part) for part in parts]
    buffer: list[int] = []
    for item in _interleaved(open_parts, rng):
        if len(buffer) < buffer_size:
            buffer.append(item)
            continue
        at = int(rng.integers(buffer_size))
        yield buffer[at]
        buffer[at] = item
    rng.shuffle(buffer)
    yield from buffer


def _interleaved(parts: list[Iterator[int]], rng: np.random.Generator) -> Iterator[int]:
    while parts:
        at = int(rng.integers(len(parts)))
        item = next(parts[at], None)
        if item is None:
            parts[at] = parts[-1]
            parts.pop()
        else:
            yield item
