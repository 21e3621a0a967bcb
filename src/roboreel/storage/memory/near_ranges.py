"""Join ranges of a file that are near each other, because each request costs a round trip. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

NEAR_BYTES = 1 << 16
"""Bytes that are read in vain rather than by another request: they take a millisecond, a round trip 20."""
_MOST_BYTES = 4 << 20
"""Of a block that near ranges are joined to: larger ones would wait for each other."""

Span = tuple[int, int]
"""(start, size) in bytes."""


def joined(spans: Sequence[Span], *, near_bytes: int = NEAR_BYTES) -> list[Span]:
    """Blocks that cover some ranges, ascending; ranges with a small gap between them are in one block.

    Args:
        spans: the ranges, in any order, also overlapping.
        near_bytes: the largest gap to read over.
    """
    blocks: list[Span] = []
    for start, size in sorted(spans):
        if blocks:
            first, have = blocks[-1]
            whole = max(first + have, start + size) - first
            if start <= first + have or (
                start <= first + have + near_bytes and whole <= _MOST_BYTES
            ):
                blocks[-1] = first, whole
                continue
        blocks.append((start, size))
    return blocks


def parts_of(blocks: Sequence[Span], data: Sequence[bytes], spans: Sequence[Span]) -> list[bytes]:
    """The bytes of some ranges, in their order, from those of the blocks that cover them.

    Args:
        blocks: from `joined`.
        data: the bytes of each block; fewer than its size where the file ends.
        spans: the ranges.
    """
    starts = [start for start, _ in blocks]
    found = []
    for start, size in spans:
        at = bisect_right(starts, start) - 1
        found.append(bytes(memoryview(data[at])[start - starts[at] :][:size]))
    return found
