"""Compare the packets of every episode's frames, camera by camera, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from roboreel.diffing.camera_files import Frames
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.errors import StorageError
from roboreel.storage.video.packets import PacketRun, run_of_frames
from roboreel.types import Bools, Int64

_BATCH_BYTES = 1 << 18  # stays in the cache between reading and comparing


@dataclass(frozen=True, slots=True)
class Needed:
    """The packets that show an episode's frames on one side."""

    frames: Frames
    run: PacketRun

    @property
    def relative(self) -> Int64:
        """(m,) frame in the episode that each packet shows: below 0 before it, n and more after it."""
        shown: Int64 = self.frames.table.frame_of_packet[self.run.positions]
        return shown - self.frames.start


def needed(frames: Frames) -> Needed:
    """The packets that an episode's frames need.

    Raises:
        StorageError: no keyframe stands at or before the first.
    """
    try:
        run = run_of_frames(
            frames.table, frames.start, frames.start + frames.count, resets=frames.points.resets
        )
    except ValueError as error:
        raise StorageError(f"'{frames.path}': {error}") from error
    return Needed(frames, run)


def compare_packets(a: Needed, b: Needed, episode: int, camera: str, ledger: DiffLedger) -> None:
    """Compare an episode's packets: those of its frames, and those that they hang on.

    Raises:
        StorageError: a file cannot be read.
    """
    shown_a, shown_b = a.relative, b.relative
    _, in_a, in_b = np.intersect1d(shown_a, shown_b, assume_unique=True, return_indices=True)
    order = np.argsort(in_a)
    in_a, in_b = in_a[order], in_b[order]
    frame = shown_a[in_a]
    rows = min(a.frames.count, b.frames.count)
    own = (frame >= 0) & (frame < rows)
    mismatch = _mismatch(a, b, a.run.positions[in_a], b.run.positions[in_b])
    ledger.compared.packets += int(own.sum())
    _tell(ledger, episode, camera, frame[mismatch & own], "its packet differs", "packets")
    flags = [
        part.frames.table.keyframe[part.run.positions[at]] for part, at in ((a, in_a), (b, in_b))
    ]
    what = "its packet is marked as a keyframe on one side only"
    _tell(ledger, episode, camera, frame[(flags[0] != flags[1]) & own], what, "keyframe")
    if (np.diff(in_b) < 0).any():
        what = "the packets stand in another order of decoding"
        _tell(ledger, episode, camera, frame[1:][np.diff(in_b) < 0], what, "order")
    beside = (mismatch & ~own).any() or len(frame) < max(len(shown_a), len(shown_b))
    if beside and a.frames.count == b.frames.count and not (mismatch & own).any():
        what = "frames are the same, but they hang on other packets before or after the episode"
        found = Difference(kind="packets", what=what, episode=episode, column=camera)
        ledger.differs(found, fold="beside")


def _tell(
    ledger: DiffLedger, episode: int, camera: str, frames: Int64, what: str, fold: str
) -> None:
    if len(frames):
        found = Difference(
            kind="packets",
            what=what,
            episode=episode,
            row=int(frames.min()),
            column=camera,
            count=len(frames),
        )
        ledger.differs(found, fold=fold)


def _mismatch(a: Needed, b: Needed, at_a: Int64, at_b: Int64) -> Bools:
    """(m,) True where two packets, given by decode positions, differ in size or in any byte."""
    size = a.frames.table.size[at_a]
    mismatch: Bools = size != b.frames.table.size[at_b]
    rest = np.flatnonzero(~mismatch)
    for batch in _batches(size[rest]):
        places = rest[batch]
        left = _bytes(a.frames, at_a[places])
        right = _bytes(b.frames, at_b[places])
        if left != right:
            mismatch[places] = _mismatched_parts(left, right, size[places])
    return mismatch


def _mismatched_parts(left: bytes, right: bytes, sizes: Int64) -> list[bool]:
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [left[i:j] != right[i:j] for i, j in zip(starts, ends, strict=True)]


def _batches(sizes: Int64) -> Iterator[slice]:
    """Slices of packets that together have about a batch's bytes, one packet at least."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start] - sizes[start])
        stop = int(np.searchsorted(ends, before + _BATCH_BYTES, side="right"))
        stop = max(stop, start + 1)
        yield slice(start, stop)
        start = stop


def _bytes(frames: Frames, positions: Int64) -> bytes:
    """The packets at these decode positions, one after another; neighbours are read in one go."""
    offset, size = frames.table.offset[positions], frames.table.size[positions]
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + size[:-1]) + 1
    starts = np.concatenate([[0], breaks])
    lengths = np.add.reduceat(size, starts)
    parts = [
        _read(frames.file, start, length, frames.path)
        for start, length in zip(offset[starts].tolist(), lengths.tolist(), strict=True)
    ]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read(file: IO[bytes], start: int, length: int, path: str) -> bytes:
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise StorageError(f"'{path}' ends before byte {start + length}")
    return data
