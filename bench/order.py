"""In which order contenders read: the same for all of them."""

from collections.abc import Iterator, Sequence
from random import Random

SEED = 7


def shuffled(frames: int) -> Iterator[int]:
    """Every frame once, then again in another order."""
    random = Random(SEED)
    while True:
        yield from random.sample(range(frames), frames)


def in_order(frames: int) -> Iterator[int]:
    """From the first frame to the last, again and again."""
    while True:
        yield from range(frames)


def in_gops(frames: int, *, size: int) -> Iterator[int]:
    """Shuffled runs of `size` frames."""
    random = Random(SEED)
    while True:
        for run in random.sample(range(frames // size), frames // size):
            yield from range(run * size, (run + 1) * size)


def taken(numbers: Iterator[int], count: int) -> list[int]:
    return [number for number, _ in zip(numbers, range(count), strict=False)]


def batches(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), size):
        yield numbers[first : first + size]
