"""Which items a read task and a block of a Ray dataset have, and reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from roboreel.executors.ray_library import ray_library
from roboreel.executors.seen_folders import require_seen
from roboreel.format.feature import Feature
from roboreel.reading.read_options import ReadKeywords
from roboreel.reading.reader import Batch, Reader
from roboreel.types import Int64

_BLOCK_BYTES = 64 << 20
"""Bytes of a block, unless one item is larger."""
_TEXT_BYTES = 64
_kept: dict[str, Reader] = {}
"""The last reader of this worker: its packet indexes and decoders serve the next blocks too."""


def item_bytes(given: Reader, options: ReadKeywords) -> int:
    """Approximate bytes of an item in memory."""
    offsets = options.get("offsets") or {}
    size = options.get("size")
    names = (*given.columns, *given.cameras)
    return sum(
        _bytes(given.features[name], size) * max(1, len(offsets.get(name, ()))) for name in names
    )


def _bytes(feature: Feature, size: tuple[int, int] | None) -> int:
    if feature.is_camera:
        pixels = prod(feature.shape)
        if size is not None and not feature.is_depth:
            pixels = prod(size) * 3
        return pixels * (2 if feature.is_depth else 1)
    if feature.is_numeric:
        return prod(feature.shape) * np.dtype(feature.dtype).itemsize
    return _TEXT_BYTES


def task_episodes(lengths: Int64, tasks: int) -> list[range]:
    """Episodes in so many groups with about as many items each; fewer where there are fewer episodes.

    Args:
        lengths: (episodes,) items of each.
        tasks: groups.
    """
    tasks = max(1, min(tasks, len(lengths)))
    middle = np.cumsum(lengths) - lengths / 2
    group = np.minimum((middle * tasks / max(1, int(lengths.sum()))).astype(np.int64), tasks - 1)
    cuts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(lengths)]
    return [range(a, b) for a, b in pairwise(cuts) if b > a]


def block_items(bounds: Sequence[int], most: int) -> Iterator[range]:
    """The items of each block: whole episodes, as many as fit; a longer episode has several blocks.

    Args:
        bounds: first item of each episode, and where the last one ends.
        most: items of a block.
    """
    begin = bounds[0]
    for start, stop in pairwise(bounds):
        if begin < start and stop - begin > most:
            yield range(begin, start)
            begin = start
        while stop - begin > most:
            yield range(begin, begin + most)
            begin += most
    if begin < bounds[-1]:
        yield range(begin, bounds[-1])


def items_per_block(size_bytes: int) -> int:
    """How many items of a size a block has."""
    return max(1, _BLOCK_BYTES // max(1, size_bytes))


def read_blocks(
    reference: Any, folders: Sequence[str], bounds: Sequence[int], most: int
) -> Iterator[Batch]:
    """The items of some episodes, block by block: what a read task runs.

    Args:
        reference: reference to the reader, which Ray sends to each node once.
        folders: the folders that this node must see.
        bounds: first item of each episode, and where the last one ends.
        most: items of a block.

    Raises:
        RunError: this node does not see the dataset.
    """
    for folder in folders:
        require_seen(folder)
    given = _reader(reference)
    for items in block_items(bounds, most):
        yield given.batch(items)


def _reader(reference: Any) -> Reader:
    key = reference.hex()
    if key not in _kept:
        _kept.clear()
        _kept[key] = ray_library().get(reference)
    return _kept[key]
