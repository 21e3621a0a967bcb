"""The packets of a video track as a table, and what a decoder needs to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from roboreel.storage.video.entry import needs_of

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEntry:
    """How to decode a track: two streams may share a file only where these are equal.

    Entries are equal where `needs` and `matrix` are. Bit rates and names of writers do not count.
    """

    data: bytes = field(repr=False, compare=False)
    """The `stsd` entry verbatim (`avc1`, `hvc1`, `av01`, …), without its bit rate box."""
    matrix: bytes = field(repr=False)
    """The track's 3×3 display matrix, 36 bytes."""
    needs: bytes = field(default=b"", repr=False)
    """The part of the entry that a decoder or player needs (`entry.py`); computed from `data` by default."""

    def __post_init__(self) -> None:
        if not self.needs:
            object.__setattr__(self, "needs", needs_of(self.data))

    @property
    def fourcc(self) -> str:
        """Kind of the entry, e.g. `avc1`."""
        return self.data[4:8].decode("latin-1")

    @property
    def width(self) -> int:
        """Coded width in pixels."""
        return int.from_bytes(self.data[32:34], "big")

    @property
    def height(self) -> int:
        """Coded height in pixels."""
        return int.from_bytes(self.data[34:36], "big")


@dataclass(frozen=True, kw_only=True)
class PacketTable:
    """The packets of one video track, in decode order, without their bytes.

    *Frames* are counted in display order from the first shown one. Packets that the file's edit list hides
    have numbers outside `[0, frames)`: negative before the shown frames, larger after them.
    """

    entry: SampleEntry
    timescale: int
    """Ticks per second of `pts`."""
    offset: Int64 = field(repr=False)
    """(n,) position in the file where the packet's bytes begin."""
    size: Int64 = field(repr=False)
    """(n,) size of the packet in bytes."""
    pts: Int64 = field(repr=False)
    """(n,) display time in ticks, before any edit list."""
    keyframe: Bools = field(repr=False)
    """(n,) True where decoding can start."""
    shown_from: int
    """First display time, in ticks, that the edit list shows."""
    shown_to: int | None = None
    """Display time, in ticks, from which on nothing is shown; None if everything is shown to the end."""
    other_tracks: tuple[str, ...] = ()
    """Handler kinds of the file's other tracks, e.g. `soun`."""

    @property
    def packets(self) -> int:
        """Number of packets, hidden ones included."""
        return len(self.offset)

    @cached_property
    def display_order(self) -> Int64:
        """(n,) decode positions in display order."""
        if self.in_order:
            return np.arange(self.packets, dtype=np.int64)
        return np.argsort(self.pts, kind="stable").astype(np.int64)

    @cached_property
    def frame_of_packet(self) -> Int64:
        """(n,) for each packet in decode order, the number of the frame it shows."""
        if self.in_order:
            return self.display_order - self.hidden_before
        rank = np.empty(self.packets, dtype=np.int64)
        rank[self.display_order] = np.arange(self.packets, dtype=np.int64)
        return rank - self.hidden_before

    @cached_property
    def in_order(self) -> bool:
        """True where packets are decoded in the order in which they are shown."""
        return bool((self.pts[1:] >= self.pts[:-1]).all())

    @cached_property
    def keys(self) -> Int64:
        """Decode positions of the keyframes."""
        return np.flatnonzero(self.keyframe).astype(np.int64)

    def key_before(self, position: int) -> int:
        """The decode position of the last keyframe up to a decode position; 0 where there is none."""
        at = int(np.searchsorted(self.keys, position, side="right")) - 1
        return int(self.keys[at]) if at >= 0 else 0

    def packets_of_frames(self, start: int, stop: int) -> Int64:
        """(stop - start,) decode positions of frames, in display order; hidden frames may be included."""
        return self.display_order[self.hidden_before + start : self.hidden_before + stop]

    @cached_property
    def hidden_before(self) -> int:
        """Packets shown before the edit list begins."""
        return int(np.count_nonzero(self.pts < self.shown_from))

    @cached_property
    def frames(self) -> int:
        """Number of frames that a player shows."""
        shown = self.pts >= self.shown_from
        if self.shown_to is not None:
            shown &= self.pts < self.shown_to
        return int(np.count_nonzero(shown))

    @cached_property
    def frame_seconds(self) -> npt.NDArray[np.float64]:
        """(frames,) display time of each shown frame in seconds, counted from the first one's."""
        shown = self.shown_pts
        return (shown - shown[:1]) / self.timescale

    def is_exact(self, fps: Fraction) -> bool:
        """True where every packet shows a frame, frame *k* at exactly *k* / `fps`."""
        if self.frames != self.packets:
            return False
        ticks = (self.shown_pts - self.shown_from) * fps.numerator
        frame = self.timescale * fps.denominator
        return bool(np.array_equal(ticks, np.arange(self.packets, dtype=np.int64) * frame))

    @cached_property
    def shown_pts(self) -> Int64:
        """(frames,) display time of each shown frame in ticks, ascending."""
        ordered = self.pts[self.display_order]
        return ordered[self.hidden_before : self.hidden_before + self.frames]


@dataclass(frozen=True, slots=True)
class PacketRun:
    """The packets that decode frames `[start, stop)`: a subset of a decode range, and what it shows."""

    positions: Int64
    """(m,) decode positions to copy, ascending."""
    display: Int64
    """(m,) position of each packet in display order, `0 … m-1`."""
    lead: int
    """Frames shown before `start` that are needed to decode it."""

    @property
    def packets(self) -> int:
        """Number of packets to copy."""
        return len(self.positions)


def entry_point(
    table: PacketTable, frame: int, *, resets: Callable[[int], bool], before: int | None = None
) -> int:
    """The decode position where decoding must start to show a frame and the frames after it.

    Args:
        table: the file's packets.
        frame: the first frame to be shown.
        resets: tells whether the keyframe at a decode position resets the decoder (`AccessPoints`).
        before: start at this decode position or earlier; by default the frame's own.

    Raises:
        ValueError: no keyframe is before the frame.
    """
    latest = int(table.packets_of_frames(frame, frame + 1)[0]) if before is None else before
    return _entry(table, frame, int(np.searchsorted(table.keys, latest, side="right")) - 1, resets)


def entry_points(
    table: PacketTable, frames: Sequence[int], *, resets: Callable[[int], bool]
) -> Iterator[tuple[int, int]]:
    """(its entry point, its packet) of each frame, as decode positions: see `entry_point`.

    Args:
        table: the file's packets.
        frames: the frames, in any order.
        resets: tells whether the keyframe at a decode position resets the decoder (`AccessPoints`).

    Raises:
        ValueError: no keyframe is before a frame.
    """
    packets = table.display_order[table.hidden_before + np.asarray(frames, dtype=np.int64)]
    keys = np.searchsorted(table.keys, packets, side="right") - 1
    for frame, packet, key in zip(frames, packets.tolist(), keys.tolist(), strict=True):
        yield _entry(table, frame, key, resets), packet


def _entry(table: PacketTable, frame: int, at: int, resets: Callable[[int], bool]) -> int:
    """The entry point of a frame, which is the keyframe number `at` or an earlier one."""
    while at >= 0:
        key = int(table.keys[at])
        if table.frame_of_packet[key] <= frame and (key == 0 or resets(key)):
            return key
        at -= 1
    raise ValueError(f"no keyframe at or before frame {frame}")


def run_of_frames(
    table: PacketTable, start: int, stop: int, *, resets: Callable[[int], bool]
) -> PacketRun:
    """The packets that decode the frames `[start, stop)` of a track.

    Decoding starts at the last keyframe that resets the decoder, is shown at or before `start`, and is
    decoded before every wanted frame. The file's first packet is accepted too. The run ends with the last
    packet of a frame shown before `stop`. Frames shown before that keyframe but decoded after it are left
    out. So a run shows every frame from the keyframe's to `stop`; frames after `stop` are included only if
    those depend on them.

    Args:
        table: the file's packets.
        start: first wanted frame.
        stop: the frame after the last wanted one.
        resets: tells whether the keyframe at a decode position resets the decoder (`AccessPoints`).

    Raises:
        ValueError: the range is empty, outside the file, or no keyframe is before it.
    """
    if not 0 <= start < stop <= table.frames:
        raise ValueError(
            f"frames [{start}, {stop}) are not all in this file, which has {table.frames}"
        )
    frame = table.frame_of_packet
    wanted = table.packets_of_frames(start, stop)
    first = entry_point(table, start, resets=resets, before=int(wanted.min()))
    # of the frames before `start` too: some may be decoded after all wanted ones (B-frames)
    last = int(table.packets_of_frames(int(frame[first]), stop).max())
    positions = np.arange(first, last + 1, dtype=np.int64)
    if table.in_order:
        return PacketRun(positions, positions - first, start - int(frame[first]))
    positions = positions[frame[positions] >= frame[first]]
    shown = frame[positions]
    display = np.empty(len(positions), dtype=np.int64)
    display[np.argsort(shown, kind="stable")] = np.arange(len(positions), dtype=np.int64)
    lead = int(np.count_nonzero(shown < start))
    return PacketRun(positions, display, lead)
