"""Mutations of bytes, whatever they mean."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutate_bytes(
    data: bytes, choose: random.Random, *, span: tuple[int, int] | None = None
) -> tuple[str, bytes]:
    """The bytes, damaged somewhere in `span`; and what was done."""
    start, stop = span or (0, len(data))
    if stop <= start:
        return "bytes put in", b"\xff{}"
    at = choose.randrange(start, stop)
    kind = choose.randrange(7)
    if kind == 0:
        return f"cut at {at}", data[:at]
    if kind == 1:
        length = min(choose.choice((1, 4, 16)), stop - at)
        return f"{length} bytes from {at} dropped", data[:at] + data[at + length :]
    if kind == 2:
        extra = bytes(choose.randrange(256) for _ in range(choose.choice((1, 4, 16))))
        return f"{len(extra)} bytes put in at {at}", data[:at] + extra + data[at:]
    if kind == 3:
        fill = choose.choice((b"\0", b"\xff")) * min(choose.choice((1, 4, 32)), stop - at)
        return f"{len(fill)} bytes at {at} are {fill[:1]!r}", data[:at] + fill + data[
            at + len(fill) :
        ]
    flips = choose.choice((1, 1, 2, 8))
    return f"{flips} bits flipped", flipped(data, [(start, stop)], flips, choose)


def flipped(
    data: bytes, spans: Sequence[tuple[int, int]], flips: int, choose: random.Random
) -> bytes:
    """The bytes with some bits of these spans flipped."""
    changed = bytearray(data)
    for _ in range(flips):
        start, stop = choose.choice(spans)
        if stop > start:
            changed[choose.randrange(start, stop)] ^= 1 << choose.randrange(8)
    return bytes(changed)
