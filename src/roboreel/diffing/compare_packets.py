"""Compare an episode's packets byte for byte, and the streams they are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from roboreel.diffing.camera_files import EpisodeFrames
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.errors import StorageError
from roboreel.storage.video.boxes import ENTRY_HEADER, boxes
from roboreel.storage.video.packets import PacketRun, SampleEntry, run_of_frames
from roboreel.types import Bools, Int64

_LOOK = {"pasp", "clap", "colr"}
_CONFIG = {"avcC", "hvcC", "av1C", "vpcC", "esds", "glbl", "lvcC"}
_BATCH_BYTES = 1 << 18  # stays in the cache between reading and comparing


@dataclass(frozen=True, slots=True)
class EpisodePackets:
    """The packets needed to decode an episode's frames, on one side."""

    frames: EpisodeFrames
    run: PacketRun

    @property
    def relative(self) -> Int64:
        """(m,) frame of the episode that each packet shows; negative before it, >= count after it."""
        shown: Int64 = self.frames.table.frame_of_packet[self.run.positions]
        return shown - self.frames.start


def packets_of(frames: EpisodeFrames) -> EpisodePackets:
    """Find the packets needed to decode an episode's frames.

    Raises:
        StorageError: there is no keyframe at or before the first frame.
    """
    try:
        run = run_of_frames(
            frames.table, frames.start, frames.start + frames.count, resets=frames.points.resets
        )
    except ValueError as error:
        raise StorageError(f"'{frames.path}': {error}") from error
    return EpisodePackets(frames, run)


def compare_packets(
    a: EpisodePackets, b: EpisodePackets, episode: int, camera: str, ledger: DiffLedger
) -> None:
    """Compare an episode's packets: those of its frames, and those needed to decode them.

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
    _report(ledger, episode, camera, frame[mismatch & own], "its packet differs", "packets")
    flags = [
        part.frames.table.keyframe[part.run.positions[at]] for part, at in ((a, in_a), (b, in_b))
    ]
    what = "its packet is marked as a keyframe on one side only"
    _report(ledger, episode, camera, frame[(flags[0] != flags[1]) & own], what, "keyframe")
    if (np.diff(in_b) < 0).any():
        what = "the packets are in a different decoding order"
        _report(ledger, episode, camera, frame[1:][np.diff(in_b) < 0], what, "order")
    beside = (mismatch & ~own).any() or len(frame) < max(len(shown_a), len(shown_b))
    if beside and a.frames.count == b.frames.count and not (mismatch & own).any():
        what = "the frames are the same, but they depend on different packets outside the episode"
        found = Difference(kind="packets", what=what, episode=episode, column=camera)
        ledger.add_difference(found, fold="beside")


def _report(
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
        ledger.add_difference(found, fold=fold)


def _mismatch(a: EpisodePackets, b: EpisodePackets, at_a: Int64, at_b: Int64) -> Bools:
    """(m,) True where the packets at two decode positions differ in size or any byte."""
    size = a.frames.table.size[at_a]
    mismatch: Bools = size != b.frames.table.size[at_b]
    rest = np.flatnonzero(~mismatch)
    for batch in _batches(size[rest]):
        members = rest[batch]
        left = _bytes(a.frames, at_a[members])
        right = _bytes(b.frames, at_b[members])
        if left != right:
            mismatch[members] = _mismatched_parts(left, right, size[members])
    return mismatch


def _mismatched_parts(left: bytes, right: bytes, sizes: Int64) -> list[bool]:
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [left[i:j] != right[i:j] for i, j in zip(starts, ends, strict=True)]


def _batches(sizes: Int64) -> Iterator[slice]:
    """Slices of at least one packet and about `_BATCH_BYTES`."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start] - sizes[start])
        stop = int(np.searchsorted(ends, before + _BATCH_BYTES, side="right"))
        stop = max(stop, start + 1)
        yield slice(start, stop)
        start = stop


def _bytes(frames: EpisodeFrames, positions: Int64) -> bytes:
    """Concatenated packets at these decode positions; adjacent ones are read in one call."""
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


class StreamComparer:
    """Compares the stream headers of one camera's files, each pair of files once."""

    def __init__(self, camera: str, ledger: DiffLedger, *, decode: bool) -> None:
        self._camera, self._ledger, self._decode = camera, ledger, decode
        self._last: tuple[str, str] | None = None

    def compare(self, episode: int, a: EpisodeFrames, b: EpisodeFrames) -> None:
        """Compare the streams that hold an episode's frames."""
        if self._last == (a.path, b.path):
            return
        self._last = (a.path, b.path)
        what = stream_difference(a.table.entry, b.table.entry, decode=self._decode)
        if what:
            self._ledger.add_difference(self._found(episode, what), fold="entry")
        tracks = sorted(a.table.other_tracks), sorted(b.table.other_tracks)
        if tracks[0] != tracks[1]:
            sound = tracks[0].count("soun") != tracks[1].count("soun")
            what = f"tracks beside the video: {tracks[0]} against {tracks[1]}"
            self._ledger.add(self._found(episode, what), counts=sound, fold="tracks")

    def _found(self, episode: int, what: str) -> Difference:
        return Difference(kind="streams", what=what, episode=episode, column=self._camera)


def stream_difference(a: SampleEntry, b: SampleEntry, *, decode: bool) -> str:
    """Describe how two sample entries differ in what decoders and players use; empty if they don't.

    Args:
        a: of the first dataset.
        b: of the second.
        decode: compare only how decoded frames are shown: rotation, crop, aspect ratio, colours.
    """
    if a.matrix != b.matrix:
        return "the display matrix differs"
    parts = _parts(a), _parts(b)
    kinds = _LOOK if decode else _LOOK | _CONFIG
    for kind in sorted(kinds & (parts[0].keys() | parts[1].keys())):
        if parts[0].get(kind) != parts[1].get(kind):
            return f"box '{kind}' of the sample entry differs"
    if decode:
        return ""
    facts = [(entry.fourcc, entry.width, entry.height) for entry in (a, b)]
    return "" if facts[0] == facts[1] else f"{facts[0]} against {facts[1]}"


def _parts(entry: SampleEntry) -> dict[str, bytes]:
    """Boxes that decoders and players use, by kind; without bit rates and writer names."""
    return {b.kind: entry.needs[b.start : b.stop] for b in boxes(entry.needs, ENTRY_HEADER)}
