"""Mutations of MP4 files: boxes, fields, ends."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fuzz.blobs import flipped, mutate_bytes

_HOLDERS = (
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"dinf",
    b"udta",
    b"mvex",
    b"moof",
    b"traf",
)
_FIELDS = (0, 1, 2, 7, 8, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF8)


def mutate_movie(root: Path, choose: random.Random) -> str:
    """Change one video file of the dataset; says what was done."""
    found = sorted(p for p in root.rglob("*.mp4") if p.is_file() and not p.is_symlink())
    if not found:
        return "no video is left"
    path = choose.choice(found)
    data = path.read_bytes()
    if not data:
        return f"{path.name} is empty already"
    if choose.randrange(14) == 0:
        other = choose.choice(found)
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"{path.name} and {other.name} swapped"
    done, data = _changed(data, choose)
    path.write_bytes(data)
    return f"{path.parent.name}/{path.name}: {done}"


def _boxes(data: bytes, start: int, stop: int, depth: int = 0) -> list[tuple[int, int]]:
    """Where the boxes begin and end, those inside others included."""
    found = []
    while start + 8 <= stop and depth < 20:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > stop:
            break
        found.append((start, start + size))
        kind = data[start + 4 : start + 8]
        if kind in _HOLDERS:
            found += _boxes(data, start + 8, start + size, depth + 1)
        elif kind == b"stsd":
            found += _boxes(data, start + 16, start + size, depth + 1)
        start += size
    return found


def _changed(data: bytes, choose: random.Random) -> tuple[str, bytes]:
    found = _boxes(data, 0, len(data))
    if not found:
        return mutate_bytes(data, choose)
    start, stop = choose.choice(found)
    kind = data[start + 4 : start + 8].decode("latin-1")
    way = choose.randrange(12)
    if way == 0:
        size = choose.choice(
            (0, 1, 7, 8, stop - start - 1, stop - start + 1, 0x7FFFFFFF, 0xFFFFFFFF)
        )
        return f"{kind} of size {size}", data[:start] + size.to_bytes(4, "big") + data[start + 4 :]
    if way == 1:
        return f"{kind} dropped", _resized(data, start, stop, b"")
    if way == 2:
        return f"{kind} twice", _resized(data, start, stop, data[start:stop] * 2)
    if way == 3:
        other = choose.choice((b"free", b"moov", b"\0\0\0\0", b"co64", b"stsz", b"elst", b"trak"))
        return f"{kind} is {other!r}", data[: start + 4] + other + data[start + 8 :]
    if way < 8 and stop - start >= 12:
        at = start + 8 + 4 * choose.randrange((stop - start - 8) // 4)
        at = choose.randrange(start + 8, stop - 3) if way == 4 else at
        value = choose.choice(_FIELDS)
        return f"{kind}+{at - start} is {value}", data[:at] + value.to_bytes(4, "big") + data[
            at + 4 :
        ]
    if way == 8:
        at = choose.choice((start, start + 4, start + 8, stop - 1, stop))
        return f"cut at {at}, in {kind}", data[:at]
    if way == 9:
        inner = choose.choice(found)
        return f"{kind} holds another box", _resized(
            data, start, stop, data[start : start + 8] + data[inner[0] : inner[1]]
        )
    flips = choose.choice((1, 1, 3))
    return f"{flips} bits of {kind} flipped", flipped(data, [(start, stop)], flips, choose)


def _resized(data: bytes, start: int, stop: int, made: bytes) -> bytes:
    """The data with other bytes for a box, and the sizes of the boxes around it corrected."""
    by = len(made) - (stop - start)
    changed = bytearray(data)
    for begin, end in _boxes(data, 0, len(data)):
        if begin <= start and stop <= end and (begin, end) != (start, stop):
            changed[begin : begin + 4] = (end - begin + by).to_bytes(4, "big")
    return bytes(changed[:start]) + made + bytes(changed[stop:])
